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
import type { Backbone } from './backbones/backbone.ts';
import { buildBackbone } from './backbones/build-backbone.ts';
import { buildPositionEncoding } from './position-encoding.ts';
import { textEncoderConfig, type ModelConfig } from './config.ts';
import type { PositionEncoding } from './position-encoding.ts';
import { answerQueryCount, QuestionAnswering, type AnswerLogits } from './question-answering.ts';
import { Segmentation } from './segmentation.ts';
import { Transformer, type DecodedLayer, type EncoderCache } from './transformer.ts';

/** Output of the backbone for a batch of images: enough for any number of captions. */
export interface ImageFeatures {
  /** Projected last feature map, (B, D, h, w). */
  readonly src: Tensor;
  /** (B, h, w), true on padding. */
  readonly padding: Tensor;
  /** Feature maps before the last, coarse to fine, for the segmentation head; empty without one. */
  readonly pyramid: readonly Tensor[];
  /** Feature maps of all backbone stages, fine to coarse. */
  readonly stages: readonly Tensor[];
}

/** Image features as the rest of the network reads them: one row per caption. */
export type CaptionedFeatures = Omit<ImageFeatures, 'stages'>;

/** Tokenized captions of a batch. */
export interface CaptionTokens {
  /** (B, T) int32 token ids. */
  readonly inputIds: Tensor;
  /** (B, T) int32, 1 on tokens and 0 on padding. */
  readonly attentionMask: Tensor;
}

export interface ForwardOptions {
  /** Default: none, as at inference. */
  readonly dropout?: Dropout;
  /** Decoder layers that the detection heads read: `all` with auxiliary losses. Default `last`. */
  readonly layers?: 'last' | 'all';
}

/** Predictions of the heads under the official output names. L is the number of decoder layers that the heads read. */
export interface Predictions extends AnswerLogits {
  /** (L, B, Q, 256) */
  readonly pred_logits: Tensor;
  /** (L, B, Q, 4) cxcywh in (0, 1), relative to the image without padding. */
  readonly pred_boxes: Tensor;
  /** (L, B, Q, 1), with `predict_final`. */
  readonly pred_isfinal: Tensor | undefined;
  /** (L, B, Q, 64), unit length, with `contrastive_align_loss`. */
  readonly proj_queries: Tensor | undefined;
  /** (B, T, 64), unit length, with `contrastive_align_loss`. */
  readonly proj_tokens: Tensor | undefined;
}

/** Result of a forward pass: the predictions, and the hidden states that they were made from. */
export interface ForwardPass {
  readonly predictions: Predictions;
  /** Detection queries after every decoder layer, each (B, Q, D). */
  readonly hs: readonly Tensor[];
  /** Question queries after every decoder layer, each (B, n, D), with their attention; empty without question heads. */
  readonly answerLayers: readonly DecodedLayer[];
  readonly encoded: EncoderCache;
  /** Image and text vectors (B, 64) of unit length, with `contrastive_loss`. */
  readonly contrast: { readonly image: Tensor; readonly text: Tensor } | undefined;
}

/**
 * MDETR (arXiv:2104.12763): backbone, joint encoder, decoder and heads. Parameter names are the official `state_dict`
 * keys. The methods trace the two phases of the forward pass: `encodeImage` once per image, `forward` per caption.
 */
export class MdetrNetwork {
  readonly registry = new ParameterRegistry();
  /**
   * The segmentation head, with `mask_model`. Its program takes the detections above the threshold (`traceInference`).
   *
   * @internal
   */
  readonly segmentation: Segmentation | undefined;
  /** Channels of the feature maps that the segmentation head reads, coarse to fine; empty without one. */
  readonly pyramidChannels: readonly number[];
  private readonly transformer: Transformer;
  private readonly classEmbed: Linear;
  private readonly isfinalEmbed: Linear | undefined;
  private readonly bboxEmbed: Mlp;
  private readonly queryEmbed: Embedding;
  private readonly qaEmbed: Embedding | undefined;
  private readonly inputProj: Conv;
  private readonly backbone: Backbone;
  private readonly positions: PositionEncoding;
  private readonly contrastive: { readonly image: Linear; readonly text: Linear } | undefined;
  private readonly alignment: { readonly image: Linear; readonly text: Linear } | undefined;
  private readonly questions: QuestionAnswering | undefined;

