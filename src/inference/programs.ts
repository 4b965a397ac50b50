import { input, makeProgram, mulDims, symbolicDim, type Program, type Tensor } from '../engine/graph/index.ts';
import { selectImages, type Mdetr } from '../models/index.ts';
import { reshape } from '../engine/ops/index.ts';

/** The three compiled parts of inference. What one part hands to the next stays the same for other texts. */
export interface InferencePrograms {
  /** image (images, 3, H, W), padding (images, H, W) → src, feature_padding, pyramid0 … */
  readonly image: Program;
  /** src, feature_padding, image_index (B), input_ids, attention_mask (B, T) → the predictions of the last decoder layer. */
  readonly text: Program;
  /** hs (N, D), sample (N), image_memory (B, h·w, D), src, feature_padding, pyramid0 … → pred_masks (N, h″, w″). */
  readonly masks: Program | undefined;
}

/** Traces inference. One program serves every number and size of pictures and texts. */
export const traceInference = (model: Mdetr): InferencePrograms => {
  const [images, height, width, batch, length, featureHeight, featureWidth] = [
    'images',
    'height',
    'width',
    'batch',
    'tokens',
    'h',
    'w',
  ].map(symbolicDim);
  const { hidden_dim: features } = model.config;

  const encoded = model.encodeImage(
    input('image', [images!, 3, height!, width!]),
    input('padding', [images!, height!, width!], 'bool'),
  );
  const pyramidNames = encoded.pyramid.map((_, level) => `pyramid${level}`);
  const image = makeProgram('image', {
    src: encoded.src,
    feature_padding: encoded.padding,
    ...Object.fromEntries(encoded.pyramid.map((map, level) => [pyramidNames[level]!, map])),
  });

  const src = input('src', [images!, features, featureHeight!, featureWidth!]);
  const featurePadding = input('feature_padding', [images!, featureHeight!, featureWidth!], 'bool');
  const imageIndex = input('image_index', [batch!], 'int32');
  const inputIds = input('input_ids', [batch!, length!], 'int32');
  const attentionMask = input('attention_mask', [batch!, length!], 'int32');
  const selected = selectImages({ src, padding: featurePadding, pyramid: [] }, imageIndex);
  const cache = model.encode(selected, inputIds, attentionMask);
  const { hs, answerEmbeds } = model.decode(cache);
  const last = hs.at(-1)!;
  const predictions = model.predict([last], cache);
  const text = makeProgram('text', {
    ...Object.fromEntries(
      // The layer axis has size 1 here.
      Object.entries<Tensor>({ ...predictions }).map(([name, tensor]) => [
        name,
        tensor.rank === 4 ? reshape(tensor, tensor.shape.slice(1)) : tensor,
      ]),
    ),
    ...model.answer(answerEmbeds),
    ...(model.segmentation === undefined ? {} : { hs: last, image_memory: cache.imageMemory }),
  });

  return {
    image,
    text,
    masks: traceMasks(
      model,
      encoded.pyramid.map((map) => map.shape[1] as number),
    ),
  };
};

const traceMasks = (model: Mdetr, pyramidChannels: readonly number[]): Program | undefined => {
  if (model.segmentation === undefined) return undefined;
  const [batch, queries, height, width] = ['batch', 'queries', 'h', 'w'].map(symbolicDim);
  const { hidden_dim: features } = model.config;
  const src = input('src', [batch!, features, height!, width!]);
  const pred_masks = model.segmentation.forward(
    input('hs', [queries!, features]),
    input('sample', [queries!], 'int32'),
    {
      imageMemory: input('image_memory', [batch!, mulDims(height!, width!), features]),
      src,
      padding: input('feature_padding', [batch!, height!, width!], 'bool'),
      pyramid: pyramidChannels.map((channels, level) =>
        input(`pyramid${level}`, [batch!, channels, symbolicDim(`h${level}`), symbolicDim(`w${level}`)]),
      ),
    },
  );
  return makeProgram('masks', { pred_masks });
};
