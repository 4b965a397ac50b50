import type { Tensor } from '../engine/graph/index.ts';
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
import type { Backbone, DetectedImage } from './backbones/backbone.ts';
import { buildBackbone } from './backbones/build-backbone.ts';
import { imageEvidence } from './priming/evidence.ts';
import { Priming, type CaptionEvidence } from './priming/priming.ts';
import { buildPositionEncoding, type PositionEncoding } from './position-encoding.ts';
import { hasEncoderHead, type ModelConfig } from './config.ts';
import { ContrastiveHeads } from './contrastive-heads.ts';
import { boxLogits, QuerySelection } from './queries/query-selection.ts';
import { answerQueryCount, QuestionAnswering, type AnswerLogits } from './question-answering.ts';
import { Segmentation } from './segmentation.ts';
import type { CaptionTokens, ForwardOptions, ForwardPass, Predictions } from './forward-pass.ts';
import { downsampleMask, type CaptionedFeatures, type ImageFeatures } from './image-features.ts';
import { learnedQueries, repeat, stack, type AnswerLayer, type DecoderQueries } from './queries/decoder-queries.ts';
import { Transformer, type EncoderCache } from './transformer.ts';

/** Output of the decoder. */
interface Decoded extends Pick<ForwardPass, 'hs' | 'answerLayers' | 'cells'> {
  /** Box (B, Q, 4) from which each layer starts; the first layer's alone without refinement, none for learned queries. */
  readonly references: readonly Tensor[];
  /** Logits (B, Q, 256) that the evidence adds to those of the tokens, with priming. */
  readonly tokenLogits: Tensor | undefined;
}

/**
 * MDETR (arXiv:2104.12763): backbone, joint encoder, decoder and heads. Parameter names are the official `state_dict`
 * keys. The methods trace the two phases of the forward pass: `encodeImage` once per image, `forward` per caption.
 */
export class MdetrNetwork {
  /** Parameters by official name. */
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
  private readonly contrastive: ContrastiveHeads | undefined;
  private readonly alignment: { readonly image: Linear; readonly text: Linear } | undefined;
  private readonly questions: QuestionAnswering | undefined;
  private readonly selection: QuerySelection | undefined;
  private readonly priming: Priming | undefined;

  constructor(
    /** Official arguments of the network. */
    readonly config: ModelConfig,
  ) {
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
    this.contrastive = config.contrastive_loss ? new ContrastiveHeads(scope, config) : undefined;
    this.alignment = config.contrastive_align_loss
      ? {
          image: new Linear(scope.at('contrastive_align_projection_image'), features, projection),
          text: new Linear(scope.at('contrastive_align_projection_text'), features, projection),
        }
      : undefined;
    this.questions = config.do_qa ? new QuestionAnswering(scope, config) : undefined;
    this.selection = hasEncoderHead(config) ? new QuerySelection(scope, config) : undefined;
    this.priming =
      config.query_selection === 'proposals' ? new Priming(scope.at('priming'), config, this.backbone) : undefined;
    this.pyramidChannels = hasMasks ? this.backbone.channels.slice(0, -1).reverse().slice(0, 3) : [];
    this.segmentation = hasMasks ? new Segmentation(root, features, config.nheads, this.pyramidChannels) : undefined;
  }

  /** Feature maps of images: image (B, 3, H, W), normalized and padded with 0; padding (B, H, W), true on padding. */
  encodeImage(image: Tensor, padding: Tensor): ImageFeatures {
    const detected = this.priming && this.backbone.detect?.(image);
    return this.encodeMaps(detected?.maps ?? this.backbone.forward(image), padding, detected);
  }

  /** Image features from what a frozen backbone has seen; padding as of the images or of the last map. */
  encodeMaps(stages: readonly Tensor[], padding: Tensor, detected?: DetectedImage): ImageFeatures {
    const last = stages.at(-1)!;
    return {
      src: this.inputProj.forward(last),
      padding: downsampleMask(padding, last.shape[2]!, last.shape[3]!),
      pyramid: stages.slice(0, -1).reverse().slice(0, this.pyramidChannels.length),
      stages,
      evidence: detected && imageEvidence(detected),
    };
  }