  constructor(readonly config: ModelConfig) {
    const root = new Scope(this.registry);
    const hasMasks = config.mask_model === 'smallconv';
    // The official segmentation model wraps the detector, so that the detector's keys have the prefix `detr`.
    const scope = hasMasks ? root.at('detr') : root;
    const { hidden_dim: features, contrastive_loss_hdim: projection } = config;
    this.transformer = new Transformer(scope.at('transformer'), config);
    this.classEmbed = new Linear(scope.at('class_embed'), features, SOFT_TOKEN_CLASSES);
    this.isfinalEmbed = config.predict_final ? new Linear(scope.at('isfinal_embed'), features, 1) : undefined;
    this.bboxEmbed = new Mlp(scope.at('bbox_embed'), features, features, 4, 3);
    this.queryEmbed = new Embedding(scope.at('query_embed'), config.num_queries, features);
    this.qaEmbed = config.do_qa ? new Embedding(scope.at('qa_embed'), answerQueryCount(config), features) : undefined;
    // The official order of parameters has the projection before the backbone, whose width it needs.
    const backboneScope = new Scope(new ParameterRegistry(), scope.at('backbone').path);
    this.backbone = buildBackbone(backboneScope.at(0).at('body'), config);
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

  /** Feature maps of images: image (B, 3, H, W), normalized and padded with 0; padding (B, H, W), true on padding. */
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

  /** Forward pass from image features, one row per caption: joint encoder, decoder, heads. */
  forward(
    features: CaptionedFeatures,
    captions: CaptionTokens,
    { dropout = noDropout, layers = 'last' }: ForwardOptions = {},
  ): ForwardPass {
    const encoded = this.encode(features, captions, dropout);
    const { hs, answerLayers } = this.decode(encoded, dropout);
    return {
      predictions: {
        ...this.detect(layers === 'all' ? hs : hs.slice(-1), encoded),
        ...this.answer(answerLayers),
      },
      hs,
      answerLayers,
      encoded,
      contrast: this.contrast(encoded),
    };
  }

  private encode({ src, padding }: CaptionedFeatures, captions: CaptionTokens, dropout: Dropout): EncoderCache {
    const sequence = transpose(mergeAxes(src, 2, 3), [0, 2, 1]); // (B, D, h, w) → (B, h·w, D)
    return this.transformer.encode(
      sequence,
      mergeAxes(padding, 1, 2),
      this.positions.forward(padding),
      captions.inputIds,
      captions.attentionMask,
      dropout,
    );
  }

  /** Detection and question queries are decoded together, then separated. */
  private decode(encoded: EncoderCache, dropout: Dropout): Pick<ForwardPass, 'hs' | 'answerLayers'> {
    const { num_queries: count } = this.config;
    const queries =
      this.qaEmbed === undefined ? this.queryEmbed.weight : concat([this.queryEmbed.weight, this.qaEmbed.weight], 0);
    const layers = this.transformer.decode(encoded, queries, dropout);
    if (this.qaEmbed === undefined) return { hs: layers.map(({ output }) => output), answerLayers: [] };
    const all = queries.shape[0]!;
    return {
      hs: layers.map(({ output }) => slice(output, 1, 0, count)),
      answerLayers: layers.map(({ output, attention }) => ({
        output: slice(output, 1, count, all),
        attention: () => slice(attention(), 2, count, all),
      })),
    };
  }

  /** Detection heads on the given decoder layers. */
  private detect(hs: readonly Tensor[], encoded: EncoderCache): Omit<Predictions, keyof AnswerLogits> {
    const stacked = concat(
      hs.map((layer) => unsqueeze(layer, 0)),
      0,
    ); // (L, B, Q, D)
    return {
      pred_logits: this.classEmbed.forward(stacked),
      pred_boxes: sigmoid(this.bboxEmbed.forward(stacked)),
      pred_isfinal: this.isfinalEmbed?.forward(stacked),
      proj_queries: this.alignment && l2Normalize(this.alignment.image.forward(stacked)),
      proj_tokens: this.alignment && l2Normalize(this.alignment.text.forward(encoded.textMemory)),
    };
  }

  private answer(layers: readonly DecodedLayer[]): AnswerLogits {
    const read = this.config.qa_layer === 'first' ? layers[0] : layers.at(-1);
    return this.questions === undefined || read === undefined ? {} : this.questions.forward(read.output);
  }

  private contrast({ pooled }: EncoderCache): ForwardPass['contrast'] {
    if (this.contrastive === undefined || pooled === undefined) return undefined;
    return {
      image: l2Normalize(this.contrastive.image.forward(pooled.image)),
      text: l2Normalize(this.contrastive.text.forward(pooled.text)),
    };
  }

  /** Number of channels of the backbone's last feature map. */
  get backboneChannels(): number {
    return this.backbone.channels.at(-1)!;
  }

  /** Whether the official training updates a backbone parameter; the optimizer adds its own conditions. */
  isBackboneTrainable(name: string): boolean {
    return this.backbone.isTrainable(name);
  }
}

/** Resizes a padding mask (B, H, W) to the size of a feature map, nearest neighbor. */
const downsampleMask = (padding: Tensor, height: Dim, width: Dim): Tensor => {
  const [batch, ...size] = padding.shape as [Dim, Dim, Dim];
  const asBytes = cast(reshape(padding, [batch, 1, ...size]), 'uint8');
  return cast(reshape(resizeNearest(asBytes, height, width), [batch, height, width]), 'bool');
};

/** Repeats image features for several captions each. imageIndex (B) int32 is the index of every caption's image. */
export const selectImages = (features: CaptionedFeatures, imageIndex: Tensor): CaptionedFeatures => ({
  src: gather(features.src, imageIndex, 0),
  padding: gather(features.padding, imageIndex, 0),
  pyramid: features.pyramid.map((map) => gather(map, imageIndex, 0)),
});
