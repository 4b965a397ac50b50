import { mulDims, type Dim, type Tensor } from '../../engine/graph/index.ts';
import {
  abs,
  add,
  cast,
  clamp,
  concat,
  dimValue,
  div,
  expand,
  greater,
  iota,
  literal,
  log,
  matmul,
  max,
  maximum,
  mergeAxes,
  minimum,
  mul,
  neg,
  reshape,
  scalar,
  sigmoid,
  slice,
  softmax,
  splitAxis,
  sqrt,
  square,
  squeeze,
  sub,
  sum,
  swapLastTwo,
  transpose,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { pairwiseIntersection } from '../pairwise-intersection.ts';
import type { DetectedImage } from '../backbones/backbone.ts';
import { COLOR_PROTOTYPES, COLORS } from '../../text/lexicon/concepts.ts';

/**
 * Evidence of every concept in an image. C concepts (`CONCEPTS`), P proposals, h × w positions of the last map. Computed
 * from the detector alone, once per image.
 */
export interface ImageEvidence {
  /** (B, P, 4) in xyxy format, relative to the image. */
  readonly boxes: Tensor;
  /** Features of the detector's head, (B, P, channels). */
  readonly features: Tensor;
  /** How true each concept is of each proposal on its own, (B, P, C), 0 to 1. */
  readonly absolute: Tensor;
  /** How true it is compared with other proposals of the same kind of object; colors of the upper half. (B, P, C) */
  readonly relative: Tensor;
  /** (B, h·w, C) */
  readonly positions: Tensor;
}

/** IoU above which two proposals of one kind are the same object. */
const SAME_OBJECT_IOU = 0.55;

/** Computes the evidence of images whose last map has h × w positions. */
export const imageEvidence = ({
  maps,
  proposals: { scores, boxes, features },
  colors,
}: DetectedImage): ImageEvidence => {
  const corners = [0, 1, 2, 3].map((side) => slice(boxes, 2, side, side + 1)) as Corners; // each (B, P, 1)
  const geometry = geometryOf(corners);
  const overlap = pairwiseIou(boxes);
  const likeness = sameKind(scores);
  const confidence = max(scores, [2], { keepDims: true }); // (B, P, 1)
  const kept = keptProposals(confidence, overlap, likeness);
  // Weight with which another proposal counts as one more object of the same kind.
  const certain = clamp(div(sub(confidence, scalar(0.12)), scalar(0.2)), 0, 1);
  const others = mul(
    mul(likeness, swapLastTwo(mul(kept, certain))),
    sub(scalar(1), cast(greater(overlap, SAME_OBJECT_IOU), 'float32')),
  ); // (B, P, P)
  const blocks = colorTerms(colors); // (B, H, W, 11)
  const whole = colorsIn(blocks, corners, [0.15, 0.15, 0.85, 0.85]);
  const upper = colorsIn(blocks, corners, [0.2, 0.15, 0.8, 0.55]);
  const { places, sizes } = geometry;
  const ranked = rankedPlaces(geometry, others);
  const normalized = div(scores, add(max(scores, [1], { keepDims: true }), scalar(0.05)));
  return {
    boxes,
    features,
    absolute: concat([scores, places, whole, sizes], 2),
    relative: concat([normalized, ranked.places, upper, ranked.sizes], 2),
    positions: positionEvidence(maps.at(-1)!, corners, mul(scores, kept), sizes, blocks),
  };
};

type Corners = [x0: Tensor, y0: Tensor, x1: Tensor, y1: Tensor];

interface Geometry {
  readonly x: Tensor;
  readonly y: Tensor;
  /** Logarithm of the area. */
  readonly logArea: Tensor;
  /** left, right, top, bottom, middle, (B, P, 5) */
  readonly places: Tensor;
  /** large, small, (B, P, 2) */
  readonly sizes: Tensor;
}

const geometryOf = ([x0, y0, x1, y1]: Corners): Geometry => {
  const x = mul(add(x0, x1), 0.5);
  const y = mul(add(y0, y1), 0.5);
  const area = maximum(mul(sub(x1, x0), sub(y1, y0)), 1e-4);
  const root = sqrt(area);
  return { x, y, logArea: log(area), places: placesAt(x, y), sizes: concat([root, sub(scalar(1), root)], 2) };
};

/** left, right, top, bottom and middle of coordinates (…, 1) → (…, 5) */
const placesAt = (x: Tensor, y: Tensor): Tensor => {
  const inverse = (value: Tensor): Tensor => sub(scalar(1), value);
  const middle = inverse(mul(abs(sub(x, scalar(0.5))), 2));
  return concat([inverse(x), x, inverse(y), y, middle], x.rank - 1);
};

/** (B, P, P) IoU of all pairs of boxes (B, P, 4). */
export const pairwiseIou = (boxes: Tensor): Tensor => {
  const side = (k: number): Tensor => slice(boxes, 2, k, k + 1); // (B, P, 1)
  const [x0, y0, x1, y1] = [side(0), side(1), side(2), side(3)] as const;
  const area = mul(sub(x1, x0), sub(y1, y0));
  const shared = pairwiseIntersection(boxes);
  return div(shared, add(sub(add(area, swapLastTwo(area)), shared), scalar(1e-6)));
};

/** (B, P, P) 0 to 1: whether two proposals are of the same kind, from their sharpened scores (B, P, 80). */
export const sameKind = (scores: Tensor): Tensor => {
  const sharp = square(square(scores));
  const kind = div(sharp, add(sum(sharp, [2], { keepDims: true }), scalar(1e-8)));
  return matmul(kind, swapLastTwo(kind));
};

/**
 * (B, P, 1) 1 for proposals that no better one of the same kind covers. One round for all pairs at once: a proposal that is
 * itself suppressed still suppresses, which needs no loop and hardly matters, for it overlaps what suppressed it.
 */
export const keptProposals = (quality: Tensor, overlap: Tensor, likeness: Tensor): Tensor => {
  const isBetter = cast(greater(swapLastTwo(quality), quality), 'float32'); // [p, q]: q is better than p
  const isSame = mul(cast(greater(overlap, SAME_OBJECT_IOU), 'float32'), cast(greater(likeness, 0.3), 'float32'));
  return sub(scalar(1), max(mul(isBetter, isSame), [2], { keepDims: true }));
};

/** Places and sizes by rank among others of the same kind; 0 where there are none. */
const rankedPlaces = (
  { x, y, logArea }: Geometry,
  others: Tensor,
): { readonly places: Tensor; readonly sizes: Tensor } => {
  const total = add(sum(others, [2], { keepDims: true }), scalar(0.05));
  /** Fraction of the other proposals whose value is larger. */
  const above = (value: Tensor, width: number): Tensor =>
    div(sum(mul(others, sigmoid(mul(sub(swapLastTwo(value), value), 1 / width))), [2], { keepDims: true }), total);
  const [left, right] = [above(x, 0.03), above(neg(x), 0.03)];
  const [top, bottom] = [above(y, 0.03), above(neg(y), 0.03)];
  const [small, large] = [above(logArea, 0.2), above(neg(logArea), 0.2)];
  const middle = mul(minimum(left, right), 2);
  return { places: concat([left, right, top, bottom, middle], 2), sizes: concat([large, small], 2) };
};

/** Color terms of blocks: RGB (B, 3, H, W) → (B, H, W, 11), softmax over prototypes. */
const colorTerms = (colors: Tensor): Tensor => {
  const pixels = transpose(colors, [0, 2, 3, 1]); // (B, H, W, 3)
  const terms = COLORS.flatMap((name) => COLOR_PROTOTYPES[name].map((rgb) => ({ name, rgb })));
  const prototypes = literal(
    terms.flatMap(({ rgb }) => rgb as readonly number[]),
    [terms.length, 3],
  );
  const distances = sum(square(sub(unsqueeze(pixels, 3), prototypes)), [4]); // (B, H, W, prototypes)
  const probabilities = softmax(mul(distances, -1 / 0.02));
  const members = literal(
    terms.flatMap(({ name }) => COLORS.map((color) => Number(color === name))),
    [terms.length, COLORS.length],
  );
  return matmul(probabilities, members);
};

/**
 * Mean color terms inside boxes: blocks (B, H, W, 11) → (B, P, 11).
 *
 * @param part which part of each box, xyxy relative to it
 */
const colorsIn = (blocks: Tensor, [x0, y0, x1, y1]: Corners, [left, top, right, bottom]: readonly number[]): Tensor => {
  const [batch, height, width] = blocks.shape as [Dim, Dim, Dim];
  const inner = (low: Tensor, high: Tensor, fraction: number): Tensor => add(low, mul(sub(high, low), fraction));
  const rows = axisWeights(inner(y0, y1, top!), inner(y0, y1, bottom!), height); // (B, P, H)
  const columns = axisWeights(inner(x0, x1, left!), inner(x0, x1, right!), width); // (B, P, W)
  const byColumn = matmul(rows, reshape(blocks, [batch, height, mulDims(width, COLORS.length)])); // (B, P, W·11)
  const split = splitAxis(byColumn, 2, [width, COLORS.length]);
  return squeeze(matmul(unsqueeze(columns, 2), split), 2); // (B, P, 11)
};

/** Weights of n equal cells of an axis inside ranges (B, P, 1): their overlap, normalized. (B, P, n) */
const axisWeights = (low: Tensor, high: Tensor, count: Dim): Tensor => {
  const edges = cellEdges(count);
  const shared = maximum(sub(minimum(high, edges.high), maximum(low, edges.low)), 0);
  const padded = add(shared, scalar(1e-6));
  return div(padded, sum(padded, [2], { keepDims: true }));
};

/** Borders of n equal cells of an axis, each (1, 1, n). */
const cellEdges = (count: Dim): { readonly low: Tensor; readonly high: Tensor } => {
  const size = cast(dimValue(count), 'float32');
  const index = reshape(iota(count, 'float32'), [1, 1, count]);
  return { low: div(index, size), high: div(add(index, scalar(1)), size) };
};

/** Evidence of the positions of a map: nouns and sizes from the boxes that cover them, places, and colors of their blocks. */
const positionEvidence = (
  map: Tensor,
  [x0, y0, x1, y1]: Corners,
  scores: Tensor,
  sizes: Tensor,
  blocks: Tensor,
): Tensor => {
  const [batch, , height, width] = map.shape as [Dim, Dim, Dim, Dim];
  const count = mulDims(height, width);
  const covered = (low: Tensor, high: Tensor, cells: Dim): Tensor => {
    const edges = cellEdges(cells);
    const shared = sub(minimum(high, edges.high), maximum(low, edges.low));
    return clamp(mul(shared, mul(cast(dimValue(cells), 'float32'), scalar(2))), 0, 1); // (B, P, cells)
  };
  const rows = unsqueeze(covered(y0, y1, height), 3);
  const columns = unsqueeze(covered(x0, x1, width), 2);
  const cover = swapLastTwo(mergeAxes(mul(rows, columns), 2, 3)); // (B, h·w, P)
  const nouns = div(matmul(cover, square(scores)), add(matmul(cover, scores), scalar(0.1)));
  const best = max(scores, [2], { keepDims: true });
  const covering = div(matmul(cover, mul(best, sizes)), add(matmul(cover, best), scalar(0.1)));
  return concat(
    [nouns, expand(positionPlaces(height, width), [batch, count, 5]), positionColors(blocks, height, width), covering],
    2,
  );
};

/** (1, h·w, 5) */
const positionPlaces = (height: Dim, width: Dim): Tensor => {
  const centers = (count: Dim): Tensor => {
    const { low, high } = cellEdges(count);
    return mul(add(low, high), 0.5);
  };
  const x = expand(reshape(centers(width), [1, 1, width, 1]), [1, height, width, 1]);
  const y = expand(reshape(centers(height), [1, height, 1, 1]), [1, height, width, 1]);
  return mergeAxes(placesAt(x, y), 1, 2);
};

/** Mean color terms of the positions: blocks (B, H, W, 11) → (B, h·w, 11). */
const positionColors = (blocks: Tensor, height: Dim, width: Dim): Tensor => {
  const [batch, tall, wide] = blocks.shape as [Dim, Dim, Dim];
  const weights = (count: Dim, blockCount: Dim): Tensor => {
    const { low, high } = cellEdges(count);
    return axisWeights(swapLastTwo(low), swapLastTwo(high), blockCount); // (1, count, blockCount)
  };
  const byRow = matmul(weights(height, tall), reshape(blocks, [batch, tall, mulDims(wide, COLORS.length)]));
  const split = splitAxis(byRow, 2, [wide, COLORS.length]); // (B, h, W, 11)
  return mergeAxes(matmul(unsqueeze(weights(width, wide), 1), split), 1, 2);
};
