import type { Tensor } from '../../engine/graph/index.ts';
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
} from '../../engine/ops/index.ts';
import type { UnmatchedLoss } from '../loss.ts';

/** Image-text contrastive loss: every image is matched with its own caption among all captions of the batch, and back. */
export const imageTextContrastiveLoss: UnmatchedLoss = {
  name: 'contrastive',
  isMatched: false,
  isOn: (config) => config.contrastive_loss,
  inputs: { outputs: () => ['contrastive_image', 'contrastive_text'] },
  weight: (config) => ({ contrastive_loss: config.contrastive_loss_coef }),
  trace: ({ config, output }) => ({
    contrastive_loss: imageTextContrast(
      output('contrastive_image'),
      output('contrastive_text'),
      config.temperature_NCE,
    ),
  }),
};

/**
 * Symmetric InfoNCE: the mean of the cross entropies from images to captions and from captions to images, a scalar.
 *
 * @param image (B, 64) and text (B, 64), vectors of unit length
 */
export const imageTextContrast = (image: Tensor, text: Tensor, temperature: number): Tensor => {
  const batch = image.shape[0]!;
  const logits = div(matmul(image, swapLastTwo(text)), temperature); // (B images, B texts)
  const own = cast(equal(reshape(iota(batch), [batch, 1]), iota(batch)), 'float32');
  const both = add(logSoftmax(logits, 1), logSoftmax(logits, 0));
  return neg(mul(mean(sum(mul(both, own), [1])), 0.5));
};
