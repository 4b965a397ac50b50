import {
  definedTensors,
  divideProgram,
  input,
  isFloat,
  partition,
  sizeOf,
  symbolicDim,
  type Dim,
  type Program,
  type Tensor,
} from '../../engine/graph/index.ts';
import {
  precomputedShapes,
  selectImages,
  type ImageFeatures,
  type MdetrNetwork,
  type PrecomputedName,
} from '../../models/index.ts';
import { noDropout } from '../../nn/index.ts';
import { scatteredRows, softmax, sparseGradients } from '../../engine/ops/index.ts';
import { seededDropout } from './dropout.ts';
import type { AuxiliaryHeads } from '../auxiliary/auxiliary-heads.ts';
import type { AuxiliaryTerm } from '../auxiliary/auxiliary-loss.ts';
import { cotangentName, rowIndicesName, valueName } from './names.ts';

/** Programs of a training step. */
export interface StepPrograms {
  /**
   * Inputs: image, padding, image_index, input_ids, attention_mask, dropout_seed with dropout, and the parameters.
   * Outputs: those of the network, `pred_probabilities` (the softmax of `pred_logits`) with matching, and residuals.
   */
  readonly forward: Program;
  /**
   * Inputs: those of `forward`, residuals, and `d_<name>` for every output in `differentiable`.
   * Outputs: `d_<name>` for every parameter in `trained`. Those of `tables` are rows (N, D), and `rows_<name>` (N) are their
   * indices, which may repeat.
   */
  readonly backward: Program;
  /** Outputs of the forward program that are saved for the backward pass. */
  readonly residuals: readonly string[];
  /** Outputs of the forward program that have a cotangent. */
  readonly differentiable: readonly string[];
  /** Trainable parameters that a loss reaches. */
  readonly trained: readonly string[];
  /** Trained tables with a gradient for a batch's rows only. */
  readonly tables: readonly string[];
  /** Auxiliary losses, with their weights in the total. */
  readonly auxiliary: readonly AuxiliaryOutputs[];
}

/** An auxiliary loss as outputs of the forward program. */
export interface AuxiliaryOutputs {
  readonly name: string;
  readonly weight: number;
  /** Names of the sum and the count of each of its means, both scalars. The sums have cotangents. */
  readonly means: readonly { readonly sum: string; readonly count: string }[];
}

/** Options of tracing the programs of a step. */
export interface TraceOptions {
  /** Parameters to differentiate with respect to. */
  readonly isTrainable: (name: string) => boolean;
  /** Whether dropout is on; without it the network computes as at inference. */
  readonly dropout: boolean;
  /** Whether queries are matched with boxes: matching reads a further output, `pred_probabilities`. */
  readonly hasMatching?: boolean | undefined;
  /** Whether a loss reads an output; gradients flow from these outputs only. All by default. */
  readonly usesOutput?: (name: string) => boolean;
  /** The inputs are what a frozen backbone sees, `feature_*`, instead of images. */
  readonly isPrecomputed?: boolean | undefined;
  /** Heads that exist only in training. */
  readonly auxiliary?: AuxiliaryHeads;
  /** Elements of a table from which its gradient is that of the rows that a batch reads; by default it is dense. */
  readonly minTableElements?: number | undefined;
}

/** Traces the network with all heads and decoder layers, differentiates it, and splits it at the outputs. */
export const traceStep = (model: MdetrNetwork, options: TraceOptions): StepPrograms => {
  const { outputs, auxiliary } = traceOutputs(
    model,
    options.dropout,
    options.isPrecomputed ?? false,
    options.auxiliary,
  );
  const uses = options.usesOutput ?? (() => true);
  const cotangents = Object.entries(outputs)
    .filter(([name, tensor]) => isFloat(tensor.dtype) && uses(name))
    .map(([name, tensor]) => ({ name, tensor, cotangent: input(cotangentName(name), tensor.shape) }));
  const specs = [...model.registry.specs, ...(options.auxiliary?.registry.specs ?? [])];
  const wanted = specs.filter(({ kind, name }) => kind === 'parameter' && options.isTrainable(name));
  const means = auxiliary.flatMap((term) =>
    term.means.map((mean, index) => ({ ...mean, names: meanNames(term.name, index) })),
  );
  const sums = means.map(({ names, sum }) => ({ name: names.sum, tensor: sum }));
  const found = sparseGradients(
    [...cotangents, ...sums.map(({ name, tensor }) => ({ tensor, cotangent: input(cotangentName(name), []) }))],
    wanted.map(({ tensor }) => tensor),
  );
  // A gradient is named after its parameter, with a prefix: the parameter itself is an input of the same program.
  const gradients: Record<string, Tensor> = {};
  const rowIndices: Record<string, Tensor> = {};
  wanted.forEach(({ name }, index) => {
    const gradient = found[index];
    if (gradient === undefined) return;
    const isLarge = (sizeOf(gradient.shape) as number) >= (options.minTableElements ?? Infinity);
    const scattered = isLarge ? scatteredRows(gradient) : undefined;
    gradients[cotangentName(name)] = scattered?.rows ?? gradient;
    if (scattered !== undefined) rowIndices[name] = scattered.indices;
  });
  const indexOutputs = Object.fromEntries(
    Object.entries(rowIndices).map(([name, indices]) => [rowIndicesName(name), indices]),
  );
  const auxiliaryLosses = Object.fromEntries(
    means.flatMap(({ names, sum, count }) => [
      [names.sum, sum],
      [names.count, count],
    ]),
  );
  // Computed here rather than on the host, which takes longer. Assignments have no gradient.
  const matched: Readonly<Record<string, Tensor>> =
    options.hasMatching === true ? { pred_probabilities: softmax(outputs['pred_logits']!) } : {};
  const cut = partition('train', { ...outputs, ...matched, ...auxiliaryLosses }, { ...gradients, ...indexOutputs });
  return {
    ...cut,
    differentiable: cotangents.map(({ name }) => name),
    trained: Object.keys(gradients).map(valueName),
    tables: Object.keys(rowIndices),
    auxiliary: auxiliary.map(({ name, weight, means: { length } }) => ({
      name,
      weight,
      means: Array.from({ length }, (_, index) => meanNames(name, index)),
    })),
  };
};

