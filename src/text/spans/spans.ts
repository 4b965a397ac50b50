import { CodePointMap } from './code-points.ts';
import { SOFT_TOKENS } from '../soft-tokens.ts';
import type { Encoding } from '../tokenizer/encoding.ts';
import type { Span } from './span.ts';
import { WORD_TIE, wordSpans } from './words.ts';

/** A phrase of the caption that a detection refers to. */
export interface TextSpan extends Span {
  /** `caption.slice(start, end)`. */
  readonly text: string;
  /** Sum of the query's probabilities over the tokens of this phrase; at most the detection's score. */
  readonly score: number;
}

/** Options of `CaptionSpans.phrases`. */
export interface SpanOptions {
  /** Phrases with a lower score are left out. Default 0.1. */
  readonly threshold?: number;
  /**
   * Minimum probability of a token as a fraction of the strongest token's: words with such a token form the phrases.
   * Relative, because training spreads a box's probability evenly over its tokens: none of ten tokens has more than 0.1.
   * Default 0.25.
   */
  readonly tokenFraction?: number;
}

/** Words that a phrase may begin with even if their probability is low. */
const articles = new Set(['a', 'an', 'the']);
/** Words that join two selected words, at most two of them in a row: "glass of water", "side of the house". */
const bridges = new Set([...articles, 'of']);
/** Words that a phrase neither begins nor ends with, unless it has no other word. */
const connectives = new Set(
  'and or but of in on at with by to from for near is are was were that which who as into onto'.split(' '),
);

interface Word extends Span {
  readonly lower: string;
}

/**
 * Finds the phrases of a caption that a query refers to, from its token probabilities. The steps, all deterministic:
 *
 * 1. Tokens with at least `tokenFraction` of the largest probability are selected, and with them every word that they
 *    overlap. Special tokens and tokens of punctuation only are never selected.
 * 2. Adjacent selected words form a phrase if only white space or a joining sign (hyphen, slash, ampersand, apostrophe)
 *    lies between them, or up to two words of "of", "a", "an", "the". Other punctuation separates phrases.
 * 3. Connectives ("and", "with", "is" …) and trailing articles are removed from the ends of a phrase, and an article
 *    directly before it is added. A phrase of such words alone is dropped if there is any other. The lists are English.
 * 4. The score of a phrase is the sum of its tokens' probabilities. Phrases below `threshold` are dropped; the others are
 *    sorted by score, equal ones from left to right.
 */
export class CaptionSpans {
  readonly caption: string;
  private readonly words: readonly Word[];
  /** [begin, end) UTF-16 range of each token that boxes can refer to; undefined for special and empty ones. */
  private readonly tokenRanges: readonly (readonly [number, number] | undefined)[];
  /** Indices of the words that each token overlaps. */
  private readonly wordsOfToken: readonly (readonly number[])[];

  constructor(encoding: Encoding) {
    this.caption = encoding.text;
    this.words = wordSpans(this.caption).map(({ start, end }) => ({
      start,
      end,
      lower: this.caption.slice(start, end).toLowerCase(),
    }));
    const positions = new CodePointMap(this.caption);
    const pointable = encoding.offsets.slice(0, Math.min(SOFT_TOKENS, encoding.offsets.length - 1));
    this.tokenRanges = pointable.map(([begin, end]) =>
      begin === end ? undefined : [positions.toUtf16(begin), positions.toUtf16(end)],
    );
    let firstWord = 0; // Tokens come in order, so words that end before one token end before all later ones.
    this.wordsOfToken = this.tokenRanges.map((range) => {
      if (range === undefined) return [];
      while (firstWord < this.words.length && this.words[firstWord]!.end <= range[0]) firstWord++;
      const touched: number[] = [];
      for (let word = firstWord; word < this.words.length && this.words[word]!.start < range[1]; word++)
        touched.push(word);
      return touched;
    });
  }

  /**
   * Phrases that one query refers to, best first; empty if no phrase reaches the threshold.
   *
   * @param probabilities the query's softmax over the class logits, (256); the last value, "no object", is not read
   */
  phrases(probabilities: Float32Array, { threshold = 0.1, tokenFraction = 0.25 }: SpanOptions = {}): TextSpan[] {
    const meant = this.meantWords(probabilities, tokenFraction);
    const groups = this.joined(meant).map((group) => this.trimmed(group));
    const withContent = groups.filter(({ hasContent }) => hasContent);
    return (withContent.length > 0 ? withContent : groups)
      .map(({ first, last }) => {
        const { start } = this.words[first]!;
        const { end } = this.words[last]!;
        return { start, end, text: this.caption.slice(start, end), score: this.mass(probabilities, start, end) };
      })
      .filter(({ score }) => score > 0 && score >= threshold)
      .sort((a, b) => b.score - a.score || a.start - b.start);
  }

  /** Indices of the words that a selected token overlaps, ascending. */
  private meantWords(probabilities: Float32Array, tokenFraction: number): number[] {
    let strongest = 0;
    this.wordsOfToken.forEach((words, token) => {
      if (words.length > 0) strongest = Math.max(strongest, probabilities[token]!);
    });
    const meant = new Set<number>();
    this.wordsOfToken.forEach((words, token) => {
      if (probabilities[token]! > 0 && probabilities[token]! >= tokenFraction * strongest)
        for (const word of words) meant.add(word);
    });
    return [...meant].sort((a, b) => a - b);
  }

  /** Runs of selected words, as the indices of the first and the last word. */
  private joined(meant: readonly number[]): { first: number; last: number }[] {
    const groups: { first: number; last: number }[] = [];
    for (const word of meant) {
      const group = groups.at(-1);
      if (group !== undefined && this.isTied(group.last, word)) group.last = word;
      else groups.push({ first: word, last: word });
    }
    return groups;
  }

  private isTied(from: number, to: number): boolean {
    if (to - from > 3) return false;
    for (let word = from; word < to; word++) {
      if (word > from && !bridges.has(this.words[word]!.lower)) return false;
      if (!this.isGapTied(word)) return false;
    }
    return true;
  }

  /** Whether the text between a word and the next one joins them. */
  private isGapTied(word: number): boolean {
    return WORD_TIE.test(this.caption.slice(this.words[word]!.end, this.words[word + 1]!.start));
  }

  private trimmed(group: { readonly first: number; readonly last: number }) {
    let { first, last } = group;
    const is = (word: number, ...sets: ReadonlySet<string>[]) => sets.some((set) => set.has(this.words[word]!.lower));
    while (first <= last && is(first, connectives)) first++;
    while (last >= first && is(last, connectives, articles)) last--;
    if (first > last) return { ...group, hasContent: false };
    if (first > 0 && !is(first, articles) && is(first - 1, articles) && this.isGapTied(first - 1)) first--;
    return { first, last, hasContent: true };
  }

  /**
   * Probability that one query gives to a range of the caption: the sum over the tokens that touch it.
   *
   * @param probabilities as for `phrases`
   */
  mass(probabilities: Float32Array, start: number, end: number): number {
    let sum = 0;
    this.tokenRanges.forEach((range, token) => {
      if (range !== undefined && range[0] < end && range[1] > start) sum += probabilities[token]!;
    });
    return sum;
  }
}
