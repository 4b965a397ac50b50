import type { Dim, Tensor } from '../engine/graph/index.ts';
import {
  Embedding,
  LayerNorm,
  Linear,
  MultiHeadAttention,
  type Attended,
  paddingBias,
  xavierUniform,
  type Dropout,
  type Scope,
} from '../nn/index.ts';
import { add, concat, equal, expand, fill, mul, not, relu, reshape, slice, unsqueeze } from '../engine/ops/index.ts';
import type { DecodedLayer, DecoderQueries } from './queries/decoder-queries.ts';
import { textEncoderConfig, type ModelConfig } from './config.ts';
import { Roberta } from './roberta.ts';

/** Feed-forward block of a transformer layer: linear, ReLU, dropout, linear. */
class FeedForward {
  private readonly linear1: Linear;
  private readonly linear2: Linear;

  constructor(
    scope: Scope,
    { hidden_dim: features, dim_feedforward: inner }: ModelConfig,
    private readonly dropoutRate: number,
  ) {
    this.linear1 = new Linear(scope.at('linear1'), features, inner, { init: xavierUniform });
    this.linear2 = new Linear(scope.at('linear2'), inner, features, { init: xavierUniform });
  }

  forward(x: Tensor, dropout: Dropout): Tensor {
    return this.linear2.forward(dropout(relu(this.linear1.forward(x)), this.dropoutRate));
  }
}

/** Adds positions, if there are any: to queries and keys, never to values. */
const withPositions = (x: Tensor, positions: Tensor | undefined): Tensor =>
  positions === undefined ? x : add(x, positions);

/** Output of an encoder layer. */
interface EncodedLayer {
  /** (B, S, D). */
  readonly output: Tensor;
  /** Self-attention probabilities, (B, heads, S, S). */
  readonly attention: Tensor;
}

/** Encoder layer over the joint image and text sequence (arXiv:2104.12763, section 2.2). */
class TransformerEncoderLayer {
  private readonly selfAttn: MultiHeadAttention;
  private readonly feedForward: FeedForward;
  private readonly norm1: LayerNorm;
  private readonly norm2: LayerNorm;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features, nheads, dropout } = config;
    this.selfAttn = new MultiHeadAttention(scope.at('self_attn'), features, nheads, dropout);
    this.feedForward = new FeedForward(scope, config, dropout);
    this.norm1 = new LayerNorm(scope.at('norm1'), features);
    this.norm2 = new LayerNorm(scope.at('norm2'), features);
  }

  /** src, positions (B, S, D); padding (B, 1, 1, S) is the attention bias → (B, S, D). */
  forward(src: Tensor, positions: Tensor | undefined, padding: Tensor, dropout: Dropout): EncodedLayer {
    const drop = (x: Tensor): Tensor => dropout(x, this.config.dropout);
    const attend = (x: Tensor): Attended => {
      const queryAndKey = withPositions(x, positions);
      return this.selfAttn.forward(queryAndKey, queryAndKey, x, padding, dropout);
    };
    const feed = (x: Tensor): Tensor => drop(this.feedForward.forward(x, dropout));
    if (this.config.pre_norm) {
      const { output, probabilities } = attend(this.norm1.forward(src));
      const attended = add(src, drop(output));
      return { output: add(attended, feed(this.norm2.forward(attended))), attention: probabilities };
    }
    const { output, probabilities } = attend(src);
    const attended = this.norm1.forward(add(src, drop(output)));
    return { output: this.norm2.forward(add(attended, feed(attended))), attention: probabilities };
  }
}

