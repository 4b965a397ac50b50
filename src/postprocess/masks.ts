import { maskFromColumns } from '../geometry/mask-geometry.ts';
import type { Size } from '../geometry/size.ts';
import { boxXyxyToXywh, type BoxXywh } from '../geometry/boxes.ts';
import { maskUnion, type RunLengthMask } from '../geometry/run-lengths.ts';

/** Mask logits of one image. */
export interface MaskLogits {
  /** (Q, h, w), as the segmentation head returns them: a quarter of the padded batch's height and width. */
  readonly data: Float32Array;
  readonly queries: number;
  readonly height: number;
  readonly width: number;
}

/** Sizes between the network and the image file, from which masks are resized. */
export interface MaskSizes {
  /** The padded batch. */
  readonly padded: Size;
  /** This image in the batch, without padding. */
  readonly resized: Size;
  /** The image file. */
  readonly original: Size;
}

/** Options of mask post-processing. */
export interface MaskOptions {
  /** Queries to compute, in this order. Default: all. A photo takes some 20 ms per mask. */
  readonly queries?: readonly number[];
  /** Probability above which a pixel belongs to the mask. Default 0.5. */
  readonly threshold?: number;
}

/**
 * Masks at the image's original size, as the official `PostProcessSegm` computes them: logits are interpolated to the
 * padded batch, cropped to the image, interpolated to the original size and thresholded.
 */
export const masksAtOriginalSize = (
  { data, queries, height, width }: MaskLogits,
  { padded, resized, original }: MaskSizes,
  options: MaskOptions = {},
): RunLengthMask[] => {
  if (data.length !== queries * height * width)
    throw new Error(`internal: ${data.length} mask logits for ${queries} queries of ${height}x${width}`);
  const { threshold = 0.5 } = options;
  const cutoff = Math.log(threshold / (1 - threshold));
  // Interpolation to `padded`; only the rows and columns of the image are computed.
  const enlarge = bilinear([height, width], padded, resized);
  const restore = bilinear(resized, original, original);
  const indices = options.queries ?? Array.from({ length: queries }, (_, q) => q);
  return indices.map((q) => {
    if (!(q >= 0 && q < queries)) throw new Error(`internal: mask of query ${q} of ${queries}`);
    const logits = restore(enlarge(data.subarray(q * height * width, (q + 1) * height * width)));
    return maskAbove(logits, original, cutoff);
  });
};

/** Predictions for a phrase, as PhraseCut's evaluation reads them. */
export interface PhraseCutInput {
  /** (Q) */
  readonly scores: ArrayLike<number>;
  /** (Q, 4) x0, y0, x1, y1 in pixels of the image file. */
  readonly boxesXyxy: ArrayLike<number>;
  /** One per query, at the size of the image file; may be undefined for queries that are not kept. */
  readonly masks: readonly (RunLengthMask | undefined)[];
}

/** Queries that PhraseCut counts: those whose score is above the threshold. */
export const phraseCutQueries = (scores: ArrayLike<number>, threshold = 0.7): number[] =>
  Array.from(scores).flatMap((score, q) => (score > threshold ? [q] : []));

/** Boxes of a phrase in xywh format and the union of its masks: the official `PostProcessPhrasecut`. */
export const phraseCutResult = (
  { scores, boxesXyxy, masks }: PhraseCutInput,
  [height, width]: Size,
  threshold = 0.7,
): { boxesXywh: BoxXywh[]; mask: RunLengthMask } => {
  const kept = phraseCutQueries(scores, threshold);
  return {
    boxesXywh: kept.map((q) => {
      const [x0, y0, x1, y1] = [0, 1, 2, 3].map((i) => boxesXyxy[4 * q + i]!) as [number, number, number, number];
      return boxXyxyToXywh([x0, y0, x1, y1], 'float32');
    }),
    mask: maskUnion(
      kept.map((q) => {
        const mask = masks[q];
        if (mask === undefined) throw new Error(`internal: query ${q} is kept but has no mask`);
        return mask;
      }),
      height,
      width,
    ),
  };
};

/** Input positions and weights of bilinear interpolation per output position, like torch with `align_corners=False`. */
const axisPositions = (inSize: number, outSize: number, count: number): { low: Int32Array; fraction: Float32Array } => {
  const scale = Math.fround(inSize / outSize);
  const low = new Int32Array(count);
  const fraction = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const source = Math.max(Math.fround(Math.fround(scale * (i + 0.5)) - 0.5), 0);
    low[i] = Math.min(Math.floor(source), inSize - 1);
    fraction[i] = source - low[i]!;
  }
  return { low, fraction };
};

/**
 * Bilinear interpolation from size `from` to size `to`, of which the first `part[0]` rows and `part[1]` columns are
 * computed. Returns a function (h, w) -> `part` for planes of that size.
 */
const bilinear = ([h, w]: Size, [toHeight, toWidth]: Size, part: Size): ((plane: Float32Array) => Float32Array) => {
  const rows = axisPositions(h, toHeight, part[0]);
  const columns = axisPositions(w, toWidth, part[1]);
  return (plane) => {
    const output = new Float32Array(part[0] * part[1]);
    for (let y = 0, to = 0; y < part[0]; y++) {
      const upper = rows.low[y]! * w;
      const lower = Math.min(rows.low[y]! + 1, h - 1) * w;
      const down = rows.fraction[y]!;
      for (let x = 0; x < part[1]; x++, to++) {
        const left = columns.low[x]!;
        const right = left + 1 < w ? left + 1 : left;
        const across = columns.fraction[x]!;
        const top = plane[upper + left]! * (1 - across) + plane[upper + right]! * across;
        const bottom = plane[lower + left]! * (1 - across) + plane[lower + right]! * across;
        output[to] = top * (1 - down) + bottom * down;
      }
    }
    return output;
  };
};

const maskAbove = (logits: Float32Array, [height, width]: Size, cutoff: number): RunLengthMask => {
  const columns = new Uint8Array(height * width);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) if (logits[at]! > cutoff) columns[x * height + y] = 1;
  return maskFromColumns(columns, height, width);
};
