import { MdetrError } from '../errors.ts';

/**
 * Binary mask in COCO's run-length encoding: runs of the column-major mask alternate between 0 and 1, the first one being
 * zeros, possibly of length 0. Masks are stored, merged and measured in this form; dense pixels are used only for drawing
 * and resizing.
 */
export interface RunLengthMask {
  /** Height in pixels. */
  readonly height: number;
  /** Width in pixels. */
  readonly width: number;
  /** Run lengths, zeros first; they sum to `height * width`. */
  readonly counts: Uint32Array;
}

/** Mask as in COCO files: `counts` packed into a string, or as numbers. `size` is (height, width). */
export interface CocoRle {
  /** Height and width in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Run lengths in column order, zeros first: as numbers, or packed in COCO's text form. */
  readonly counts: string | readonly number[];
}

/** `CocoRle` with packed counts, the form that this package writes. */
export interface PackedCocoRle extends CocoRle {
  /** Run lengths in COCO's text form. */
  readonly counts: string;
}

/** Encodes dense pixels (H, W), row-major; every value except 0 counts as 1. */
export const maskFromDense = (pixels: Uint8Array, height: number, width: number): RunLengthMask => {
  if (pixels.length !== height * width)
    throw new Error(`internal: a mask of ${height}x${width} from ${pixels.length} pixels`);
  const runs: number[] = [];
  let value = 0;
  let length = 0;
  for (let x = 0; x < width; x++)
    for (let at = x; at < pixels.length; at += width) {
      const bit = pixels[at] === 0 ? 0 : 1;
      if (bit !== value) {
        runs.push(length);
        length = 0;
        value = bit;
      }
      length++;
    }
  runs.push(length);
  return { height, width, counts: Uint32Array.from(runs) };
};

/** Decodes a mask into dense pixels (H, W), row-major, 0 or 1. */
export const maskToDense = ({ height, width, counts }: RunLengthMask): Uint8Array => {
  const pixels = new Uint8Array(height * width);
  let at = 0;
  counts.forEach((length, run) => {
    if (run % 2 === 1) for (let i = at; i < at + length; i++) pixels[(i % height) * width + Math.floor(i / height)] = 1;
    at += length;
  });
  return pixels;
};

/** Number of pixels in the mask. */
export const maskArea = ({ counts }: RunLengthMask): number => {
  let area = 0;
  for (let run = 1; run < counts.length; run += 2) area += counts[run]!;
  return area;
};

/** Bounding box of the mask in xywh format, in integer pixels; all zeros for an empty mask. */
export const maskBoundsXywh = ({ height, counts }: RunLengthMask): [number, number, number, number] => {
  let left = Infinity;
  let right = -1;
  let top = Infinity;
  let bottom = -1;
  let at = 0;
  counts.forEach((length, run) => {
    if (run % 2 === 1 && length > 0) {
      const last = at + length - 1;
      const firstColumn = Math.floor(at / height);
      const lastColumn = Math.floor(last / height);
      left = Math.min(left, firstColumn);
      right = Math.max(right, lastColumn);
      // A run that continues in the next column covers the bottom row of one column and the top row of the other.
      top = Math.min(top, firstColumn === lastColumn ? at % height : 0);
      bottom = Math.max(bottom, firstColumn === lastColumn ? last % height : height - 1);
    }
    at += length;
  });
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
};

/** Collects the runs of a mask from spans of equal pixels. */
class RunWriter {
  private readonly runs: number[] = [];
  private value = false;
  private length = 0;

  add(value: boolean, length: number): void {
    if (length === 0) return;
    if (value !== this.value) {
      this.runs.push(this.length);
      this.length = 0;
      this.value = value;
    }
    this.length += length;
  }

  finish(height: number, width: number): RunLengthMask {
    return { height, width, counts: Uint32Array.from([...this.runs, this.length]) };
  }
}

