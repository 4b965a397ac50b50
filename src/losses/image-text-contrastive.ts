import type { Tensor } from '../engine/graph/index.ts';
import {
  add,
  cast,
  div,
  equal,
  iota,
  logSoftmax,
  matmul,
  mean,
  mul,
  neg,
  reshape,
  sum,
  swapLastTwo,
} from '../engine/ops/index.ts';
import type { LossTerms } from './terms.ts';

/**
 * Each image of the batch shall find its caption among all of the batch's, and each caption its image: the mean of both
 * cross entropies.
 *
 * @param image (B, 64) and text (B, 64), vectors of length 1
 */
export const imageTextContrastiveLoss = (image: Tensor, text: Tensor, temperature: number): LossTerms => {
  const batch = image.shape[0]!;
  const logits = div(matmul(image, swapLastTwo(text)), temperature); // (B images, B texts)
  const own = cast(equal(reshape(iota(batch), [batch, 1]), iota(batch)), 'float32');
  const both = add(logSoftmax(logits, 1), logSoftmax(logits, 0));
  return { contrastive_loss: neg(mul(mean(sum(mul(both, own), [1])), 0.5)) };
};
