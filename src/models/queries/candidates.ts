import type { Dim, Tensor } from '../../engine/graph/index.ts';
import {
  add,
  and,
  argMax,
  clamp,
  concat,
  equal,
  expand,
  gatherElements,
  greater,
  greaterEqual,
  iota,
  maximum,
  mergeAxes,
  mul,
  relu,
  reshape,
  scalar,
  slice,
  softmax,
  splitAxis,
  squeeze,
  stopGradient,
  sub,
  unsqueeze,
  where,
} from '../../engine/ops/index.ts';
import { gatherRows } from '../gather-rows.ts';
import { pairwiseIntersection } from '../pairwise-intersection.ts';
import { areaOfXyxy, CELLS_PER_POSITION, type CellPredictions } from './encoder-head.ts';

/** Boxes that the decoder's queries may start from, N for every caption. No gradient flows through boxes and scores. */
export interface Candidates {
  /** (B, N, 4) in xyxy format, relative to the image without padding. */
  readonly boxesXyxy: Tensor;
  /** (B, N) in [0, 1]; negative for candidates that come last, such as those on padding. */
  readonly scores: Tensor;
}

/** Candidates that were selected, the best first. */
export interface SelectedCandidates {
  /** (B, K, 4) in cxcywh format, cut to the image, at least `MIN_BOX_SIZE` wide and high. */
  readonly boxesCxcywh: Tensor;
  /** (B, K), int64: which candidates these are. */
  readonly indices: Tensor;
}

/** Minimum width and height of a box that a query starts from, relative to the image. */
const MIN_BOX_SIZE = 0.02;
/** Key of a candidate on padding. */
const ON_PADDING = -4;
/** Key of a selected candidate; below all others, so that it is selected again only when there are fewer candidates than queries. */
const SELECTED = -8;
/** Subtracted from the key of a suppressed candidate, so that it comes after all others. */
const SUPPRESSION = 2;
/** Subtracted from the key of a selected candidate, which is then cut to `SELECTED`. */
const SELECTION = 100;

/**
 * All cells as candidates, scored by 1 − P(no object). N = h·w·4: objects whose centers share a position keep a candidate each.
 *
 * @param padding (B, h·w), true on padding
 */
export const candidatesOf = ({ tokenLogits, boxesXyxy }: CellPredictions, padding: Tensor): Candidates => {
  const [batch, positions] = padding.shape as [Dim, Dim];
  const classes = tokenLogits.shape[2] as number;
  const nothing = squeeze(slice(softmax(tokenLogits), 2, classes - 1, classes), 2);
  const scores = splitAxis(relu(sub(scalar(1), nothing)), 1, [positions, CELLS_PER_POSITION]); // (B, h·w, 4)
  const isPadding = reshape(padding, [batch, positions, 1]);
  return { boxesXyxy, scores: mergeAxes(where(isPadding, ON_PADDING, scores), 1, 2) };
};

/**
 * Indices (B, K), int64, of the best candidates, by greedy suppression: a candidate whose IoU with a better one is above
 * `maxIou` comes after all others. The loop is unrolled over K, since runtimes differ in loops and `NonMaxSuppression`; what
 * each selection does to the other candidates is therefore computed before it, in N² elements a caption.
 */
const selectIndices = (candidates: Candidates, count: number, maxIou: number): Tensor => {
  const [batch, places] = candidates.scores.shape as [Dim, Dim];
  const penalties = penaltiesOf(candidates, maxIou);
  const keys = unsqueeze(candidates.scores, 1); // (B, 1, N)
  const indices: Tensor[] = [];
  let penalty: Tensor | undefined;
  for (let rank = 0; rank < count; rank++) {
    const left = penalty === undefined ? keys : maximum(sub(keys, penalty), SELECTED);
    const index = argMax(left, 2, { keepDims: true }); // (B, 1, 1)
    const own = gatherElements(penalties, expand(index, [batch, 1, places]), 1);
    penalty = penalty === undefined ? own : maximum(penalty, own);
    indices.push(index);
  }
  return squeeze(concat(indices, 1), 2);
};

/** Amounts by which the key of every candidate (last axis) falls once another one is selected: (B, N, N). */
const penaltiesOf = ({ boxesXyxy, scores }: Candidates, maxIou: number): Tensor => {
  const [batch, places] = scores.shape as [Dim, Dim];
  const [row, column] = [unsqueeze(iota(places), 0), unsqueeze(iota(places), 1)];
  const isSame = equal(row, column);
  if (maxIou >= 1) return expand(where(isSame, SELECTION, scalar(0)), [batch, places, places]);
  // IoU > t exactly when the intersection is above t / (1 + t) of the sum of both areas.
  const fraction = maxIou / (1 + maxIou);
  const areas = areaOfXyxy(boxesXyxy);
  const bothAreas = add(unsqueeze(areas, 2), unsqueeze(areas, 1));
  const overlaps = greater(pairwiseIntersection(boxesXyxy), mul(bothAreas, fraction));
  const isSuppressed = and(overlaps, greaterEqual(unsqueeze(scores, 1), 0));
  return where(isSame, SELECTION, where(isSuppressed, SUPPRESSION, scalar(0)));
};

/** Boxes that queries start from, in cxcywh format, of boxes (B, K, 4) in xyxy format; at least `MIN_BOX_SIZE` wide and high. */
export const startBoxes = (boxesXyxy: Tensor): Tensor => {
  const [low, high] = [slice(boxesXyxy, 2, 0, 2), slice(boxesXyxy, 2, 2, 4)];
  return stopGradient(concat([mul(add(low, high), 0.5), maximum(sub(high, low), MIN_BOX_SIZE)], 2));
};

/** Selects the K best candidates, with greedy suppression above an IoU of `maxIou` (1 disables it). */
export const selectCandidates = (candidates: Candidates, count: number, maxIou: number): SelectedCandidates => {
  const indices = stopGradient(selectIndices(candidates, count, maxIou));
  return {
    boxesCxcywh: startBoxes(clamp(gatherRows(candidates.boxesXyxy, indices), 0, 1)),
    indices,
  };
};
