import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collateImages } from '../../src/data/collate.ts';
import { decodeImage } from '../../src/data/image.ts';
import { resizeBilinear, resizedSize } from '../../src/data/resize.ts';
import { bars, Row } from './comparison.ts';

interface Sampled {
  readonly pos: readonly number[];
  readonly values: readonly number[];
}

/** Decoding, resizing and normalising of real JPEG files, at the recorded places. */
export const comparePictures = async (reference: string): Promise<Row[]> => {
  const path = join(reference, 'preprocess', 'val_images.json');
  if (!existsSync(path)) return [];
  const images = JSON.parse(readFileSync(path, 'utf8')) as readonly ImageRecord[];
  const rows: Row[] = [];
  for (const record of images) {
    const row = new Row(`picture ${record.file}`);
    const decoded = await decodeImage(join(reference, record.file), { orient: false });
    const [height, width] = resizedSize([decoded.height, decoded.width], 800, 1333);
    const resized = resizeBilinear(decoded, width, height);
    const { tensors } = collateImages([resized]);
    compareAt(row, 'decoded', decoded.data, record.decodedHWC, bars.greyLevels);
    compareAt(row, 'resized', resized.data, record.resizedHWC, bars.greyLevels);
    compareAt(row, 'normalised', tensors, record.tensorCHW, bars.normalised);
    rows.push(row);
  }
  return rows;
};

interface ImageRecord {
  readonly file: string;
  readonly decodedHWC: Sampled;
  readonly resizedHWC: Sampled;
  readonly tensorCHW: Sampled;
}

const compareAt = (
  row: Row,
  column: string,
  found: ArrayLike<number>,
  sampled: Sampled,
  bar: (typeof bars)[keyof typeof bars],
): void => {
  row.in(column, bar).tensors(
    column,
    sampled.pos.map((position) => found[position]!),
    sampled.values,
  );
};
