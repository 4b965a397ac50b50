import { maskTerms, TARGET_MASKS_SHAPE } from '../../losses/index.ts';
import { input, makeProgram, mulDims, symbolicDim, type Program, type Tensor } from '../../engine/graph/index.ts';
import type { Mdetr } from '../../models/index.ts';
import { add, gather, mergeAxes, mul, scalar, sparseGradients } from '../../engine/ops/index.ts';
import { cotangentName } from './names.ts';

/** Forward and backward pass of the segmentation head, with its losses. */
export interface MaskProgram {
  /**
   * Inputs: hs_last, image_memory, src, feature_padding, pyramid0 …, mask_queries, mask_samples, mask_images and mask_targets (M),
   * target_masks (N, H, W), num_boxes, and the head's parameters.
   * Outputs: loss_mask, loss_dice, cotangents of the float inputs, and gradients of the trained parameters.
   */
  readonly program: Program;
  /** Outputs of the forward program whose cotangents this program computes. */
  readonly differentiable: readonly string[];
  /** Parameters that get a gradient. */
  readonly trained: readonly string[];
  /** Weight of each mask loss in the total, by name. */
  readonly weights: Readonly<Record<string, number>>;
}

/**
 * Traces the mask losses and their gradients, or returns undefined for a model without a segmentation head. Masks are
 * predicted for matched queries only, a handful of the hundred for which the official code predicts them.
 *
 * @param weights weight of each mask loss in the total, by name
 */
export const traceMaskProgram = (
  model: Mdetr,
  weights: Readonly<Record<string, number>>,
  isTrainable: (name: string) => boolean,
): MaskProgram | undefined => {
  if (model.segmentation === undefined) return undefined;
  const { pyramidChannels } = model;
  const { hidden_dim: features, num_queries: queries } = model.config;
  const [batch, images, height, width, pairs] = ['batch', 'images', 'h', 'w', 'pairs'].map(symbolicDim);
  const floats: Record<string, Tensor> = {
    hs_last: input('hs_last', [batch!, queries, features]),
    image_memory: input('image_memory', [batch!, mulDims(height!, width!), features]),
    src: input('src', [images!, features, height!, width!]),
    ...Object.fromEntries(
      pyramidChannels.map((channels, level) => [
        `pyramid${level}`,
        input(`pyramid${level}`, [images!, channels, symbolicDim(`h${level}`), symbolicDim(`w${level}`)]),
      ]),
    ),
  };
  const index = (name: string): Tensor => input(name, [pairs!], 'int32');
  const logits = model.segmentation.forward(
    gather(mergeAxes(floats['hs_last']!, 0, 1), index('mask_queries')),
    index('mask_samples'),
    {
      imageMemory: floats['image_memory']!,
      src: floats['src']!,
      padding: input('feature_padding', [batch!, height!, width!], 'bool'),
      pyramid: pyramidChannels.map((_, level) => floats[`pyramid${level}`]!),
    },
    index('mask_images'),
  );
  const targets = gather(input('target_masks', TARGET_MASKS_SHAPE, 'uint8'), index('mask_targets'));
  const terms = Object.entries(maskTerms(logits, targets, input('num_boxes', [])));
  const total = terms.map(([name, value]) => mul(value, weights[name]!)).reduce(add);

  const parameters = model.registry.specs.filter(({ kind, name }) => kind === 'parameter' && isTrainable(name));
  const wanted = [...Object.entries(floats), ...parameters.map(({ name, tensor }): [string, Tensor] => [name, tensor])];
  const gradients = sparseGradients(
    [{ tensor: total, cotangent: scalar(1) }],
    wanted.map(([, tensor]) => tensor),
  );
  const found = wanted.flatMap(([name], position) =>
    gradients[position] === undefined ? [] : [[cotangentName(name), gradients[position]] as const],
  );
  const names = new Set(found.map(([name]) => name));
  return {
    program: makeProgram('masks-loss', Object.fromEntries([...terms, ...found])),
    weights,
    differentiable: Object.keys(floats),
    trained: parameters.map(({ name }) => name).filter((name) => names.has(cotangentName(name))),
  };
};
