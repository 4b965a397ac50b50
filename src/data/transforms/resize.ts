import { MdetrError } from '../../errors.ts';
import type { RawImage } from '../images/raw-image.ts';
import type { Size } from '../../geometry/size.ts';

/**
 * Resizing as Pillow does it: a triangle filter whose width grows with the shrinking factor (anti-aliased), applied
 * along rows, rounded to 8 bits, then along columns, with 22-bit fixed-point weights. Bit-equal to Pillow 9.4 to 11.3
 * (the official code resizes with it), and free of native code, so the browser and worker threads run the same.
 */

const weightBits = 22;
const rounding = 1 << (weightBits - 1);

/** Weights of every output position along one axis: output i sums `count[i]` inputs from `first[i]` on. */
interface AxisFilter {
  /** Taps stored per output position; unused ones are zero. */
  readonly taps: number;
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
}

const triangleFilter = (inSize: number, outSize: number): AxisFilter => {
  const scale = inSize / outSize;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * taps);
  const exact = new Float64Array(taps);
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), inSize);
    let sum = 0;
    for (let tap = 0; tap < end - start; tap++) {
      // Multiplied by the reciprocal, not divided: the last bit of the weight is part of the contract.
      const distance = Math.abs((tap + start - center + 0.5) * (1 / support));
      exact[tap] = distance < 1 ? 1 - distance : 0;
      sum += exact[tap]!;
    }
    first[out] = start;
    count[out] = end - start;
    for (let tap = 0; tap < end - start; tap++) {
      const weight = sum === 0 ? exact[tap]! : exact[tap]! / sum;
      weights[out * taps + tap] = Math.trunc(0.5 + weight * (1 << weightBits));
    }
  }
  return { taps, first, count, weights };
};

/** (rows, inWidth, 3) -> (rows, outWidth, 3). */
const resizeRows = (input: Uint8Array, rows: number, inWidth: number, outWidth: number): Uint8Array => {
  const { taps, first, count, weights } = triangleFilter(inWidth, outWidth);
  const output = new Uint8Array(rows * outWidth * 3);
  let to = 0;
  for (let y = 0; y < rows; y++) {
    const row = y * inWidth * 3;
    for (let x = 0; x < outWidth; x++) {
      let from = row + first[x]! * 3;
      let red = rounding;
      let green = rounding;
      let blue = rounding;
      const end = x * taps + count[x]!;
      for (let tap = x * taps; tap < end; tap++, from += 3) {
        const weight = weights[tap]!;
        red = (red + input[from]! * weight) | 0;
        green = (green + input[from + 1]! * weight) | 0;
        blue = (blue + input[from + 2]! * weight) | 0;
      }
      // No clamp: the weights are positive and sum to one but for rounding, which could carry over 255 only from
      // 8,000 taps on, far beyond what `resizedSize` lets through.
      output[to] = red >> weightBits;
      output[to + 1] = green >> weightBits;
      output[to + 2] = blue >> weightBits;
      to += 3;
    }
  }
  return output;
};

/** (inHeight, stride) -> (outHeight, stride). */
const resizeColumns = (input: Uint8Array, stride: number, inHeight: number, outHeight: number): Uint8Array => {
  const { taps, first, count, weights } = triangleFilter(inHeight, outHeight);
  const output = new Uint8Array(outHeight * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < outHeight; y++) {
    const to = y * stride;
    const upper = first[y]! * stride;
    if (count[y] === 2) {
      // Enlarging always has two taps (one at the rim): one pass without the row of sums.
      const upperWeight = weights[y * taps]!;
      const lowerWeight = weights[y * taps + 1]!;
      const lower = upper + stride;
      for (let i = 0; i < stride; i++)
        output[to + i] = (rounding + input[upper + i]! * upperWeight + input[lower + i]! * lowerWeight) >> weightBits;
      continue;
    }
    sums.fill(rounding);
    for (let tap = 0; tap < count[y]!; tap++) {
      const weight = weights[y * taps + tap]!;
      const from = upper + tap * stride;
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + input[from + i]! * weight;
    }
    for (let i = 0; i < stride; i++) output[to + i] = sums[i]! >> weightBits;
  }
  return output;
};

/** Pillow's `image.resize((width, height), BILINEAR)`, bit for bit. Returns `image` itself when the size is its own. */
export const resizeBilinear = (image: RawImage, width: number, height: number): RawImage => {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1)
    throw new Error(`internal: resize to ${width}x${height}`);
  const rows = width === image.width ? image.data : resizeRows(image.data, image.height, image.width, width);
  const data = height === image.height ? rows : resizeColumns(rows, width * 3, image.height, height);
  return data === image.data ? image : { width, height, channels: 3, data };
};

/** Python's `round`: halves go to the even neighbour. */
const roundHalfEven = (value: number): number => {
  const below = Math.floor(value);
  const fraction = value - below;
  if (fraction !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
};

/**
 * Size after the official resize: the shorter side becomes `size`, less where the longer one would exceed `maxSize`;
 * the other side follows, truncated. An image whose shorter side is right already keeps its size.
 * Throws `MdetrError` when the image is so narrow that a side would vanish.
 */
export const resizedSize = ([height, width]: Size, size: number, maxSize?: number): Size => {
  const shorter = Math.min(height, width);
  const longer = Math.max(height, width);
  let target = size;
  if (maxSize !== undefined && (longer / shorter) * target > maxSize)
    target = roundHalfEven((maxSize * shorter) / longer);
  if (target < 1)
    throw new MdetrError(
      `An image of ${width}x${height} pixels is too narrow: at ${maxSize ?? size} pixels on its longer side, ` +
        'nothing is left of the shorter one. Crop it first.',
    );
  if (shorter === target) return [height, width];
  return width < height
    ? [Math.trunc((target * height) / width), target]
    : [target, Math.trunc((target * width) / height)];
};
