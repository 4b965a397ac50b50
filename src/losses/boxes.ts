import type { Tensor } from '../engine/graph/index.ts';
import {
  abs,
  add,
  div,
  less,
  maximum,
  minimum,
  mul,
  scalar,
  slice,
  squeeze,
  sub,
  sum,
  where,
} from '../engine/ops/index.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { LossTerms } from './terms.ts';

/** The corners of boxes: (…, 2) left and top, (…, 2) right and bottom. */
interface Corners {
  readonly low: Tensor;
  readonly high: Tensor;
}

/** boxes (…, 4) centre x, centre y, width, height. */
const cornersOf = (boxes: Tensor): Corners => {
  const center = slice(boxes, -1, 0, 2);
  const half = mul(slice(boxes, -1, 2, 4), 0.5);
  return { low: sub(center, half), high: add(center, half) };
};

/** Width times height: (…, 2) → (…). */
const areaOf = (sizes: Tensor): Tensor => squeeze(mul(slice(sizes, -1, 0, 1), slice(sizes, -1, 1, 2)), -1);

/** Sizes of what may not overlap; torch's clamp lets the gradient pass at 0. */
const positivePart = (sizes: Tensor): Tensor => where(less(sizes, 0), 0, sizes);

/**
 * Generalised intersection over union (arXiv:1902.09630) of boxes in pairs, both (…, 4) centre x, centre y, width,
 * height → (…). No epsilon, as in the official code.
 */
export const giouCxcywh = (a: Tensor, b: Tensor): Tensor => {
  const [p, q] = [cornersOf(a), cornersOf(b)];
  const intersection = areaOf(positivePart(sub(minimum(p.high, q.high), maximum(p.low, q.low))));
  const union = sub(add(areaOf(sub(p.high, p.low)), areaOf(sub(q.high, q.low))), intersection);
  const enclosing = areaOf(positivePart(sub(maximum(p.high, q.high), minimum(p.low, q.low))));
  return sub(div(intersection, union), div(sub(enclosing, union), enclosing));
};

/**
 * L1 and GIoU losses of matched boxes, divided by the number of boxes.
 *
 * @param predBoxes (L, B, Q, 4) and targetBoxes (N, 4), centre x, centre y, width, height
 */
export const boxesLoss = (predBoxes: Tensor, targetBoxes: Tensor, pairs: MatchedPairs, numBoxes: Tensor): LossTerms => {
  const predicted = pairs.ofQueries(predBoxes);
  const target = pairs.ofTargets(targetBoxes);
  return {
    loss_bbox: div(sum(abs(sub(predicted, target)), [1, 2]), numBoxes),
    loss_giou: div(sum(sub(scalar(1), giouCxcywh(predicted, target)), [1]), numBoxes),
  };
};
