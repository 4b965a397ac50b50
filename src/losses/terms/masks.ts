import { symbolicDim, type Dim, type HostTensor, type Tensor } from '../../engine/graph/index.ts';
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
} from '../../engine/ops/index.ts';
import type { LossConfig } from '../config.ts';
import { binaryCrossEntropy } from '../cross-entropy.ts';
import type { LossTerms, MatchedLoss } from '../loss.ts';
import { boxesDim } from '../matched-pairs.ts';
import { requireField, type SampleMasks } from '../targets.ts';

/**
 * Segmentation is trained whenever the model has a mask head, as in the official code, unless both coefficients are 0.
 */
export const hasMaskLosses = (config: LossConfig): boolean =>
  config.mask_model !== 'none' && config.mask_loss_coef + config.dice_loss_coef > 0;

/**
 * Focal and dice losses of matched masks (DETR, section 4.4), for the last decoder layer only. In a training step they
 * are computed by a program of their own (`train/step/mask-program.ts`).
 */
export const masksLoss: MatchedLoss = {
  name: 'masks',
  isMatched: true,
  isOn: hasMaskLosses,
  inputs: {
    outputs: () => ['pred_masks'],
    targets: ({ samples }) => ({ target_masks: padMasks(requireField(samples, 'masks', 'mask_model')) }),
  },
  weight: (config) => ({ loss_mask: config.mask_loss_coef, loss_dice: config.dice_loss_coef }),
  trace: ({ output, target, pairs, numBoxes }) => {
    const targetMasks = target('target_masks', TARGET_MASKS_SHAPE, 'uint8');
    return maskTerms(output('pred_masks'), pairs.ofLastTargets(targetMasks), numBoxes);
  },
};

/** Shape of the input `target_masks`: (N, H, W). */
export const TARGET_MASKS_SHAPE = [boxesDim, symbolicDim('mask_height'), symbolicDim('mask_width')] as const;

/**
 * Focal and dice losses of pairs of masks, divided by the number of boxes. Predictions are resized to the targets; pixels
 * of the padding count as background, as in the official code.
 *
 * @param predMasks (M, h, w) logits
 * @param targetMasks (M, H, W) bytes of 0 and 1
 */
export const maskTerms = (predMasks: Tensor, targetMasks: Tensor, numBoxes: Tensor): LossTerms => {
  const [, height, width] = targetMasks.shape as [Dim, Dim, Dim];
  const logits = mergeAxes(resizeBilinear(predMasks, height, width), 1, 2);
  const targets = mergeAxes(cast(targetMasks, 'float32'), 1, 2);
  return {
    loss_mask: div(focalLoss(logits, targets), numBoxes),
    loss_dice: div(diceLoss(logits, targets), numBoxes),
  };
};

/** Weight of foreground pixels in the focal loss. */
const FOCAL_ALPHA = 0.25;

/**
 * Focal loss (arXiv:1708.02002) with α = ¼ and γ = 2: the mean over pixels, summed over masks, a scalar.
 *
 * @param logits (M, pixels); @param targets (M, pixels) 0 and 1
 */
export const focalLoss = (logits: Tensor, targets: Tensor): Tensor => {
  const probability = sigmoid(logits);
  const other = sub(scalar(1), targets);
  // 1 − p_t, written without the cancellation in 1 − (p·t + (1 − p)·(1 − t)).
  const miss = add(mul(sub(scalar(1), probability), targets), mul(probability, other));
  const alpha = add(mul(targets, FOCAL_ALPHA), mul(other, 1 - FOCAL_ALPHA));
  return sum(mean(mul(alpha, mul(binaryCrossEntropy(logits, targets), square(miss))), [1]));
};

/**
 * Dice loss, 1 − (2·|p ∩ t| + 1) / (|p| + |t| + 1), summed over masks, a scalar.
 *
 * @param logits (M, pixels); @param targets (M, pixels) 0 and 1
 */
export const diceLoss = (logits: Tensor, targets: Tensor): Tensor => {
  const probability = sigmoid(logits);
  const overlap = add(mul(sum(mul(probability, targets), [1]), 2), 1);
  const total = add(add(sum(probability, [1]), sum(targets, [1])), 1);
  return sum(sub(scalar(1), div(overlap, total)));
};

/** Concatenates masks, padded at the right and at the bottom to the largest: (N, H, W). */
const padMasks = (masks: readonly SampleMasks[]): HostTensor => {
  const height = Math.max(0, ...masks.map((mask) => mask.height));
  const width = Math.max(0, ...masks.map((mask) => mask.width));
  const counts = masks.map((mask) => mask.data.length / (mask.height * mask.width || 1));
  const boxes = counts.reduce((sum, count) => sum + count, 0);
  const data = new Uint8Array(boxes * height * width);
  let box = 0;
  masks.forEach((mask, sample) => {
    for (let n = 0; n < counts[sample]!; n++, box++) {
      for (let y = 0; y < mask.height; y++) {
        const from = (n * mask.height + y) * mask.width;
        data.set(mask.data.subarray(from, from + mask.width), (box * height + y) * width);
      }
    }
  });
  return { dtype: 'uint8', shape: [boxes, height, width], data };
};
