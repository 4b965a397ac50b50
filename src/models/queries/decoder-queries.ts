import type { Dim, Tensor } from '../../engine/graph/index.ts';
import { concat, expand, fill, unsqueeze } from '../../engine/ops/index.ts';
import type { ModelConfig } from '../model-config.ts';

/** Output of a decoder layer. */
export interface DecodedLayer {
  /** Hidden states of the queries, (B, Q, D). */
  readonly output: Tensor;
  /** Cross-attention probabilities, (B, heads, Q, S). */
  readonly attention: Tensor;
  /** Self-attention probabilities, (B, heads, Q, Q). */
  readonly selfAttention: Tensor;
}

/** Question queries after a decoder layer: n queries after the Q detection queries, among which they have attended. */
export interface AnswerLayer {
  /** (B, n, D) */
  readonly output: Tensor;
  /** Cross-attention probabilities, (B, heads, n, S). */
  readonly attention: Tensor;
  /** Self-attention probabilities, (B, heads, n, Q + n). */
  readonly selfAttention: Tensor;
  /** Boxes (B, Q, 4), cxcywh, from which the detection queries entered the layer; undefined for learned queries. */
  readonly boxesCxcywh: Tensor | undefined;
}

/** Queries as the decoder starts from them. */
export interface DecoderQueries {
  /** (B, Q, D) input of the first layer. */
  readonly content: Tensor;
  /**
   * Called before each layer, in order: position embeddings (B, Q, D) given the normed output of the layer before it;
   * undefined for positions that are part of the content.
   */
  readonly positions: (output: Tensor | undefined) => Tensor | undefined;
}

/** Learned queries (n, D), as in the paper. They are positions, or contents without `pass_pos_and_query`. */
export const learnedQueries = (
  learned: Tensor,
  batch: Dim,
  { pass_pos_and_query: passPositions }: Pick<ModelConfig, 'pass_pos_and_query'>,
): DecoderQueries => {
  const perCaption = repeat(learned, batch);
  return passPositions
    ? { content: fill(0, perCaption.shape), positions: () => perCaption }
    : { content: perCaption, positions: () => undefined };
};

/** Repeats rows (n, D) for every caption → (B, n, D). */
export const repeat = (rows: Tensor, batch: Dim): Tensor => expand(unsqueeze(rows, 0), [batch, ...rows.shape]);

/** Stacks tensors of one shape along a new first axis. */
export const stack = (tensors: readonly Tensor[]): Tensor =>
  concat(
    tensors.map((tensor) => unsqueeze(tensor, 0)),
    0,
  );