/** Decoder layer: self-attention, then cross-attention to image and text. Its norms really are 1, 3 and 4. */
class TransformerDecoderLayer {
  private readonly selfAttn: MultiHeadAttention;
  private readonly crossAttn: MultiHeadAttention;
  private readonly feedForward: FeedForward;
  private readonly norm1: LayerNorm;
  private readonly norm3: LayerNorm;
  private readonly norm4: LayerNorm;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features, nheads, dropout } = config;
    this.selfAttn = new MultiHeadAttention(scope.at('self_attn'), features, nheads, dropout);
    this.crossAttn = new MultiHeadAttention(scope.at('cross_attn_image'), features, nheads, dropout);
    this.feedForward = new FeedForward(scope, config, dropout);
    this.norm1 = new LayerNorm(scope.at('norm1'), features);
    this.norm3 = new LayerNorm(scope.at('norm3'), features);
    this.norm4 = new LayerNorm(scope.at('norm4'), features);
  }

  /** target, queryPositions (B, Q, D); memory (B, S, D); memoryKeys: memory with positions added. */
  forward(
    target: Tensor,
    queryPositions: Tensor | undefined,
    memory: Tensor,
    memoryKeys: Tensor,
    padding: Tensor,
    dropout: Dropout,
  ): DecodedLayer {
    const drop = (x: Tensor): Tensor => dropout(x, this.config.dropout);
    const selfAttend = (x: Tensor): Attended => {
      const queryAndKey = withPositions(x, queryPositions);
      return this.selfAttn.forward(queryAndKey, queryAndKey, x, undefined, dropout);
    };
    const crossAttend = (x: Tensor): Attended =>
      this.crossAttn.forward(withPositions(x, queryPositions), memoryKeys, memory, padding, dropout);
    const feed = (x: Tensor): Tensor => drop(this.feedForward.forward(x, dropout));
    if (this.config.decoder_pre_norm) {
      const among = selfAttend(this.norm1.forward(target));
      const afterSelf = add(target, drop(among.output));
      const across = crossAttend(this.norm3.forward(afterSelf));
      const afterCross = add(afterSelf, drop(across.output));
      const output = add(afterCross, feed(this.norm4.forward(afterCross)));
      return { output, attention: across.probabilities, selfAttention: among.probabilities };
    }
    const among = selfAttend(target);
    const afterSelf = this.norm1.forward(add(target, drop(among.output)));
    const across = crossAttend(afterSelf);
    const afterCross = this.norm3.forward(add(afterSelf, drop(across.output)));
    const output = this.norm4.forward(add(afterCross, feed(afterCross)));
    return { output, attention: across.probabilities, selfAttention: among.probabilities };
  }
}

/** Projects text features to the width of the transformer: linear, layer norm (ε = 1e-12), dropout. */
class FeatureResizer {
  private readonly fc: Linear;
  private readonly norm: LayerNorm;

  constructor(scope: Scope, inputs: number, outputs: number) {
    this.fc = new Linear(scope.at('fc'), inputs, outputs);
    this.norm = new LayerNorm(scope.at('layer_norm'), outputs, 1e-12);
  }

  forward(x: Tensor, dropout: Dropout): Tensor {
    return dropout(this.norm.forward(this.fc.forward(x)), 0.1);
  }
}

/**
 * Output of the joint encoder, read by the decoder and the heads. S = (1 with CLS) + h·w + T. Without `text_in_encoder`
 * the text part of the memory is not encoded.
 */
export interface EncoderCache {
  /** (B, S, D) */
  readonly memory: Tensor;
  /** Image part of the memory, (B, h·w, D). */
  readonly imageMemory: Tensor;
  /** Text part of the memory, (B, T, D). */
  readonly textMemory: Tensor;
  /** Projected text features before the encoder, (B, T, D). */
  readonly textMemoryResized: Tensor;
  /** (B, S), true on padding. */
  readonly paddingMask: Tensor;
  /** (B, S, D); undefined if positions are added to the input instead (`pass_pos_and_query` off). */
  readonly positions: Tensor | undefined;
  /** Attention probabilities of each encoder layer: (B, heads, S, S), without the text if not `text_in_encoder`. */
  readonly attention: readonly Tensor[];
  /** With `contrastive_loss`: memory of the CLS token (B, D) and RoBERTa's pooled first token (B, H). */
  readonly pooled: { readonly image: Tensor; readonly text: Tensor } | undefined;
}

