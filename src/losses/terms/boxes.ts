import type { Tensor } from '../../engine/graph/index.ts';
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
} from '../../engine/ops/index.ts';
import type { MatchedLoss } from '../loss.ts';
import { boxesDim } from '../matched-pairs.ts';

/** L1 and GIoU losses of matched boxes, summed and divided by the number of boxes. */
export const boxesLoss: MatchedLoss = {
  name: 'boxes',
  isMatched: true,
  isOn: () => true,
  inputs: { outputs: () => ['pred_boxes'] },
  weight: (config) => ({ loss_bbox: config.bbox_loss_coef, loss_giou: config.giou_loss_coef }),
  trace: ({ output, target, pairs, numBoxes }) => {
    const predicted = pairs.ofQueries(output('pred_boxes')); // (L, B, Q, 4) → (L, M, 4)
    const targets = pairs.ofTargets(target('target_boxes', [boxesDim, 4])); // (N, 4) → (L, M, 4)
    return {
      loss_bbox: div(sum(abs(sub(predicted, targets)), [1, 2]), numBoxes),
      loss_giou: div(sum(sub(scalar(1), giouCxcywh(predicted, targets)), [1]), numBoxes),
    };
  },
};

/** Corners of boxes, both (…, 2). */
interface Corners {
  /** Left and top. */
  readonly low: Tensor;
  /** Right and bottom. */
  readonly high: Tensor;
}

/** Corners of `boxes` (…, 4) in cxcywh format. */
export const cornersOf = (boxes: Tensor): Corners => {
  const center = slice(boxes, -1, 0, 2);
  const half = mul(slice(boxes, -1, 2, 4), 0.5);
  return { low: sub(center, half), high: add(center, half) };
};

/** Area of `extent` (…, 2), width and height → (…). */
const areaOf = (extent: Tensor): Tensor => squeeze(mul(slice(extent, -1, 0, 1), slice(extent, -1, 1, 2)), -1);

/** Clamp at 0. Unlike ReLU it passes the gradient at 0, as `torch.clamp` does. */
const clampAtZero = (extent: Tensor): Tensor => where(less(extent, 0), 0, extent);

/** Areas of the intersection and of the union of boxes → (…). */
const overlapOf = (p: Corners, q: Corners): { readonly intersection: Tensor; readonly union: Tensor } => {
  const intersection = areaOf(clampAtZero(sub(minimum(p.high, q.high), maximum(p.low, q.low))));
  return { intersection, union: sub(add(areaOf(sub(p.high, p.low)), areaOf(sub(q.high, q.low))), intersection) };
};

/** IoU of boxes (…, 4) in cxcywh format, whose shapes broadcast → (…); not a number for two boxes without an area. */
export const iouCxcywh = (a: Tensor, b: Tensor): Tensor => {
  const { intersection, union } = overlapOf(cornersOf(a), cornersOf(b));
  return div(intersection, union);
};

/**
 * Generalized IoU (arXiv:1902.09630) of pairs of boxes, as a graph. Both inputs are (…, 4) in cxcywh format; returns (…),
 * values in (-1, 1]. There is no epsilon, as in the official code.
 */
export const giouCxcywh = (a: Tensor, b: Tensor): Tensor => {
  const [p, q] = [cornersOf(a), cornersOf(b)];
  const { intersection, union } = overlapOf(p, q);
  const enclosing = areaOf(clampAtZero(sub(maximum(p.high, q.high), minimum(p.low, q.low))));
  return sub(div(intersection, union), div(sub(enclosing, union), enclosing));
};
