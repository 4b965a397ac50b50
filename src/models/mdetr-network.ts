import type { Dim, Tensor } from '../engine/graph/index.ts';
import {
  Conv,
  Embedding,
  Linear,
  Mlp,
  noDropout,
  normal,
  ParameterRegistry,
  Scope,
  zeros,
  type Dropout,
} from '../nn/index.ts';
import {
  add,
  concat,
  expand,
  fill,
  l2Normalize,
  mergeAxes,
  sigmoid,
  slice,
  stopGradient,
  transpose,
  unsqueeze,
} from '../engine/ops/index.ts';
import { SOFT_TOKEN_CLASSES } from '../text/soft-tokens.ts';
import type { Backbone } from './backbones/backbone.ts';
import { buildBackbone } from './backbones/build-backbone.ts';
import { buildPositionEncoding } from './position-encoding.ts';
import { textEncoderConfig, type ModelConfig } from './config.ts';
import type { PositionEncoding } from './position-encoding.ts';
import { boxLogits, QuerySelection } from './queries/query-selection.ts';
import { answerQueryCount, QuestionAnswering, type AnswerLogits } from './question-answering.ts';
import { Segmentation } from './segmentation.ts';
import type { CaptionTokens, ForwardOptions, ForwardPass, Predictions } from './forward-pass.ts';
import { downsampleMask, type CaptionedFeatures, type ImageFeatures } from './image-features.ts';
import type { DecodedLayer, DecoderQueries } from './queries/decoder-queries.ts';
import { Transformer, type EncoderCache } from './transformer.ts';

/** Output of the decoder. */
interface Decoded extends Pick<ForwardPass, 'hs' | 'answerLayers' | 'cells'> {
  /** Box (B, Q, 4) from which each layer starts; the first layer's alone without refinement, none for learned queries. */
  readonly references: readonly Tensor[];
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
  private readonly selection: QuerySelection | undefined;

  constructor(readonly config: ModelConfig) {
    const root = new Scope(this.registry);
    const hasMasks = config.mask_model === 'smallconv';
    // The official segmentation model wraps the detector, so that the detector's keys have the prefix `detr`.
    const scope = hasMasks ? root.at('detr') : root;
    const { hidden_dim: features, contrastive_loss_hdim: projection } = config;
    this.transformer = new Transformer(scope.at('transformer'), config);
    this.classEmbed = new Linear(scope.at('class_embed'), features, SOFT_TOKEN_CLASSES);
    this.isfinalEmbed = config.predict_final ? new Linear(scope.at('isfinal_embed'), features, 1) : undefined;
    const isSelecting = config.query_selection !== 'none';
    // Refinement starts from the selected boxes as they are: a correction of 0.
    const lastInit = config.box_refinement ? zeros : undefined;
    this.bboxEmbed = new Mlp(scope.at('bbox_embed'), features, features, 4, 3, { lastInit });
    // Learned positions; with selection the learned part of the contents.
    const queryInit = normal(isSelecting ? 0.1 : 1);
    this.queryEmbed = new Embedding(scope.at('query_embed'), config.num_queries, features, queryInit);
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
    this.selection = isSelecting ? new QuerySelection(scope, config) : undefined;
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
    const decoded = this.decode(encoded, features.padding, dropout);
    const { hs, answerLayers, cells } = decoded;
    return {
      predictions: {
        ...this.detect(decoded, layers === 'all' ? hs.length : 1, encoded),
        ...this.answer(answerLayers),
      },
      hs,
      answerLayers,
      encoded,
      cells,
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
  private decode(encoded: EncoderCache, padding: Tensor, dropout: Dropout): Decoded {
    const { num_queries: count } = this.config;
    const start = this.selection?.select(encoded.imageMemory, padding, this.queryEmbed.weight);
    const references = start === undefined ? [] : [start.boxesCxcywh];
    const queries =
      start === undefined
        ? this.learnedQueries(encoded)
        : this.selectedQueries(start.content, references, encoded, padding);
    const layers = this.transformer.decode(encoded, queries, dropout);
    const decoded = { references, cells: start?.cells };
    if (this.qaEmbed === undefined) return { ...decoded, hs: layers.map(({ output }) => output), answerLayers: [] };
    const all = count + answerQueryCount(this.config);
    return {
      ...decoded,
      hs: layers.map(({ output }) => slice(output, 1, 0, count)),
      answerLayers: layers.map(({ output, attention }) => ({
        output: slice(output, 1, count, all),
        attention: () => slice(attention(), 2, count, all),
      })),
    };
  }

  /** Learned queries, as in the paper. They are positions, or contents without `pass_pos_and_query`. */
  private learnedQueries({ memory }: EncoderCache): DecoderQueries {
    const learned =
      this.qaEmbed === undefined ? this.queryEmbed.weight : concat([this.queryEmbed.weight, this.qaEmbed.weight], 0);
    const perCaption = repeat(learned, memory.shape[0]!);
    return this.config.pass_pos_and_query
      ? { content: fill(0, perCaption.shape), positions: () => perCaption }
      : { content: perCaption, positions: () => undefined };
  }

  /**
   * Detection queries that start from selected boxes, and learned question queries.
   *
   * @param references boxes from which the layers start, (B, Q, 4); with refinement each layer but the last appends one
   */
  private selectedQueries(
    content: Tensor,
    references: Tensor[],
    { memory }: EncoderCache,
    padding: Tensor,
  ): DecoderQueries {
    const { box_refinement: refines, num_queries: count, hidden_dim: features } = this.config;
    const batch = memory.shape[0]!;
    const questions = this.qaEmbed && repeat(this.qaEmbed.weight, batch);
    const withQuestions = (x: Tensor, y: Tensor | undefined): Tensor => (y === undefined ? x : concat([x, y], 1));
    return {
      content: withQuestions(expand(content, [batch, count, features]), questions && fill(0, questions.shape)),
      positions: (output) => {
        if (output !== undefined && refines)
          references.push(stopGradient(this.refine(slice(output, 1, 0, count), references.at(-1)!)));
        return withQuestions(this.selection!.positions(references.at(-1)!, padding), questions);
      },
    };
  }

  /** Boxes (…, Q, 4) from hidden states (…, Q, D) and the boxes before them (Deformable DETR, arXiv:2010.04159). */
  private refine(hidden: Tensor, references: Tensor): Tensor {
    return sigmoid(add(this.bboxEmbed.forward(hidden), boxLogits(references)));
  }

  /** Detection heads on the last decoder layers, `count` of them. */
  private detect(
    { hs, references }: Decoded,
    count: number,
    encoded: EncoderCache,
  ): Omit<Predictions, keyof AnswerLogits> {
    const stacked = stack(hs.slice(-count)); // (L, B, Q, D)
    return {
      pred_logits: this.classEmbed.forward(stacked),
      pred_boxes: this.config.box_refinement
        ? this.refine(stacked, stack(references.slice(-count)))
        : sigmoid(this.bboxEmbed.forward(stacked)),
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

/** Repeats rows (n, D) for every caption → (B, n, D). */
const repeat = (rows: Tensor, batch: Dim): Tensor => expand(unsqueeze(rows, 0), [batch, ...rows.shape]);

/** Stacks tensors of one shape along a new first axis. */
const stack = (tensors: readonly Tensor[]): Tensor =>
  concat(
    tensors.map((tensor) => unsqueeze(tensor, 0)),
    0,
  );
