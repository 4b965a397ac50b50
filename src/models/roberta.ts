import type { Dim, Tensor } from '../engine/graph/index.ts';
import {
  attend,
  Embedding,
  embeddingTable,
  LayerNorm,
  Linear,
  normal,
  queryScale,
  zeros,
  type Dropout,
  type Scope,
} from '../nn/index.ts';
import {
  add,
  cast,
  cumSum,
  equal,
  gelu,
  literal,
  lookUp,
  mul,
  not,
  reshape,
  scalar,
  slice,
  squeeze,
  sub,
  tanh,
} from '../engine/ops/index.ts';
import type { TextEncoderConfig } from './config.ts';

const PADDING_ID = 1;
/** Standard deviation of the initial values of RoBERTa's embeddings and linear layers. */
const INIT_STD = 0.02;
/**
 * Standard deviation of learned word and position vectors beside pre-trained word vectors, whose projections have about 1.
 * Antonyms have nearly equal pre-trained vectors (red and blue: cosine .84), so the learned ones must tell them apart from
 * the start.
 */
const BESIDE_PRETRAINED_STD = 0.5;
const EPSILON = 1e-5;
const DROPOUT_RATE = 0.1;
/** Attention bias of padding: large enough that its probability is exactly 0 in float32. */
const MASKED_SCORE = -10000;

const dense = (scope: Scope, inputs: number, outputs: number): Linear =>
  new Linear(scope, inputs, outputs, { init: normal(INIT_STD), biasInit: zeros });

/** Post-norm transformer layer with GELU. */
class RobertaLayer {
  private readonly query: Linear;
  private readonly key: Linear;
  private readonly value: Linear;
  private readonly attentionDense: Linear;
  private readonly attentionNorm: LayerNorm;
  private readonly intermediate: Linear;
  private readonly outputDense: Linear;
  private readonly outputNorm: LayerNorm;

  constructor(
    scope: Scope,
    private readonly config: TextEncoderConfig,
  ) {
    const { hidden_size: size, intermediate_size: inner } = config;
    const attention = scope.at('attention');
    this.query = dense(attention.at('self').at('query'), size, size);
    this.key = dense(attention.at('self').at('key'), size, size);
    this.value = dense(attention.at('self').at('value'), size, size);
    this.attentionDense = dense(attention.at('output').at('dense'), size, size);
    this.attentionNorm = new LayerNorm(attention.at('output').at('LayerNorm'), size, EPSILON);
    this.intermediate = dense(scope.at('intermediate').at('dense'), size, inner);
    this.outputDense = dense(scope.at('output').at('dense'), inner, size);
    this.outputNorm = new LayerNorm(scope.at('output').at('LayerNorm'), size, EPSILON);
  }

  forward(x: Tensor, bias: Tensor, dropout: Dropout): Tensor {
    const { hidden_size: size, num_attention_heads: heads } = this.config;
    const { output: attended } = attend(
      this.query.scaled(x, queryScale(size, heads)),
      this.key.forward(x),
      this.value.forward(x),
      heads,
      bias,
      (shape) => dropout.mask(shape, DROPOUT_RATE),
    );
    const afterAttention = this.attentionNorm.forward(
      add(dropout(this.attentionDense.forward(attended), DROPOUT_RATE), x),
    );
    const hidden = gelu(this.intermediate.forward(afterAttention));
    return this.outputNorm.forward(add(dropout(this.outputDense.forward(hidden), DROPOUT_RATE), afterAttention));
  }
}

/** RoBERTa (arXiv:1907.11692) as in Hugging Face transformers 4.5. */
export class Roberta {
  private readonly words: Embedding;
  private readonly positions: Embedding;
  private readonly tokenTypes: Embedding;
  private readonly pretrained: { readonly table: Embedding; readonly projection: Linear } | undefined;
  private readonly norm: LayerNorm;
  private readonly layers: readonly RobertaLayer[];
  private readonly poolerDense: Linear;