/** Calls `visit` for every span over which neither mask changes. */
const walkPair = (
  a: RunLengthMask,
  b: RunLengthMask,
  visit: (inA: boolean, inB: boolean, length: number) => void,
): void => {
  if (a.height !== b.height || a.width !== b.width)
    throw new MdetrError(
      `Masks of different sizes cannot be compared: ${a.height}x${a.width} and ${b.height}x${b.width} (height x width).`,
    );
  let [runA, runB] = [0, 0];
  let [leftA, leftB] = [a.counts[0] ?? 0, b.counts[0] ?? 0];
  for (let rest = a.height * a.width; rest > 0;) {
    while (leftA === 0) leftA = a.counts[++runA]!;
    while (leftB === 0) leftB = b.counts[++runB]!;
    const length = Math.min(leftA, leftB);
    visit(runA % 2 === 1, runB % 2 === 1, length);
    leftA -= length;
    leftB -= length;
    rest -= length;
  }
};

/** Mask without any pixels. */
export const emptyMask = (height: number, width: number): RunLengthMask => ({
  height,
  width,
  counts: Uint32Array.of(height * width),
});

const merge = (a: RunLengthMask, b: RunLengthMask, keep: (inA: boolean, inB: boolean) => boolean): RunLengthMask => {
  const writer = new RunWriter();
  walkPair(a, b, (inA, inB, length) => writer.add(keep(inA, inB), length));
  return writer.finish(a.height, a.width);
};

/** Union of masks, which all have the given size. */
export const maskUnion = (masks: readonly RunLengthMask[], height: number, width: number): RunLengthMask =>
  masks.reduce((union, mask) => merge(union, mask, (inA, inB) => inA || inB), emptyMask(height, width));

/** Intersection of two masks. */
export const maskIntersection = (a: RunLengthMask, b: RunLengthMask): RunLengthMask =>
  merge(a, b, (inA, inB) => inA && inB);

/** Packs the runs into COCO's string: differences to the run before the previous one, 5 bits per character from '0'. */
export const packMask = ({ height, width, counts }: RunLengthMask): PackedCocoRle => {
  let packed = '';
  counts.forEach((count, run) => {
    // The first three runs are stored as they are.
    let rest = run > 2 ? count - counts[run - 2]! : count;
    for (;;) {
      const bits = rest & 0x1f;
      rest >>= 5;
      // Done when the remaining bits only repeat the sign bit just written.
      const more = (bits & 0x10) === 0 ? rest !== 0 : rest !== -1;
      packed += String.fromCharCode(48 + bits + (more ? 0x20 : 0));
      if (!more) break;
    }
  });
  return { size: [height, width], counts: packed };
};

const unpackCounts = (packed: string, where: string): number[] => {
  const counts: number[] = [];
  let at = 0;
  while (at < packed.length) {
    let value = 0;
    let shift = 0;
    for (;;) {
      const code = packed.charCodeAt(at) - 48;
      // Seven characters hold 35 bits, more than any mask needs.
      if (!(code >= 0 && code < 64) || shift > 30)
        throw new MdetrError(
          `${where}: "counts" is not a COCO run-length string (character ${at} of ${packed.length}).`,
        );
      at++;
      value += (code & 0x1f) * 2 ** shift;
      shift += 5;
      if ((code & 0x20) !== 0) continue;
      if ((code & 0x10) !== 0) value -= 2 ** shift;
      break;
    }
    counts.push(counts.length > 2 ? value + counts[counts.length - 2]! : value);
  }
  return counts;
};

/** Maximum size of a mask: 2^31 pixels would overflow the arithmetic of the packed form. */
const MAX_PIXELS = 2 ** 31 - 1;

/**
 * Decodes a mask of a COCO file, packed or not.
 *
 * @param where location of the mask, for error messages
 * @throws {MdetrError} for a malformed string, or runs that do not add up to the size
 */
export const unpackMask = ({ size, counts }: CocoRle, where = 'mask'): RunLengthMask => {
  const [height, width] = size;
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1 || height * width > MAX_PIXELS)
    throw new MdetrError(`${where}: "size" must be [height, width] in integer pixels, it is [${size.join(', ')}].`);
  const runs = typeof counts === 'string' ? unpackCounts(counts, where) : counts;
  let total = 0;
  for (const run of runs) {
    if (!Number.isInteger(run) || run < 0) throw new MdetrError(`${where}: "counts" has a run of ${run} pixels.`);
    total += run;
  }
  if (total !== height * width)
    throw new MdetrError(
      `${where}: the runs add up to ${total} pixels, a mask of ${height}x${width} has ${height * width}.`,
    );
  return { height, width, counts: Uint32Array.from(runs) };
};
