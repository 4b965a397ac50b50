import { join } from 'node:path';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import { cropImage, flipImage, type RawImage } from '../../data/images/raw-image.ts';
import { resizeBilinear } from '../../data/transforms/resize.ts';
import type { PhotoPart } from './photo-row.ts';

/**
 * The image of a row: its parts, squeezed to their places in an image of the given side.
 *
 * @throws {MdetrError} naming a file that is no image
 */
export const composeImage = async (parts: readonly PhotoPart[], folder: string, side: number): Promise<RawImage> => {
  const data = new Uint8Array(side * side * 3);
  for (const { file, crop = [0, 0, 1, 1], at = [0, 0, 1, 1], flipped = false } of parts) {
    const image = await decodeImage(join(folder, file), { orientation: 'stored' });
    const [left, right] = [crop[0], crop[2]].map((x) => Math.round(x * image.width)) as [number, number];
    const [top, bottom] = [crop[1], crop[3]].map((y) => Math.round(y * image.height)) as [number, number];
    const isWhole = left === 0 && top === 0 && right === image.width && bottom === image.height;
    const region = isWhole ? image : cropImage(image, { top, left, height: bottom - top, width: right - left });
    const [x0, y0, x1, y1] = at.map((value) => Math.round(value * side)) as [number, number, number, number];
    const placed = resizeBilinear(flipped ? flipImage(region) : region, x1 - x0, y1 - y0);
    for (let y = 0; y < placed.height; y++)
      data.set(placed.data.subarray(y * placed.width * 3, (y + 1) * placed.width * 3), ((y0 + y) * side + x0) * 3);
  }
  return { width: side, height: side, channels: 3, data };
};
