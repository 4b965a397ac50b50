/** Captions: tokenization, spans, and positive maps. Nothing here needs Node. */
export { codePointLength, CodePointMap } from './spans/code-points.ts';
export { type EncodedBatch, type Encoding, padEncodings } from './tokenizer/encoding.ts';
export {
  binaryPositiveMap,
  createPositiveMap,
  normalizedPositiveMap,
  type PositiveRow,
  tokensOfSpan,
} from './spans/positive-map.ts';
export { captionPhrases } from './spans/caption-phrases.ts';
export { CaptionSpans, type SpanOptions, type TextSpan } from './spans/spans.ts';
export {
  createTokenizer,
  createTokenizerFromVocab,
  encodeBatch,
  type EncodeOptions,
  type Tokenizer,
  type TokenizerOptions,
} from './tokenizer/tokenizer.ts';
export {
  buildWordLevelTokenizerJson,
  buildWordPiecesTokenizerJson,
  type WordPiecesVocabulary,
} from './tokenizer/build-tokenizer-json.ts';
export type { CodePointSpan, Span } from './spans/span.ts';
export { captionWords, unseenWordWarnings } from './caption-words.ts';
export { wordSpans } from './spans/words.ts';
export { SOFT_TOKEN_CLASSES, SOFT_TOKENS } from './soft-tokens.ts';