const meanNames = (name: string, index: number): { readonly sum: string; readonly count: string } => ({
  sum: `${name}_sum${index}`,
  count: `${name}_count${index}`,
});

/** Elements of gradients from which the backward program is divided. Below, buffers of each piece take more than is released. */
const MIN_DIVIDED_ELEMENTS = 2 ** 25;

/**
 * Divides a large backward program into pieces, after each of which the residuals that it has read are released: transformer
 * and heads, then the backbone, whose residuals are the largest, then the text encoder, whose gradients are the largest and
 * take their memory. Every piece names its gradients in the order in which the backward pass computes them.
 */
export const backwardPieces = (
  { backward, trained }: StepPrograms,
  minElements = MIN_DIVIDED_ELEMENTS,
): readonly Program[] => {
  if (trained.length === 0) return [];
  const nodeOf = (name: string): number => backward.outputs[name]!.node.id;
  const names = Object.keys(backward.outputs).sort((a, b) => nodeOf(a) - nodeOf(b));
  const elements = names.reduce((sum, name) => {
    const size = sizeOf(backward.outputs[name]!.shape);
    return typeof size === 'number' ? sum + size : sum; // the rows of a table are few
  }, 0);
  const groups = ['rest', 'backbone', 'text_encoder'].map((part) => names.filter((name) => partOf(name) === part));
  const filled = groups.filter(({ length }) => length > 0);
  return filled.length === 1 || elements < minElements
    ? [{ ...backward, outputs: ordered(backward.outputs, names) }]
    : divideProgram(backward, filled);
};

/** Part of the network that a parameter belongs to. The text encoder is part of the transformer by its name. */
const partOf = (name: string): string =>
  ['backbone', 'text_encoder'].find((part) => name.includes(`${part}.`)) ?? 'rest';

const ordered = <T>(values: Readonly<Record<string, T>>, names: readonly string[]): Readonly<Record<string, T>> =>
  Object.fromEntries(names.map((name) => [name, values[name]!]));

const traceOutputs = (
  model: MdetrNetwork,
  hasDropout: boolean,
  isPrecomputed: boolean,
  heads: AuxiliaryHeads | undefined,
): { outputs: Readonly<Record<string, Tensor>>; auxiliary: readonly AuxiliaryTerm[] } => {
  const [imageCount, height, width, batch, length] = ['images', 'height', 'width', 'batch', 'tokens'].map(symbolicDim);
  const dropout = hasDropout ? seededDropout(input('dropout_seed', [], 'uint32')) : noDropout;
  const padding = input('padding', [imageCount!, height!, width!], 'bool');
  const images = isPrecomputed
    ? encodePrecomputed(model, imageCount!, [height!, width!], padding)
    : model.encodeImage(input('image', [imageCount!, 3, height!, width!]), padding);
  const imageIndex = input('image_index', [batch!], 'int32');
  const features = selectImages(images, imageIndex);
  const captions = {
    inputIds: input('input_ids', [batch!, length!], 'int32'),
    attentionMask: input('attention_mask', [batch!, length!], 'int32'),
  };
  const layers = model.config.aux_loss ? 'all' : 'last';
  const { predictions, contrast, encoded, hs, answerLayers, cells } = model.forward(features, captions, {
    dropout,
    layers,
  });
  const hasMasks = model.segmentation !== undefined;
  const outputs = definedTensors({
    ...predictions,
    contrastive_image: contrast?.image,
    contrastive_text: contrast?.text,
    // The mask program reads these: it computes masks for matched queries only.
    hs: hasMasks ? hs.at(-1) : undefined,
    image_memory: hasMasks ? encoded.imageMemory : undefined,
    src: hasMasks ? images.src : undefined,
    feature_padding: hasMasks ? features.padding : undefined,
    ...Object.fromEntries(images.pyramid.map((map, level) => [`pyramid${level}`, map])),
  });
  const auxiliary =
    heads?.terms({
      image: images,
      memory: { cache: encoded, padding: features.padding, imageIndex, cells },
      answers: { layers: answerLayers, cache: encoded },
    }) ?? [];
  return { outputs, auxiliary };
};

/** Image features from inputs that hold what the backbone saw. */
const encodePrecomputed = (
  model: MdetrNetwork,
  images: Dim,
  size: readonly [Dim, Dim],
  padding: Tensor,
): ImageFeatures => {
  const shapes = precomputedShapes(model, images, size);
  const given = (name: PrecomputedName): Tensor => input(`feature_${name}`, shapes[name]);
  const detected = {
    maps: [given('map')],
    colors: given('colors'),
    proposals: {
      scores: given('proposal_scores'),
      boxes: given('proposal_boxes'),
      features: given('proposal_features'),
    },
  };
  return model.encodeMaps(detected.maps, padding, detected);
};
