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

/** Cross entropy of logits (B, C) and labels (B) → (B). It is 0 where the label is negative. */
export const crossEntropy = (logits: Tensor, labels: Tensor): Tensor => {
  const ignored = less(labels, 0);
  const index = cast(where(ignored, 0, labels), 'int64');
  const picked = squeeze(gatherElements(logSoftmax(logits), unsqueeze(index, 1), 1), 1);
  return where(ignored, 0, neg(picked));
};

/** Binary cross entropy of logits and targets in [0, 1], element by element, computed without overflow. */
export const binaryCrossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  sub(softplus(logits), mul(logits, targets));
