import { defineProgram, symbolicDim, tensorType, type Dim, type Tensor } from '../engine/graph/index.ts';
import { cast, equal, expand, iota, mergeAxes, reshape, unsqueeze } from '../engine/ops/index.ts';
import type { ForwardPass, ImageFeatures, MdetrNetwork } from '../models/index.ts';
import { withoutLayerAxis } from './programs.ts';

/** The program of a single-file export. */
export type WholeProgram = ReturnType<typeof traceWholeProgram>;

/**
 * Traces the whole network as one program: image and caption to predictions, masks of all queries included. Inputs have
 * the names and types of Hugging Face's libraries. The mask may have another size than the image; transformers.js always
 * gives one of 64 × 64.
 */
export const traceWholeProgram = (model: MdetrNetwork) => {
  const [batch, height, width, length] = ['batch', 'height', 'width', 'tokens'].map(symbolicDim) as [
    Dim,
    Dim,
    Dim,
    Dim,
  ];
  const [maskHeight, maskWidth] = ['mask_height', 'mask_width'].map(symbolicDim) as [Dim, Dim];
  return defineProgram({
    name: 'model',
    inputs: {
      pixel_values: tensorType([batch, 3, height, width]),
      pixel_mask: tensorType([batch, maskHeight, maskWidth], 'int64'), // 0 on padding
      input_ids: tensorType([batch, length], 'int64'),
      attention_mask: tensorType([batch, length], 'int64'), // 0 on padding
    },
    trace: ({ pixel_values, pixel_mask, input_ids, attention_mask }) => {
      const features = model.encodeImage(pixel_values, equal(pixel_mask, 0));
      const pass = model.forward(features, {
        inputIds: cast(input_ids, 'int32'),
        attentionMask: cast(attention_mask, 'int32'),
      });
      return { ...withoutLayerAxis(pass.predictions), pred_masks: masksOf(model, features, pass) };
    },
  });
};

/** Mask logits of all queries, (B, Q, h, w); undefined without a segmentation head. */
const masksOf = (model: MdetrNetwork, features: ImageFeatures, { hs, encoded }: ForwardPass): Tensor | undefined => {
  if (model.segmentation === undefined) return undefined;
  const last = hs.at(-1)!;
  const [batch, queries] = last.shape as [Dim, Dim, Dim];
  const samples = mergeAxes(expand(unsqueeze(iota(batch, 'int32'), 1), [batch, queries]), 0, 1); // (B·Q)
  const masks = model.segmentation.forward(mergeAxes(last, 0, 1), samples, {
    imageMemory: encoded.imageMemory,
    src: features.src,
    padding: features.padding,
    pyramid: features.pyramid,
  });
  return reshape(masks, [batch, queries, ...masks.shape.slice(1)]);
};
