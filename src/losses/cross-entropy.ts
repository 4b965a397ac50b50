import type { Tensor } from '../engine/graph/index.ts';
import {
  cast,
  gatherElements,
  less,
  logSoftmax,
  mul,
  neg,
  softplus,
  squeeze,
  sub,
  unsqueeze,
  where,
} from '../engine/ops/index.ts';

/** −log softmax(logits)[label] of every row, 0 where the label is below 0: logits (B, C), labels (B) → (B). */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor => {
  const ignored = less(labels, 0);
  const index = cast(where(ignored, 0, labels), 'int64');
  const picked = squeeze(gatherElements(logSoftmax(logits), unsqueeze(index, 1), 1), 1);
  return where(ignored, 0, neg(picked));
};

/** −t·log σ(x) − (1 − t)·log(1 − σ(x)), without overflow. */
export const binaryCrossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  sub(softplus(logits), mul(logits, targets));
