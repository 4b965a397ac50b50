import { subDims, type Dim, type Tensor } from '../../engine/graph/index.ts';
import {
  abs,
  add,
  cast,
  clamp,
  concat,
  exp,
  greaterEqual,
  iota,
  log,
  matmul,
  max,
  maximum,
  minimum,
  mul,
  pad,
  scalar,
  sigmoid,
  slice,
  softmax,
  sub,
  sum,
  swapLastTwo,
  unsqueeze,
} from '../../engine/ops/index.ts';
import { fillWith, Linear, zeros, type Scope } from '../../nn/index.ts';
import { KIND_RANGES } from '../../text/lexicon/concepts.ts';
import { SOFT_TOKENS } from '../../text/soft-tokens.ts';

/** Evidence of a noun at which the detector has no opinion. */
const NEUTRAL_SCORE = 0.2;
/** Mean color term at which an object has half of the color. */
const NEUTRAL_COLOR = 0.25;
/** Distance in tokens over which a qualifier belongs to a noun. */
const REACH = 4;
/** Part of a noun's evidence that remains beside a qualifier: among objects of one noun the qualifier decides. */
const NOUN_BESIDE_QUALIFIER = 0.4;
/** Logit of "no object" that near duplicates of better proposals start with. */
const DUPLICATE = 3;

/** Initial weights of absolute and relative evidence in the logits of tokens: of nouns, places, colors and sizes. */
const TOKEN_WEIGHTS = [
  [2.5, 1],
  [0.5, 1],
  [1, 0.5],
  [0.5, 1],
];
/** The same in the logit of "no object", of places, colors and sizes. */
const QUALIFIER_WEIGHTS = [
  [1, 4],
  [4, 2],
  [1, 4],
];

/**
 * Evidence of queries and tokens as logits, added to the token logits. The evidence of a word raises the word's own
 * token. A qualifier besides decides whether a query is meant at all: "left" lowers the logit of "no object" for objects on
 * the left and raises it for others, as far as the qualifier stands near the query's noun.
 */
export class TokenEvidence {
  private readonly tokenWeights: Tensor;
  private readonly qualifierWeights: Tensor;
  private readonly gate: Linear;

  constructor(scope: Scope, features: number) {
    this.tokenWeights = scope.parameter('token_weights', [KIND_RANGES.length, 2], tableOf(TOKEN_WEIGHTS));
    this.qualifierWeights = scope.parameter(
      'qualifier_weights',
      [KIND_RANGES.length - 1, 2],
      tableOf(QUALIFIER_WEIGHTS),
    );
    // "top" in "on top of" is no qualifier: the text decides. It begins open.
    this.gate = new Linear(scope.at('qualifier_gate'), features, 1, { init: zeros, biasInit: fillWith(2) });
  }

  /**
   * @param absolute evidence of each query and token by itself, (B, Q, T)
   * @param relative the same compared with other objects of its kind, (B, Q, T)
   * @param concepts (B, T, C); @param text (B, T, D)
   * @param kept (B, Q, 1) 0 for near duplicates of better proposals, else 1
   * @returns (B, Q, 256)
   */
  forward(absolute: Tensor, relative: Tensor, concepts: Tensor, text: Tensor, kept: Tensor): Tensor {
    const tokens = concepts.shape[1] as Dim;
    const kinds = KIND_RANGES.map(({ start, end }, kind) => {
      const isKind = swapLastTwo(max(slice(concepts, 2, start, end), [2], { keepDims: true })); // (B, 1, T)
      return { isKind, own: scaled(absolute, kind), compared: scaled(relative, kind === 0 ? 1 : kind) };
    });
    const weighted = (table: Tensor, row: number, { own, compared, isKind }: (typeof kinds)[number]): Tensor =>
      mul(add(mul(own, entry(table, row, 0)), mul(compared, entry(table, row, 1))), isKind);
    const noun = kinds[0]!;
    // Which noun of the caption a query shows, and how near each token is to it.
    const shown = softmax(add(mul(mul(noun.own, noun.isKind), 3), mul(sub(noun.isKind, scalar(1)), 1e4))); // (B, Q, T)
    const near = matmul(shown, ofNearestNoun(nearness(tokens), noun.isKind));
    const open = swapLastTwo(sigmoid(this.gate.forward(text))); // (B, 1, T)
    const qualifies = mul(
      kinds
        .slice(1)
        .map(({ isKind }) => isKind)
        .reduce((a, b) => maximum(a, b)),
      open,
    ); // (B, 1, T)
    const strength = max(mul(qualifies, near), [2], { keepDims: true }); // (B, Q, 1)
    const nounPart = sub(scalar(1), mul(strength, 1 - NOUN_BESIDE_QUALIFIER));
    const ofTokens = kinds
      .map((kind, row) => {
        const own = weighted(this.tokenWeights, row, kind);
        return row === 0 ? mul(own, nounPart) : own;
      })
      .reduce((a, b) => add(a, b));
    const qualified = kinds
      .slice(1)
      .map((kind, row) => weighted(this.qualifierWeights, row, kind))
      .reduce((a, b) => add(a, b));
    const met = sum(mul(mul(qualified, open), near), [2], { keepDims: true });
    const noObject = sub(mul(sub(scalar(1), kept), DUPLICATE), met); // (B, Q, 1)
    return concat([pad(ofTokens, 2, 0, subDims(SOFT_TOKENS, tokens)), noObject], 2);
  }
}

/** Evidence around 0, about −1 to 1: scores of nouns are probabilities, whose logarithm counts. */
const scaled = (evidence: Tensor, kind: number): Tensor => {
  if (kind === 0) return log(mul(add(clamp(evidence, 0, 1), scalar(0.02)), 1 / NEUTRAL_SCORE));
  if (kind === 2) return sub(minimum(mul(evidence, 1 / NEUTRAL_COLOR), 2), scalar(1));
  return mul(sub(evidence, scalar(0.5)), 2);
};

/** (T, T) exp(−distance / reach) of pairs of tokens. */
const nearness = (tokens: Dim): Tensor => {
  const index = iota(tokens, 'float32');
  return exp(mul(abs(sub(unsqueeze(index, 0), unsqueeze(index, 1))), -1 / REACH));
};

/**
 * Nearness of each token (columns) to the nouns (rows) that are nearest to it, 0 for other tokens and nouns: a qualifier belongs
 * to one noun, or to two between which it stands.
 *
 * @param near (T, T) nearness of pairs of tokens; @param isNoun (B, 1, T); @returns (B, T, T)
 */
export const ofNearestNoun = (near: Tensor, isNoun: Tensor): Tensor => {
  const ofNouns = mul(near, swapLastTwo(isNoun)); // (B, T, T)
  const nearest = max(ofNouns, [1], { keepDims: true }); // (B, 1, T)
  return mul(ofNouns, cast(greaterEqual(ofNouns, nearest), 'float32'));
};

const entry = (table: Tensor, row: number, column: number): Tensor =>
  slice(slice(table, 0, row, row + 1), 1, column, column + 1);

const tableOf = (rows: readonly (readonly number[])[]) => (): Float32Array => Float32Array.from(rows.flat());