  constructor(scope: Scope, config: TextEncoderConfig) {
    const { hidden_size: size, pretrained_size: pretrainedSize } = config;
    const deviation = pretrainedSize === undefined ? INIT_STD : BESIDE_PRETRAINED_STD;
    const embeddings = scope.at('embeddings');
    // Saved by the transformers version of the official checkpoints, omitted by newer ones. Not read here.
    embeddings.buffer(
      'position_ids',
      [1, config.max_position_embeddings],
      (_random, shape) => Float32Array.from({ length: shape[1]! }, (_, index) => index),
      'int64',
    );
    this.words = new Embedding(
      embeddings.at('word_embeddings'),
      config.vocab_size,
      size,
      embeddingTable(deviation, PADDING_ID),
      PADDING_ID,
    );
    this.positions = new Embedding(
      embeddings.at('position_embeddings'),
      config.max_position_embeddings,
      size,
      embeddingTable(deviation, PADDING_ID),
      PADDING_ID,
    );
    this.tokenTypes = new Embedding(embeddings.at('token_type_embeddings'), 1, size, embeddingTable(INIT_STD));
    this.pretrained =
      pretrainedSize === undefined
        ? undefined
        : {
            table: new Embedding(
              embeddings.at('pretrained_embeddings'),
              config.vocab_size,
              pretrainedSize,
              embeddingTable(1, PADDING_ID),
              PADDING_ID,
            ),
            projection: new Linear(embeddings.at('pretrained_projection'), pretrainedSize, size, {
              init: normal(1 / Math.sqrt(pretrainedSize)),
              bias: false,
            }),
          };
    this.norm = new LayerNorm(embeddings.at('LayerNorm'), size, EPSILON);
    this.layers = Array.from(
      { length: config.num_hidden_layers },
      (_, index) => new RobertaLayer(scope.at('encoder').at('layer').at(index), config),
    );
    this.poolerDense = dense(scope.at('pooler').at('dense'), size, size);
  }

  /** Last hidden state (B, T, H) for inputIds and attentionMask (B, T) int32, 1 on tokens. */
  forward(inputIds: Tensor, attentionMask: Tensor, dropout: Dropout): Tensor {
    const [batch, length] = inputIds.shape as [Dim, Dim];
    const masked = mul(sub(scalar(1), cast(attentionMask, 'float32')), MASKED_SCORE);
    const bias = reshape(masked, [batch, 1, 1, length]);
    return this.layers.reduce((x, layer) => layer.forward(x, bias, dropout), this.embed(inputIds, dropout));
  }

  /** Pooled output: tanh of a linear layer on the first token, hidden (B, T, H) → (B, H). */
  pool(hidden: Tensor): Tensor {
    return tanh(this.poolerDense.forward(squeeze(slice(hidden, 1, 0, 1), 1)));
  }

  private embed(inputIds: Tensor, dropout: Dropout): Tensor {
    // Padding has position 1, the first token 2.
    const isReal = cast(not(equal(inputIds, PADDING_ID)), 'int32');
    const positionIds = add(mul(cumSum(isReal, 1), isReal), literal([1], [1, 1], 'int32'));
    const rows = add(add(this.wordVectors(inputIds), this.tokenTypeRow()), this.positions.forward(positionIds));
    return dropout(this.norm.forward(rows), DROPOUT_RATE);
  }

  private wordVectors(inputIds: Tensor): Tensor {
    const learned = this.words.forward(inputIds);
    if (this.pretrained === undefined) return learned;
    const { table, projection } = this.pretrained;
    return add(learned, projection.forward(table.forward(inputIds)));
  }

  private tokenTypeRow(): Tensor {
    return reshape(lookUp(this.tokenTypes.weight, scalar(0, 'int64')), [1, 1, this.tokenTypes.weight.shape[1]!]);
  }
}
