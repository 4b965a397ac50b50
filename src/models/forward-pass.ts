import type { Tensor } from '../engine/graph/index.ts';
import type { Dropout } from '../nn/index.ts';
import type { CellPredictions } from './queries/encoder-head.ts';
import type { AnswerLogits } from './question-answering.ts';
import type { AnswerLayer } from './queries/decoder-queries.ts';
import type { EncoderCache } from './transformer.ts';

/** Tokenized captions of a batch. */
export interface CaptionTokens {
  /** (B, T) int32 token ids. */
  readonly inputIds: Tensor;
  /** (B, T) int32, 1 on tokens and 0 on padding. */
  readonly attentionMask: Tensor;
}

/** Options of a forward pass. */
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
  /** Outputs of the heads. */
  readonly predictions: Predictions;
  /** Detection queries after every decoder layer, each (B, Q, D). */
  readonly hs: readonly Tensor[];
  /** Question queries after every decoder layer, each (B, n, D), with their attention; empty without question heads. */
  readonly answerLayers: readonly AnswerLayer[];
  /** Output of the joint encoder, which the decoder and the segmentation head read. */
  readonly encoded: EncoderCache;
  /** Predictions of the encoder head, with `query_selection`. */
  readonly cells: CellPredictions | undefined;
  /** Image and text vectors (B, 64) of unit length, with `contrastive_loss`. */
  readonly contrast: { readonly image: Tensor; readonly text: Tensor } | undefined;
}
