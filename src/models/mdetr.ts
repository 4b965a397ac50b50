import type { Dim, Tensor } from '../engine/graph/index.ts';
import { Conv, Embedding, Linear, Mlp, noDropout, ParameterRegistry, Scope, type Dropout } from '../nn/index.ts';
import {
  cast,
  concat,
  gather,
  l2Normalize,
  mergeAxes,
  reshape,
  resizeNearest,
  sigmoid,
  slice,
  transpose,
  unsqueeze,
} from '../engine/ops/index.ts';
import { SOFT_TOKEN_CLASSES } from '../text/soft-tokens.ts';
import { buildFeatureExtractor } from './backbones/build-feature-extractor.ts';
import { buildPositionEncoding } from './position-encoding.ts';
import { type FeatureExtractor } from './backbones/feature-extractor.ts';
import { textEncoderConfig, type ModelConfig } from './config.ts';
import type { PositionEncoding } from './position-encoding.ts';
import { answerQueryCount, QuestionAnswering } from './question-answering.ts';
import { Segmentation } from './segmentation.ts';
import { Transformer, type DecodedLayer, type EncoderCache } from './transformer.ts';

/** What the backbone leaves of a batch of pictures: enough for any number of texts about them. */
export interface ImageFeatures {
  /** The projected last map: (B, D, h, w). */
  readonly src: Tensor;
  /** (B, h, w), true on padding. */
  readonly padding: Tensor;
  /** For masks, the maps before the last, coarse to fine; empty otherwise. */
  readonly pyramid: readonly Tensor[];
  /** All maps of the backbone, fine to coarse, for whoever looks inside. */
  readonly stages: readonly Tensor[];
}

/**
 * What the heads say, for every decoder layer asked: first axis L. Boxes are cxcywh relative to the un-padded picture.
 * Names are the official output names.
 */
export interface Predictions {
  /** (L, B, Q, 256) */
  readonly pred_logits: Tensor;
  /** (L, B, Q, 4), each in (0, 1). */
  readonly pred_boxes: Tensor;
  /** (L, B, Q, 1) with `predict_final`. */
  readonly pred_isfinal?: Tensor;
  /** (L, B, Q, 64) and (B, T, 64), both of length 1, with the contrastive alignment. */
  readonly proj_queries?: Tensor;
  readonly proj_tokens?: Tensor;
}

/** The whole network. Parameter names are the official `state_dict` keys; the methods trace its parts. */
export class Mdetr {
  readonly registry = new ParameterRegistry();
  readonly segmentation: Segmentation | undefined;
  /** Channels of the maps that masks are made from, coarse to fine; empty without a segmentation head. */
  readonly pyramidChannels: readonly number[];
  private readonly transformer: Transformer;
  private readonly classEmbed: Linear;
  private readonly isfinalEmbed: Linear | undefined;
  private readonly bboxEmbed: Mlp;
  private readonly queryEmbed: Embedding;
  private readonly qaEmbed: Embedding | undefined;
  private readonly inputProj: Conv;
  private readonly backbone: FeatureExtractor;
  private readonly positions: PositionEncoding;
  private readonly contrastive: { readonly image: Linear; readonly text: Linear } | undefined;
  private readonly alignment: { readonly image: Linear; readonly text: Linear } | undefined;
  private readonly questions: QuestionAnswering | undefined;

  constructor(readonly config: ModelConfig) {
    const root = new Scope(this.registry);
    const hasMasks = config.mask_model === 'smallconv';
    // The segmentation model of the official code wraps the detector, and its keys carry the wrapper's name.
    const scope = hasMasks ? root.at('detr') : root;
    const { hidden_dim: features, contrastive_loss_hdim: projection } = config;
    this.transformer = new Transformer(scope.at('transformer'), config);
    this.classEmbed = new Linear(scope.at('class_embed'), features, SOFT_TOKEN_CLASSES);
    this.isfinalEmbed = config.predict_final ? new Linear(scope.at('isfinal_embed'), features, 1) : undefined;
    this.bboxEmbed = new Mlp(scope.at('bbox_embed'), features, features, 4, 3);
    this.queryEmbed = new Embedding(scope.at('query_embed'), config.num_queries, features);
    this.qaEmbed = config.do_qa ? new Embedding(scope.at('qa_embed'), answerQueryCount(config), features) : undefined;
    // The projection comes before the backbone in the official order, but takes its width from it.
    const backboneScope = new Scope(new ParameterRegistry(), scope.at('backbone').path);
    this.backbone = buildFeatureExtractor(backboneScope.at(0).at('body'), config);
    this.positions = buildPositionEncoding(backboneScope.at(1), config);
    this.inputProj = new Conv(scope.at('input_proj'), this.backbone.channels.at(-1)!, features, 1);
    this.registry.append(backboneScope.registry);
    this.contrastive = config.contrastive_loss
      ? {
          image: new Linear(scope.at('contrastive_projection_image'), features, projection, { bias: false }),
          text: new Linear(scope.at('contrastive_projection_text'), textEncoderConfig(config).hidden_size, projection, {
            bias: false,
          }),
        }
      : undefined;
    this.alignment = config.contrastive_align_loss
      ? {
          image: new Linear(scope.at('contrastive_align_projection_image'), features, projection),
          text: new Linear(scope.at('contrastive_align_projection_text'), features, projection),
        }
      : undefined;
    this.questions = config.do_qa ? new QuestionAnswering(scope, config) : undefined;
    this.pyramidChannels = hasMasks ? this.backbone.channels.slice(0, -1).reverse().slice(0, 3) : [];
    this.segmentation = hasMasks ? new Segmentation(root, features, config.nheads, this.pyramidChannels) : undefined;
  }