  /** Forward pass from image features, one row per caption: joint encoder, decoder, heads. */
  forward(
    features: CaptionedFeatures,
    captions: CaptionTokens,
    { dropout = noDropout, layers = 'last' }: ForwardOptions = {},
  ): ForwardPass {
    const evidence = features.evidence && this.priming?.evidenceFor(features.evidence, captions.inputIds);
    const encoded = this.encode(features, captions, dropout, evidence);
    const decoded = this.decode(encoded, features.padding, dropout, evidence);
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
      contrast: encoded.pooled && this.contrastive?.forward(encoded.pooled),
    };
  }

  private encode(
    { src, padding }: CaptionedFeatures,
    captions: CaptionTokens,
    dropout: Dropout,
    evidence: CaptionEvidence | undefined,
  ): EncoderCache {
    const sequence = transpose(mergeAxes(src, 2, 3), [0, 2, 1]); // (B, D, h, w) → (B, h·w, D)
    return this.transformer.encode(
      sequence,
      mergeAxes(padding, 1, 2),
      this.positions.forward(padding),
      captions.inputIds,
      captions.attentionMask,
      dropout,
      evidence && ((image, text) => this.priming!.primeImage(image, evidence, text, captions.attentionMask)),
    );
  }

  /** Detection and question queries are decoded together, then separated. */
  private decode(
    encoded: EncoderCache,
    padding: Tensor,
    dropout: Dropout,
    evidence: CaptionEvidence | undefined,
  ): Decoded {
    const { num_queries: count } = this.config;
    const primed = evidence && this.priming?.queries(evidence, encoded, padding, this.queryEmbed.weight);
    const start = primed ?? this.selection?.select(encoded.imageMemory, padding, this.queryEmbed.weight);
    const references = start === undefined ? [] : [start.boxesCxcywh];
    const queries =
      start === undefined
        ? learnedQueries(this.withQuestions(this.queryEmbed.weight), encoded.memory.shape[0]!, this.config)
        : this.selectedQueries(start.content, references, encoded, padding);
    const layers = this.transformer.decode(encoded, queries, dropout);
    const decoded = { references, cells: start?.cells, tokenLogits: primed?.tokenLogits };
    if (this.qaEmbed === undefined) return { ...decoded, hs: layers.map(({ output }) => output), answerLayers: [] };
    const all = count + answerQueryCount(this.config);
    return {
      ...decoded,
      hs: layers.map(({ output }) => slice(output, 1, 0, count)),
      answerLayers: layers.map(({ output, attention, selfAttention }, layer) => ({
        output: slice(output, 1, count, all),
        attention: slice(attention, 2, count, all),
        selfAttention: slice(selfAttention, 2, count, all),
        // Without refinement all layers start from the selected boxes.
        boxesCxcywh: references[layer] ?? references.at(-1),
      })),
    };
  }

  /** Learned rows (Q, D) of the detection queries, and of the question queries after them. */
  private withQuestions(detection: Tensor): Tensor {
    return this.qaEmbed === undefined ? detection : concat([detection, this.qaEmbed.weight], 0);
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
        return withQuestions(
          (this.priming ?? this.selection)!.positions.forward(references.at(-1)!, padding),
          questions,
        );
      },
    };
  }

  /** Boxes (…, Q, 4) from hidden states (…, Q, D) and the boxes before them (Deformable DETR, arXiv:2010.04159). */
  private refine(hidden: Tensor, references: Tensor): Tensor {
    return sigmoid(add(this.bboxEmbed.forward(hidden), boxLogits(references)));
  }

  /** Detection heads on the last decoder layers, `count` of them. */
  private detect(
    { hs, references, tokenLogits }: Decoded,
    count: number,
    encoded: EncoderCache,
  ): Omit<Predictions, keyof AnswerLogits> {
    const stacked = stack(hs.slice(-count)); // (L, B, Q, D)
    return {
      pred_logits:
        tokenLogits === undefined
          ? this.classEmbed.forward(stacked)
          : add(this.classEmbed.forward(stacked), unsqueeze(tokenLogits, 0)),
      pred_boxes: this.config.box_refinement
        ? this.refine(stacked, stack(references.slice(-count)))
        : sigmoid(this.bboxEmbed.forward(stacked)),
      pred_isfinal: this.isfinalEmbed?.forward(stacked),
      proj_queries: this.alignment && l2Normalize(this.alignment.image.forward(stacked)),
      proj_tokens: this.alignment && l2Normalize(this.alignment.text.forward(encoded.textMemory)),
    };
  }

  private answer(layers: readonly AnswerLayer[]): AnswerLogits {
    const read = this.config.qa_layer === 'first' ? layers[0] : layers.at(-1);
    return this.questions === undefined || read === undefined ? {} : this.questions.forward(read.output);
  }

  /**
   * Proposals of an image and channels of their features; undefined unless the backbone is a detector.
   *
   * @internal
   */
  get proposals(): { readonly count: number; readonly channels: number } | undefined {
    const { proposalCount: count, proposalChannels: channels } = this.backbone;
    return count === undefined || channels === undefined ? undefined : { count, channels };
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
