import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collateImages } from '../../src/data/sampling/collate.ts';
import { decodeImage } from '../../src/data/images/node/decode-image.ts';
import { resizedSize } from '../../src/data/transforms/resize.ts';
import { prepareImage } from '../../src/inference/preprocess.ts';
import { Row, TOLERANCES } from './comparison.ts';

interface Sampled {
  readonly pos: readonly number[];
  readonly values: readonly number[];
}

interface ValidationImage {
  readonly file: string;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly decodedHWC: Sampled;
  readonly resizedHWC: Sampled;
  readonly tensorCHW: Sampled;
}

const at = (values: ArrayLike<number>, { pos }: Sampled): number[] => pos.map((index) => values[index]!);

/** Decoding, resizing and normalizing of real photos, as the pipeline does it. */
export const compareImages = async (root: string): Promise<Row[]> => {
  const images = readJson(join(root, 'preprocess', 'val_images.json')) as readonly ValidationImage[];
  const rows: Row[] = [];
  for (const image of images) {
    const row = new Row(image.file);
    const path = join(root, image.file);
    const original = await decodeImage(path, { orientation: 'stored' });
    const { resized } = prepareImage(original, { shortestEdge: 800, longestEdge: 1333 });
    row
      .in('sizes', TOLERANCES.exact)
      .equal('resized', [resized.height, resized.width], [image.outHeight, image.outWidth]);
    const levels = row.in('gray levels', TOLERANCES.grayLevels);
    levels.tensors('decoded', at(original.data, image.decodedHWC), image.decodedHWC.values);
    levels.tensors('resized', at(resized.data, image.resizedHWC), image.resizedHWC.values);
    const { tensors } = collateImages([await decodeImage(resized)]);
    row.in('normalized', TOLERANCES.normalized).tensors('tensor', at(tensors, image.tensorCHW), image.tensorCHW.values);
    rows.push(row);
  }
  return rows;
};

/** Sizes after resizing, for many inputs. */
export const compareSizes = (root: string): Row => {
  const { columns, rows } = readJson(join(root, 'preprocess', 'resize_sizes.json')) as {
    columns: readonly string[];
    rows: readonly (readonly (number | null)[])[];
  };
  const row = new Row('preprocess/resize_sizes');
  const cell = row.in('sizes', TOLERANCES.exact);
  for (const values of rows) {
    const [w, h, size, max, outW, outH] = ['w', 'h', 'size', 'max_size', 'outW', 'outH'].map(
      (name) => values[columns.indexOf(name)] ?? undefined,
    );
    cell.equal(values.join(' '), resizedSize([h!, w!], size!, max), [outH, outW]);
  }
  return row;
};

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
