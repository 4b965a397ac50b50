import type { Tensor } from '../../engine/graph/index.ts';

/** Output of a decoder layer. */
export interface DecodedLayer {
  /** Hidden states of the queries, (B, Q, D). */
  readonly output: Tensor;
  /** Traces the cross-attention probabilities: (B, heads, Q, S). */
  readonly attention: () => Tensor;
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
