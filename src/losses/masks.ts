import type { Dim, Tensor } from '../engine/graph/index.ts';
import {
  add,
  cast,
  div,
  mean,
  mergeAxes,
  mul,
  resizeBilinear,
  scalar,
  sigmoid,
  square,
  sub,
  sum,
} from '../engine/ops/index.ts';
import { binaryCrossEntropy } from './cross-entropy.ts';
import type { MatchedPairs } from './matched-pairs.ts';
import type { LossTerms } from './terms.ts';

const focalAlpha = 0.25;

/**
 * Focal loss (arXiv:1708.02002) with α = ¼, γ = 2: logits and targets (M, pixels), the mean over pixels, summed over
 * masks → a number.
 */
export const focalLoss = (logits: Tensor, targets: Tensor): Tensor => {
  const probability = sigmoid(logits);
  const other = sub(scalar(1), targets);
  // 1 − p of the right side, written without the cancellation in 1 − (p·t + (1 − p)·(1 − t)).
  const miss = add(mul(sub(scalar(1), probability), targets), mul(probability, other));
  const alpha = add(mul(targets, focalAlpha), mul(other, 1 - focalAlpha));
  return sum(mean(mul(alpha, mul(binaryCrossEntropy(logits, targets), square(miss))), [1]));
};

/** 1 − (2·|p ∩ t| + 1) / (|p| + |t| + 1), summed over masks: logits and targets (M, pixels) → a number. */
export const diceLoss = (logits: Tensor, targets: Tensor): Tensor => {
  const probability = sigmoid(logits);
  const overlap = add(mul(sum(mul(probability, targets), [1]), 2), 1);
  const total = add(add(sum(probability, [1]), sum(targets, [1])), 1);
  return sum(sub(scalar(1), div(overlap, total)));
};

/**
 * Focal and dice losses of matched masks, brought to the targets' size, divided by the number
 * of boxes. Pixels of the padding count as background, as in the official code.
 *
 * @param predMasks (M, h, w) logits of the last decoder layer's matched queries
 * @param targetMasks (N, H, W) bytes of 0 and 1
 */
export const masksLoss = (predMasks: Tensor, targetMasks: Tensor, pairs: MatchedPairs, numBoxes: Tensor): LossTerms => {
  const [, height, width] = targetMasks.shape as [Dim, Dim, Dim];
  const logits = mergeAxes(resizeBilinear(predMasks, height, width), 1, 2);
  const targets = mergeAxes(cast(pairs.ofLastTargets(targetMasks), 'float32'), 1, 2);
  return {
    loss_mask: div(focalLoss(logits, targets), numBoxes),
    loss_dice: div(diceLoss(logits, targets), numBoxes),
  };
};
