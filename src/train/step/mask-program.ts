import { maskTerms, TARGET_MASKS_SHAPE } from '../../losses/index.ts';
import {
  definedTensors,
  defineProgram,
  mulDims,
  symbolicDim,
  tensorType,
  type Dim,
  type Tensor,
} from '../../engine/graph/index.ts';
import type { MdetrNetwork, Segmentation } from '../../models/index.ts';
import type { ParameterSpec } from '../../nn/index.ts';
import { add, gather, mergeAxes, mul, scalar, sparseGradients } from '../../engine/ops/index.ts';
import { cotangentName } from './names.ts';

type TypedMaskProgram = ReturnType<typeof defineMaskProgram>;

/** Outputs of the mask program: the losses, and `d_<name>` for its float inputs and the trained parameters. */
type MaskProgramOutputs = {
  readonly [loss: `loss_${string}`]: Tensor;
  readonly [gradient: `d_${string}`]: Tensor | undefined;
};

/** Forward and backward pass of the segmentation head, with its losses. */
export interface MaskProgram {
  /** Computes the mask losses, the cotangents of the float inputs, and the gradients of the trained parameters. */
  readonly program: TypedMaskProgram;
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
  model: MdetrNetwork,
  weights: Readonly<Record<string, number>>,
  isTrainable: (name: string) => boolean,
): MaskProgram | undefined => {
  if (model.segmentation === undefined) return undefined;
  const parameters = model.registry.specs.filter(({ kind, name }) => kind === 'parameter' && isTrainable(name));
  const program = defineMaskProgram(model, model.segmentation, weights, parameters);
  const hasCotangent = (name: string): boolean => cotangentName(name) in program.outputs;
  return {
    program,
    weights,
    differentiable: program.inputs.map(({ name }) => name).filter(hasCotangent),
    trained: parameters.map(({ name }) => name).filter(hasCotangent),
  };
};

/** M matched queries of B captions; N boxes of the batch. */
const defineMaskProgram = (
  model: MdetrNetwork,
  segmentation: Segmentation,
  weights: Readonly<Record<string, number>>,
  parameters: readonly ParameterSpec[],
) => {
  const { hidden_dim: features, num_queries: queries } = model.config;
  const sizes = ['batch', 'images', 'h', 'w', 'pairs'].map(symbolicDim);
  const [batch, images, height, width, pairs] = sizes as [Dim, Dim, Dim, Dim, Dim];
  const [pyramid0, pyramid1, pyramid2] = model.pyramidChannels.map((channels, level) =>
    tensorType([images, channels, symbolicDim(`h${level}`), symbolicDim(`w${level}`)]),
  );
  const index = tensorType([pairs], 'int32');
  return defineProgram({
    name: 'masks-loss',
    inputs: {
      hs: tensorType([batch, queries, features]),
      image_memory: tensorType([batch, mulDims(height, width), features]),
      src: tensorType([images, features, height, width]),
      pyramid0,
      pyramid1,
      pyramid2,
      feature_padding: tensorType([batch, height, width], 'bool'),
      mask_queries: index, // into B·Q
      mask_samples: index, // into B
      mask_images: index, // into the images
      mask_targets: index, // into N
      target_masks: tensorType(TARGET_MASKS_SHAPE, 'uint8'),
      num_boxes: tensorType([]),
    },
    trace: (inputs): MaskProgramOutputs => {
      const pyramid = [inputs.pyramid0, inputs.pyramid1, inputs.pyramid2].filter((map) => map !== undefined);
      const logits = segmentation.forward(
        gather(mergeAxes(inputs.hs, 0, 1), inputs.mask_queries),
        inputs.mask_samples,
        { imageMemory: inputs.image_memory, src: inputs.src, padding: inputs.feature_padding, pyramid },
        inputs.mask_images,
      );
      const targets = gather(inputs.target_masks, inputs.mask_targets);
      const terms = Object.entries(maskTerms(logits, targets, inputs.num_boxes));
      const total = terms.map(([name, value]) => mul(value, weights[name]!)).reduce(add);

      const { hs, image_memory, src } = inputs;
      const floats = definedTensors({
        hs,
        image_memory,
        src,
        pyramid0: inputs.pyramid0,
        pyramid1: inputs.pyramid1,
        pyramid2: inputs.pyramid2,
      });
      const wanted = [
        ...Object.entries(floats),
        ...parameters.map(({ name, tensor }): [string, Tensor] => [name, tensor]),
      ];
      const found = sparseGradients(
        [{ tensor: total, cotangent: scalar(1) }],
        wanted.map(([, tensor]) => tensor),
      );
      const gradients = wanted.map(([name], position) => [cotangentName(name), found[position]]);
      return Object.fromEntries([...terms, ...gradients]) as MaskProgramOutputs;
    },
  });
};
