import {
  defineProgram,
  mulDims,
  symbolicDim,
  tensorType,
  type Dim,
  type HostTensor,
  type Tensor,
  type TensorType,
} from '../engine/graph/index.ts';
import type { ProgramResults } from '../engine/runtime/runtime.ts';
import {
  evidenceShapes,
  selectImages,
  type ImageEvidence,
  type MdetrNetwork,
  type Predictions,
} from '../models/index.ts';
import { reshape } from '../engine/ops/index.ts';

/** The three compiled programs of inference: `image` runs once per image, `text` and `masks` once per caption. */
export type InferencePrograms = ReturnType<typeof traceInference>;

/** Results of the `image` program. */
export type ImageResults = ProgramResults<InferencePrograms['image']>;

/** Results of the `text` program, or of the whole network, which predicts the masks of all queries at once. */
export type TextResults = ProgramResults<InferencePrograms['text']> & { readonly pred_masks?: HostTensor | undefined };

/** Feature maps for the segmentation head by name, coarse to fine. */
type Pyramid<Value> = { readonly [Level in 0 | 1 | 2 as `pyramid${Level}`]: Value | undefined };

const pyramidByName = <Value>([pyramid0, pyramid1, pyramid2]: readonly Value[]): Pyramid<Value> => ({
  pyramid0,
  pyramid1,
  pyramid2,
});

/** Evidence of a detecting backbone by name, all undefined without one. */
export type EvidenceByName<Value> = { readonly [Part in keyof ImageEvidence as `evidence_${Part}`]: Value | undefined };

/** Evidence by the names of the programs' outputs and inputs. */
export const evidenceByName = <Value>(
  evidence: { readonly [Part in keyof ImageEvidence]: Value } | undefined,
): EvidenceByName<Value> => ({
  evidence_boxes: evidence?.boxes,
  evidence_features: evidence?.features,
  evidence_absolute: evidence?.absolute,
  evidence_relative: evidence?.relative,
  evidence_positions: evidence?.positions,
});

const evidenceTypes = (model: MdetrNetwork, images: Dim, positions: Dim): EvidenceByName<TensorType> => {
  const shapes = evidenceShapes(model, images, positions);
  return evidenceByName(
    shapes && {
      boxes: tensorType(shapes.boxes),
      features: tensorType(shapes.features),
      absolute: tensorType(shapes.absolute),
      relative: tensorType(shapes.relative),
      positions: tensorType(shapes.positions),
    },
  );
};

const evidenceOf = (inputs: EvidenceByName<Tensor>): ImageEvidence | undefined => {
  const { evidence_boxes: boxes, evidence_features: features, evidence_absolute: absolute } = inputs;
  const { evidence_relative: relative, evidence_positions: positions } = inputs;
  return boxes && features && absolute && relative && positions && { boxes, features, absolute, relative, positions };
};

const isDefined = <Value>(value: Value | undefined): value is Value => value !== undefined;

/** Traces inference. One program serves every number and size of images and captions. */
export const traceInference = (model: MdetrNetwork) => ({
  image: defineImageProgram(model),
  text: defineTextProgram(model),
  masks: defineMaskProgram(model),
});

const defineImageProgram = (model: MdetrNetwork) => {
  const [images, height, width] = ['images', 'height', 'width'].map(symbolicDim) as [Dim, Dim, Dim];
  return defineProgram({
    name: 'image',
    inputs: {
      image: tensorType([images, 3, height, width]),
      padding: tensorType([images, height, width], 'bool'), // true on padding
    },
    trace: ({ image, padding }) => {
      const features = model.encodeImage(image, padding);
      return {
        src: features.src, // (images, D, h, w)
        feature_padding: features.padding, // (images, h, w)
        ...pyramidByName(features.pyramid),
        ...evidenceByName(features.evidence),
      };
    },
  });
};

const defineTextProgram = (model: MdetrNetwork) => {
  const [images, height, width] = ['images', 'h', 'w'].map(symbolicDim) as [Dim, Dim, Dim];
  const [batch, length] = ['batch', 'tokens'].map(symbolicDim) as [Dim, Dim];
  return defineProgram({
    name: 'text',
    inputs: {
      src: tensorType([images, model.config.hidden_dim, height, width]),
      feature_padding: tensorType([images, height, width], 'bool'),
      image_index: tensorType([batch], 'int32'), // index of every caption's image
      input_ids: tensorType([batch, length], 'int32'),
      attention_mask: tensorType([batch, length], 'int32'),
      ...evidenceTypes(model, images, mulDims(height, width)),
    },
    trace: (inputs) => {
      const features = { src: inputs.src, padding: inputs.feature_padding, pyramid: [], evidence: evidenceOf(inputs) };
      const captions = { inputIds: inputs.input_ids, attentionMask: inputs.attention_mask };
      const { predictions, hs, encoded } = model.forward(selectImages(features, inputs.image_index), captions);
      const hasMasks = model.segmentation !== undefined;
      return {
        ...withoutLayerAxis(predictions),
        hs: hasMasks ? hs.at(-1) : undefined, // (B, Q, D)
        image_memory: hasMasks ? encoded.imageMemory : undefined, // (B, h·w, D)
      };
    },
  });
};

/** Predictions of the last decoder layer alone have a layer axis of size 1, which callers do not want. */
export const withoutLayerAxis = (predictions: Predictions): Predictions => {
  const squeezed = (tensor: Tensor): Tensor => reshape(tensor, tensor.shape.slice(1));
  const { pred_logits, pred_boxes, pred_isfinal, proj_queries } = predictions;
  return {
    ...predictions,
    pred_logits: squeezed(pred_logits),
    pred_boxes: squeezed(pred_boxes),
    pred_isfinal: pred_isfinal && squeezed(pred_isfinal),
    proj_queries: proj_queries && squeezed(proj_queries),
  };
};

/** Mask logits of chosen queries, (N, h″, w″); undefined for models without a segmentation head. */
const defineMaskProgram = (model: MdetrNetwork) => {
  const { segmentation, config } = model;
  if (segmentation === undefined) return undefined;
  const [batch, queries, height, width] = ['batch', 'queries', 'h', 'w'].map(symbolicDim) as [Dim, Dim, Dim, Dim];
  const { hidden_dim: features } = config;
  const pyramid = model.pyramidChannels.map((channels, level): TensorType =>
    tensorType([batch, channels, symbolicDim(`h${level}`), symbolicDim(`w${level}`)]),
  );
  return defineProgram({
    name: 'masks',
    inputs: {
      mask_hs: tensorType([queries, features]), // the chosen queries of `hs`
      mask_samples: tensorType([queries], 'int32'), // index of every query's caption
      image_memory: tensorType([batch, mulDims(height, width), features]),
      src: tensorType([batch, features, height, width]),
      feature_padding: tensorType([batch, height, width], 'bool'),
      ...pyramidByName(pyramid),
    },
    trace: (inputs) => ({
      pred_masks: segmentation.forward(inputs.mask_hs, inputs.mask_samples, {
        imageMemory: inputs.image_memory,
        src: inputs.src,
        padding: inputs.feature_padding,
        pyramid: [inputs.pyramid0, inputs.pyramid1, inputs.pyramid2].filter(isDefined),
      }),
    }),
  });
};
