import type { Region, Size } from './size.ts';
import type { RunLengthMask } from './run-lengths.ts';

/** Dense column-major pixels (W, H), 0 or 1, in which every run is contiguous. */
const columnsOf = ({ height, width, counts }: RunLengthMask): Uint8Array => {
  const columns = new Uint8Array(height * width);
  let at = 0;
  counts.forEach((length, run) => {
    if (run % 2 === 1) columns.fill(1, at, at + length);
    at += length;
  });
  return columns;
};

/** Encodes dense column-major pixels (W, H), 0 or 1. */
export const maskFromColumns = (columns: Uint8Array, height: number, width: number): RunLengthMask => {
  const runs: number[] = [];
  let start = 0;
  let value = 0;
  for (;;) {
    const end = columns.indexOf(1 - value, start);
    runs.push((end === -1 ? columns.length : end) - start);
    if (end === -1) return { height, width, counts: Uint32Array.from(runs) };
    start = end;
    value = 1 - value;
  }
};

/** Crops a mask to `region`, which must lie within it. */
export const cropMask = (mask: RunLengthMask, { top, left, height, width }: Region): RunLengthMask => {
  const columns = columnsOf(mask);
  const cropped = new Uint8Array(height * width);
  for (let x = 0; x < width; x++) {
    const from = (left + x) * mask.height + top;
    cropped.set(columns.subarray(from, from + height), x * height);
  }
  return maskFromColumns(cropped, height, width);
};

/** Flips a mask horizontally. */
export const flipMask = (mask: RunLengthMask): RunLengthMask => {
  const { height, width } = mask;
  const columns = columnsOf(mask);
  const flipped = new Uint8Array(columns.length);
  for (let x = 0; x < width; x++) flipped.set(columns.subarray(x * height, (x + 1) * height), (width - 1 - x) * height);
  return maskFromColumns(flipped, height, width);
};

/** Resizes a mask by nearest neighbor, as PyTorch does. */
export const resizeMask = (mask: RunLengthMask, [height, width]: Size): RunLengthMask => {
  const columns = columnsOf(mask);
  const rowOf = nearestIndices(mask.height, height);
  const columnOf = nearestIndices(mask.width, width);
  const resized = new Uint8Array(height * width);
  for (let x = 0; x < width; x++) {
    const from = columnOf[x]! * mask.height;
    for (let y = 0; y < height; y++) resized[x * height + y] = columns[from + rowOf[y]!]!;
  }
  return maskFromColumns(resized, height, width);
};

/** Source index of every output index in PyTorch's nearest interpolation: floor(i * in/out) in float32. */
export const nearestIndices = (inSize: number, outSize: number): Int32Array => {
  const scale = Math.fround(inSize / outSize);
  return Int32Array.from({ length: outSize }, (_, i) => Math.min(Math.floor(Math.fround(i * scale)), inSize - 1));
};
