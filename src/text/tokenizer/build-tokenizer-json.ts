import { quoted, UsageError } from '../../errors.ts';
import { isOneWord } from './word-level.ts';
import { byteToken, WORD_PIECE_SPLITTERS, WORD_START } from './word-pieces.ts';

/** RoBERTa's special tokens, at ids 0 to 3. */
const SPECIAL_TOKENS = ['<s>', '<pad>', '</s>', '<unk>'] as const;

/**
 * Builds the `tokenizer.json` of a word-level vocabulary in lower case: RoBERTa's special tokens at ids 0 to 3, then the
 * words in the given order.
 *
 * @throws {UsageError} for a word that the splitter would split ("x-ray" is three), or that is listed twice
 */
export const buildWordLevelTokenizerJson = (words: readonly string[]): Record<string, unknown> => {
  const vocab = new Map<string, number>(SPECIAL_TOKENS.map((token, id) => [token, id]));
  for (const word of words) addWord(vocab, word, word);
  return fileOf({
    pre_tokenizer: { type: 'BertPreTokenizer' },
    model: { type: 'WordLevel', vocab: Object.fromEntries(vocab), unk_token: '<unk>' },
  });
};

/** Adds the token of a word, with the next id. */
const addWord = (vocab: Map<string, number>, word: string, token: string): void => {
  if (word !== word.toLowerCase() || !isOneWord(word))
    throw new UsageError(`${quoted(word)} is not one lower-case word: the tokenizer would never produce it.`);
  if (vocab.has(token)) throw new UsageError(`The word ${quoted(word)} is listed twice.`);
  vocab.set(token, vocab.size);
};

/** A tokenizer file in lower case with one special token at each end; the first four ids are special. */
const fileOf = (parts: Readonly<Record<'pre_tokenizer' | 'model', unknown>>) => {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const specialToken = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({ id, content, ...flags })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: parts.pre_tokenizer,
    post_processor: {
      type: 'TemplateProcessing',
      single: [specialToken('<s>'), { Sequence: { id: 'A', type_id: 0 } }, specialToken('</s>')],
      pair: [],
      special_tokens: {
        '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
        '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] },
      },
    },
    decoder: null,
    model: parts.model,
  };
};

/** Contents of a vocabulary of words and pieces. */
export interface WordPiecesVocabulary {
  /** Whole words and punctuation marks in lower case. */
  readonly words: readonly string[];
  /** Single characters. */
  readonly characters: readonly string[];
  /** Merges of characters and pieces, best first; each makes a piece. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/**
 * Builds the `tokenizer.json` of words and pieces (see `WordPieces`): RoBERTa's special tokens, the 256 bytes, the start
 * sign, characters, pieces, and words, in this order.
 *
 * @throws {UsageError} for a word that the splitter would split, or that is listed twice
 */
export const buildWordPiecesTokenizerJson = ({
  words,
  characters,
  merges,
}: WordPiecesVocabulary): Record<string, unknown> => {
  const vocab = new Map<string, number>();
  const add = (token: string): void => {
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  };
  SPECIAL_TOKENS.forEach(add);
  for (let byte = 0; byte < 256; byte++) add(byteToken(byte));
  [WORD_START, ...characters, ...merges.map(([left, right]) => left + right)].forEach(add);
  for (const word of words) addWord(vocab, word, WORD_START + word);
  return fileOf({
    pre_tokenizer: { type: 'Sequence', pretokenizers: WORD_PIECE_SPLITTERS },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: true,
      ignore_merges: true,
      vocab: Object.fromEntries(vocab),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  });
};
