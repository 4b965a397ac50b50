import type { Dim, Tensor } from '../../engine/graph/index.ts';
import {
  add,
  cast,
  concat,
  dimValue,
  div,
  equal,
  floor,
  gather,
  iota,
  matmul,
  max,
  maximum,
  minimum,
  mul,
  reshape,
  scalar,
  slice,
  stopGradient,
  sub,
  sum,
  swapLastTwo,
  topK,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { LayerNorm, Linear, zeros, type Scope } from '../../nn/index.ts';
import { MdetrError } from '../../errors.ts';
import { textEncoderConfig, type ModelConfig } from '../config.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { gatherRows } from '../gather-rows.ts';
import { startBoxes } from '../queries/candidates.ts';
import { QueryPositions } from '../queries/query-positions.ts';
import type { EncoderCache } from '../transformer.ts';
import { CONCEPTS, CONCEPTS_PER_TOKEN, KIND_RANGES } from '../../text/lexicon/concepts.ts';
import { TokenEvidence } from './token-evidence.ts';
import { keptProposals, pairwiseIou, sameKind, type ImageEvidence } from './evidence.ts';

/** Evidence of the images of captions, and the concepts that the captions name. */
export interface CaptionEvidence {
  readonly image: ImageEvidence;
  /** (B, T, C) 1 where a token names a concept, else 0. */
  readonly concepts: Tensor;
}

/** Queries that start from proposals. */
export interface PrimedQueries {
  readonly cells: undefined;
  /** (B, Q, 4) reference boxes in cxcywh format, without gradient. */
  readonly boxesCxcywh: Tensor;
  /** (B, Q, D) */
  readonly content: Tensor;
  /** Evidence of queries and tokens, added to the token logits: (B, Q, 256). */
  readonly tokenLogits: Tensor;
}

/**
 * Links words to the image positions where they hold. A product of word and position has no gradient at first, so small
 * networks box the most salient object whatever is asked; here nouns are linked by the detector's scores, spatial words by
 * coordinates, colors by the colors of the object and sizes by its box. It is a prior: the network learns how to use it.
 */
export class Priming {
  readonly positions: QueryPositions;
  private readonly lexicon: Tensor;
  private readonly wordToImage: Linear;
  private readonly gate: Linear;
  private readonly content: Linear;
  private readonly contentNorm: LayerNorm;
  private readonly wordToQuery: readonly [absolute: Linear, relative: Linear];
  private readonly tokens: TokenEvidence;

  constructor(
    scope: Scope,
    private readonly config: ModelConfig,
    { proposalChannels }: Backbone,
  ) {
    if (proposalChannels === undefined)
      throw new MdetrError(
        `query_selection "proposals" needs a backbone that is a detector, such as "nanodet"; "${config.backbone}" is none`,
      );
    const { hidden_dim: features } = config;
    const { vocab_size: words } = textEncoderConfig(config);
    // Index + 1 of the concepts that a token names, 0 for none.
    this.lexicon = scope.buffer('lexicon', [words, CONCEPTS_PER_TOKEN], zeros);
    this.wordToImage = new Linear(scope.at('word_to_image'), features, features, { bias: false });
    this.gate = new Linear(scope.at('gate'), features, 2 * features, { init: zeros, biasInit: zeros });
    this.content = new Linear(scope.at('content'), proposalChannels + features, features);
    this.contentNorm = new LayerNorm(scope.at('content_norm'), features);
    const wordToQuery = (name: string): Linear =>
      new Linear(scope.at('word_to_query').at(name), features, features, { bias: false });
    this.wordToQuery = [wordToQuery('absolute'), wordToQuery('relative')];
    this.positions = new QueryPositions(scope.at('query_position'), config);
    this.tokens = new TokenEvidence(scope.at('tokens'), features);
  }

  /** Evidence for captions of token ids (B, T). */
  evidenceFor(image: ImageEvidence, inputIds: Tensor): CaptionEvidence {
    const named = gather(this.lexicon, inputIds); // (B, T, 2)
    const index = add(iota(CONCEPTS.length, 'float32'), scalar(1));
    return { image, concepts: max(cast(equal(unsqueeze(named, 3), index), 'float32'), [2]) };
  }

  /**
   * Image sequence (B, h·w, D) with the words that are true at each position added, and gated by the text as a whole.
   *
   * @param text (B, T, D) text features; @param mask (B, T) 1 on tokens
   */
  primeImage(image: Tensor, { image: evidence, concepts }: CaptionEvidence, text: Tensor, mask: Tensor): Tensor {
    const links = matmul(evidence.positions, swapLastTwo(concepts)); // (B, h·w, T)
    const words = matmul(links, this.wordToImage.forward(text));
    const weights = unsqueeze(cast(mask, 'float32'), 2);
    const meanText = div(sum(mul(text, weights), [1], { keepDims: true }), sum(weights, [1], { keepDims: true }));
    const gate = this.gate.forward(meanText); // (B, 1, 2D)
    const { hidden_dim: features } = this.config;
    const [scale, shift] = [slice(gate, 2, 0, features), slice(gate, 2, features, 2 * features)];
    return add(mul(add(image, words), add(scale, scalar(1))), shift);
  }

  /**
   * Queries from the proposals that the nouns of the caption fit best.
   *
   * @param padding (B, h, w), true on padding
   * @param ranks (Q, D) learned part of the contents
   */
  queries(
    { image: evidence, concepts }: CaptionEvidence,
    { imageMemory: memory, textMemoryResized: text }: EncoderCache,
    padding: Tensor,
    ranks: Tensor,
  ): PrimedQueries {
    const { num_queries: count, hidden_dim: features } = this.config;
    const [, height, width] = padding.shape as [Dim, Dim, Dim];
    const { indices, kept } = this.selected(evidence, concepts);
    const chosen = (values: Tensor): Tensor => gatherRows(values, indices);
    const boxesCxcywh = startBoxes(chosen(evidence.boxes));
    const at = positionIndex(slice(boxesCxcywh, 2, 0, 2), height, width); // (B, Q)
    const memories = gatherRows(memory, at);
    const seen = this.contentNorm.forward(this.content.forward(concat([chosen(evidence.features), memories], 2)));
    const byToken = (values: Tensor): Tensor => matmul(chosen(values), swapLastTwo(concepts)); // (B, Q, T)
    const [absolute, relative] = [byToken(evidence.absolute), byToken(evidence.relative)];
    const [fromAbsolute, fromRelative] = this.wordToQuery;
    const words = add(matmul(absolute, fromAbsolute.forward(text)), matmul(relative, fromRelative.forward(text)));
    const learned = reshape(ranks, [1, count, features]);
    return {
      cells: undefined,
      boxesCxcywh,
      content: add(add(seen, words), learned),
      tokenLogits: this.tokens.forward(absolute, relative, concepts, text, chosen(kept)),
    };
  }

  /**
   * Indices (B, Q) of the best proposals for the nouns of the caption, near duplicates last; and which proposals are no
   * duplicates, (B, P, 1).
   */
  private selected(
    { boxes, absolute }: ImageEvidence,
    concepts: Tensor,
  ): { readonly indices: Tensor; readonly kept: Tensor } {
    const { start, end } = KIND_RANGES[0]!;
    const scores = slice(absolute, 2, start, end); // (B, P, nouns)
    const nouns = max(slice(concepts, 2, start, end), [1], { keepDims: true }); // (B, 1, nouns)
    const named = max(nouns, [2], { keepDims: true }); // (B, 1, 1) whether the caption names any noun
    const general = max(scores, [2], { keepDims: true }); // (B, P, 1)
    const asked = max(mul(scores, nouns), [2], { keepDims: true });
    const quality = add(mul(asked, named), mul(general, sub(scalar(1.02), named)));
    const kept = keptProposals(quality, pairwiseIou(boxes), sameKind(mul(scores, add(nouns, scalar(0.1)))));
    const [batch, proposals] = quality.shape as [Dim, Dim];
    const ranked = reshape(sub(quality, mul(sub(scalar(1), kept), 2)), [batch, proposals]);
    return { indices: stopGradient(topK(ranked, this.config.num_queries, 1).indices), kept };
  }
}

/** Index of the position of a map that contains each center (B, Q, 2) → (B, Q). */
const positionIndex = (center: Tensor, height: Dim, width: Dim): Tensor => {
  const along = (k: number, size: Dim): Tensor => {
    const cells = floatOf(size);
    const value = floor(mul(slice(center, 2, k, k + 1), cells));
    return minimum(maximum(value, 0), sub(cells, scalar(1)));
  };
  const flat = add(mul(along(1, height), floatOf(width)), along(0, width));
  const [batch, count] = center.shape as [Dim, Dim];
  return stopGradient(cast(reshape(flat, [batch, count]), 'int64'));
};

const floatOf = (size: Dim): Tensor => cast(dimValue(size), 'float32');
