import { extname } from 'node:path';
import { cropImage, type RawImage } from '../../data/images/raw-image.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { ImageSource } from '../../data/images/image-source.ts';
import { UsageError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import type { BoxXyxy } from '../../geometry/boxes.ts';
import { maskToDense, unpackMask, type PackedCocoRle } from '../../geometry/run-lengths.ts';
import type { DrawingContent, DrawingOptions } from '../draw.ts';
import { drawDetections } from './draw-detections.ts';
import { nodePlatform } from './platform.ts';
import { drawingFormatOf } from './drawing-format.ts';
import { writeDrawing } from './write-drawing.ts';

/** Options of `crop`. */
export interface CropOptions {
  /** Margin around the box, as a fraction of its longer side. Default 0. */
  readonly margin?: number | undefined;
  /** Make everything outside of the mask white. Needs a detection with a mask. Default false. */
  readonly masked?: boolean | undefined;
}

/** Draws a result on its image, as `drawDetections`, for any kind of image. */
export const draw = async (
  image: ImageSource,
  content: DrawingContent,
  options: DrawingOptions = {},
): Promise<Uint8Array> => drawDetections(await decodeImage(image), content, options);

/**
 * The part of an image that a detection covers, clamped to the image and at least one pixel wide.
 *
 * @throws {UsageError} if `masked` is set and the detection has no mask
 */
export const crop = async (
  image: ImageSource,
  { box, mask }: { readonly box: BoxXyxy; readonly mask?: PackedCocoRle | undefined },
  { margin = 0, masked = false }: CropOptions = {},
): Promise<RawImage> => {
  if (masked && mask === undefined) throw new UsageError('crop: masked needs a detection with a mask (masks: true)');
  const raw = await decodeImage(image);
  const around = margin * Math.max(box[2] - box[0], box[3] - box[1]);
  const span = (low: number, high: number, size: number): [start: number, length: number] => {
    const start = Math.min(Math.max(Math.floor(low - around), 0), size - 1);
    return [start, Math.min(Math.max(Math.ceil(high + around), start + 1), size) - start];
  };
  const [left, width] = span(box[0], box[2], raw.width);
  const [top, height] = span(box[1], box[3], raw.height);
  const source = masked ? withoutBackground(raw, mask!) : raw;
  return cropImage(source, { top, left, height, width });
};

const withoutBackground = (image: RawImage, mask: PackedCocoRle): RawImage => {
  const inside = maskToDense(unpackMask(mask));
  if (inside.length * 3 !== image.data.length)
    throw new UsageError(`crop: the mask has ${mask.size.join('x')} pixels, the image ${image.height}x${image.width}`);
  return { ...image, data: image.data.map((value, i) => (inside[Math.floor(i / 3)] === 1 ? value : 255)) };
};

/**
 * Writes a result or an image, completely or not at all: `.png`, `.jpg` and `.webp` hold the image, with the result drawn on
 * it if one is given; `.json` holds the result. An older file of that name is replaced.
 *
 * @throws {UsageError} for another file extension, and for `.json` without a result
 * @throws {MdetrError} if the image cannot be read or the file cannot be written
 */
export const save = async (path: string, image: ImageSource, content?: DrawingContent): Promise<void> => {
  if (extname(path).toLowerCase() === '.json') {
    if (content === undefined) throw new UsageError(`${path}: a .json file holds a result; give one`);
    return replaceFile(path, `${JSON.stringify(content)}\n`);
  }
  const format = drawingFormatOf(path);
  const raw = await decodeImage(image);
  if (content !== undefined) return writeDrawing(path, raw, content);
  return replaceFile(path, await nodePlatform.encode(raw, format));
};