/** Text encoder, joint encoder and decoder. */
export class Transformer {
  private readonly encoderLayers: readonly TransformerEncoderLayer[];
  private readonly encoderNorm: LayerNorm | undefined;
  private readonly decoderLayers: readonly TransformerDecoderLayer[];
  private readonly decoderNorm: LayerNorm;
  private readonly cls: Embedding | undefined;
  private readonly textEncoder: Roberta;
  private readonly resizer: FeatureResizer;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
  ) {
    const { hidden_dim: features } = config;
    const encoder = scope.at('encoder');
    const decoder = scope.at('decoder');
    this.encoderLayers = Array.from(
      { length: config.enc_layers },
      (_, index) => new TransformerEncoderLayer(encoder.at('layers').at(index), config),
    );
    this.encoderNorm = config.pre_norm ? new LayerNorm(encoder.at('norm'), features) : undefined;
    this.decoderLayers = Array.from(
      { length: config.dec_layers },
      (_, index) => new TransformerDecoderLayer(decoder.at('layers').at(index), config),
    );
    this.decoderNorm = new LayerNorm(decoder.at('norm'), features);
    this.cls = config.contrastive_loss ? new Embedding(scope.at('CLS'), 1, features, xavierUniform) : undefined;
    const textConfig = textEncoderConfig(config);
    this.textEncoder = new Roberta(scope.at('text_encoder'), textConfig);
    this.resizer = new FeatureResizer(scope.at('resizer'), textConfig.hidden_size, features);
  }

  /**
   * Encodes images and captions jointly: imageSequence, imagePositions (B, h·w, D), imagePadding (B, h·w), true on
   * padding; inputIds, attentionMask (B, T), 1 on tokens.
   *
   * @param prime changes the image sequence by the text features (B, T, D) before the encoder
   */
  encode(
    imageSequence: Tensor,
    imagePadding: Tensor,
    imagePositions: Tensor,
    inputIds: Tensor,
    attentionMask: Tensor,
    dropout: Dropout,
    prime: (image: Tensor, text: Tensor) => Tensor = (image) => image,
  ): EncoderCache {
    const [batch, length] = inputIds.shape as [Dim, Dim];
    const { hidden_dim: features, pass_pos_and_query: passPositions, text_in_encoder: isJoint } = this.config;
    const encodedText = this.textEncoder.forward(inputIds, attentionMask, dropout);
    const textMemoryResized = this.resizer.forward(encodedText, dropout);

    const image = this.withCls(prime(imageSequence, textMemoryResized), imagePadding, imagePositions);
    const start = passPositions ? image.sequence : add(image.sequence, mul(image.positions, 0.1));
    const withText = (ofImage: Tensor, ofText: Tensor): Tensor => concat([ofImage, ofText], 1);
    const paddingMask = withText(image.padding, not(equal(attentionMask, 1)));
    const positions = passPositions ? withText(image.positions, fill(0, [batch, length, features])) : undefined;

    // The encoder reads image and text, or the image only.
    const src = isJoint ? withText(start, textMemoryResized) : start;
    const encoderPositions = isJoint || !passPositions ? positions : image.positions;
    const padding = paddingBias(isJoint ? paddingMask : image.padding);
    const attention: Tensor[] = [];
    const layered = this.encoderLayers.reduce((x, layer) => {
      const encoded = layer.forward(x, encoderPositions, padding, dropout);
      attention.push(encoded.attention);
      return encoded.output;
    }, src);
    const encoded = this.encoderNorm?.forward(layered) ?? layered;
    const memory = isJoint ? encoded : withText(encoded, textMemoryResized);

    const imageEnd = image.sequence.shape[1]!;
    return {
      memory,
      imageMemory: slice(memory, 1, this.cls === undefined ? 0 : 1, imageEnd),
      textMemory: slice(memory, 1, imageEnd, memory.shape[1]!),
      textMemoryResized,
      paddingMask,
      positions,
      attention,
      pooled:
        this.cls === undefined
          ? undefined
          : { image: reshape(slice(memory, 1, 0, 1), [batch, features]), text: this.textEncoder.pool(encodedText) },
    };
  }

  /** Decodes queries. Returns the normed output of every decoder layer. */
  decode(cache: EncoderCache, { content, positions }: DecoderQueries, dropout: Dropout): readonly DecodedLayer[] {
    const memoryKeys = withPositions(cache.memory, cache.positions);
    const padding = paddingBias(cache.paddingMask);
    let target = content;
    let normed: Tensor | undefined;
    return this.decoderLayers.map((layer) => {
      const decoded = layer.forward(target, positions(normed), cache.memory, memoryKeys, padding, dropout);
      target = decoded.output; // the next layer continues from the output before the norm
      normed = this.decoderNorm.forward(target);
      return { ...decoded, output: normed };
    });
  }

  /** Prepends the CLS token to the image, without a position and never masked. */
  private withCls(
    sequence: Tensor,
    padding: Tensor,
    positions: Tensor,
  ): { sequence: Tensor; padding: Tensor; positions: Tensor } {
    if (this.cls === undefined) return { sequence, padding, positions };
    const [batch] = sequence.shape as [Dim];
    const { hidden_dim: features } = this.config;
    return {
      sequence: concat([expand(unsqueeze(this.cls.weight, 0), [batch, 1, features]), sequence], 1),
      padding: concat([fill(0, [batch, 1], 'bool'), padding], 1),
      positions: concat([fill(0, [batch, 1, features]), positions], 1),
    };
  }
}