  /** image (B, 3, H, W), normalised and padded with 0; padding (B, H, W), true on padding. */
  encodeImage(image: Tensor, padding: Tensor): ImageFeatures {
    const stages = this.backbone.forward(image);
    const last = stages.at(-1)!;
    return {
      src: this.inputProj.forward(last),
      padding: downsampleMask(padding, last.shape[2]!, last.shape[3]!),
      pyramid: stages.slice(0, -1).reverse().slice(0, this.pyramidChannels.length),
      stages,
    };
  }

  /** Joint encoding of pictures and texts: inputIds, attentionMask (B, T) int32. */
  encode(
    { src, padding }: Pick<ImageFeatures, 'src' | 'padding'>,
    inputIds: Tensor,
    attentionMask: Tensor,
    dropout: Dropout = noDropout,
  ): EncoderCache {
    const sequence = transpose(mergeAxes(src, 2, 3), [0, 2, 1]); // (B, D, h, w) → (B, h·w, D)
    return this.transformer.encode(
      sequence,
      mergeAxes(padding, 1, 2),
      this.positions.forward(padding),
      inputIds,
      attentionMask,
      dropout,
    );
  }

  /**
   * The detection queries of every decoder layer, each (B, Q, D), the question queries that the answers are read from,
   * and those of every layer, each (B, n, D), with where they look; none without question heads.
   */
  decode(
    cache: EncoderCache,
    dropout: Dropout = noDropout,
  ): {
    readonly hs: readonly Tensor[];
    readonly answerEmbeds: Tensor | undefined;
    readonly answerLayers: readonly DecodedLayer[];
  } {
    const { num_queries: count } = this.config;
    const queries =
      this.qaEmbed === undefined ? this.queryEmbed.weight : concat([this.queryEmbed.weight, this.qaEmbed.weight], 0);
    const layers = this.transformer.decode(cache, queries, dropout);
    const outputs = layers.map(({ output }) => output);
    if (this.qaEmbed === undefined) return { hs: outputs, answerEmbeds: undefined, answerLayers: [] };
    const all = queries.shape[0]!;
    const answerLayers = layers.map(({ output, attention }) => ({
      output: slice(output, 1, count, all),
      attention: () => slice(attention(), 2, count, all),
    }));
    return {
      hs: outputs.map((output) => slice(output, 1, 0, count)),
      answerEmbeds: (this.config.qa_layer === 'first' ? answerLayers[0]! : answerLayers.at(-1)!).output,
      answerLayers,
    };
  }

  /** Heads on some decoder layers' detection queries. */
  predict(hs: readonly Tensor[], cache: EncoderCache): Predictions {
    const stacked = concat(
      hs.map((layer) => unsqueeze(layer, 0)),
      0,
    ); // (L, B, Q, D)
    return {
      pred_logits: this.classEmbed.forward(stacked),
      pred_boxes: sigmoid(this.bboxEmbed.forward(stacked)),
      ...(this.isfinalEmbed === undefined ? {} : { pred_isfinal: this.isfinalEmbed.forward(stacked) }),
      ...(this.alignment === undefined
        ? {}
        : {
            proj_queries: l2Normalize(this.alignment.image.forward(stacked)),
            proj_tokens: l2Normalize(this.alignment.text.forward(cache.textMemory)),
          }),
    };
  }

  /** Answer logits (B, classes) under the official names; empty without question heads. */
  answer(answerEmbeds: Tensor | undefined): Readonly<Record<string, Tensor>> {
    return this.questions === undefined || answerEmbeds === undefined ? {} : this.questions.forward(answerEmbeds);
  }

  /** Image and text vectors (B, 64) of length 1 for the image-text contrastive loss. */
  contrast(cache: EncoderCache): { readonly image: Tensor; readonly text: Tensor } | undefined {
    if (this.contrastive === undefined || cache.pooled === undefined) return undefined;
    return {
      image: l2Normalize(this.contrastive.image.forward(cache.pooled.image)),
      text: l2Normalize(this.contrastive.text.forward(cache.pooled.text)),
    };
  }

  /** Channels of the backbone's last map. */
  get backboneChannels(): number {
    return this.backbone.channels.at(-1)!;
  }

  /** Whether the official training changes a parameter of the backbone; the optimiser adds its own conditions. */
  isBackboneTrainable(name: string): boolean {
    return this.backbone.isTrainable(name);
  }
}

/** Nearest down-sampling of a padding mask (B, H, W) to a feature map's size. */
const downsampleMask = (padding: Tensor, height: Dim, width: Dim): Tensor => {
  const [batch, ...size] = padding.shape as [Dim, Dim, Dim];
  const asBytes = cast(reshape(padding, [batch, 1, ...size]), 'uint8');
  return cast(reshape(resizeNearest(asBytes, height, width), [batch, height, width]), 'bool');
};

/** Repeats pictures' features for several texts each: imageIndex (B) int32, the picture of every text. */
export const selectImages = (
  features: Pick<ImageFeatures, 'src' | 'padding' | 'pyramid'>,
  imageIndex: Tensor,
): Pick<ImageFeatures, 'src' | 'padding' | 'pyramid'> => ({
  src: gather(features.src, imageIndex, 0),
  padding: gather(features.padding, imageIndex, 0),
  pyramid: features.pyramid.map((map) => gather(map, imageIndex, 0)),
});
