import * as z from 'zod';
import { MdetrError, quoted } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import { type AddedToken, LONGEST_ADDED_TOKEN, MAX_ADDED_TOKENS } from './added-tokens.ts';
import { bpeTableOf, ByteLevelBpe, type ByteLevelBpeConfig } from './byte-level.ts';
import { WordLevel } from './word-level.ts';
import { byteToken, WORD_PIECE_SPLITTERS, WORD_START, WordPieces } from './word-pieces.ts';
import type { WordModel } from './word-tokens.ts';

/**
 * Readers of the two formats of vocabularies: `tokenizer.json` (byte-level BPE, words and pieces, or word-level) and the older
 * pair of `vocab.json` and `merges.txt`. The files are untrusted input: everything is checked before it is used.
 */

/** Token string of each id; missing for unused ids. */
export interface Vocabulary {
  /** The largest id plus 1. */
  readonly length: number;
  at(id: number): string | undefined;
}

/** Contents of a tokenizer file. */
export interface TokenizerDefinition {
  readonly words: WordModel;
  readonly vocabulary: Vocabulary;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  readonly addedTokens: readonly AddedToken[];
  /** Vocabulary and merges of byte-level BPE, from which its tables can be packed. */
  readonly bpe?: ByteLevelBpeConfig;
}

/** Maximum id: no published vocabulary is larger, and a table of that size is allocated. */
const LARGEST_ID = 2_000_000;

const addedTokenSchema = z.object({
  content: z.string().min(1).max(LONGEST_ADDED_TOKEN),
  id: z.int().nonnegative().max(LARGEST_ID),
  single_word: z.literal(false, 'single_word tokens are not supported').optional(),
  lstrip: z.boolean().optional(),
  rstrip: z.boolean().optional(),
});
const nameAndId = z.tuple([z.string(), z.int().nonnegative()]);
const piece = z.union([
  z.object({ SpecialToken: z.object({ id: z.string() }) }),
  z.object({ Sequence: z.object({ id: z.literal('A') }) }),
]);
const postProcessorSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('RobertaProcessing'), cls: nameAndId, sep: nameAndId }),
  z.object({ type: z.literal('TemplateProcessing'), single: z.array(piece).max(16) }),
]);
const modelSchema = z.object({
  type: z.enum(['BPE', 'WordLevel', 'WordPiece']).optional(),
  vocab: z.unknown(),
  merges: z.unknown().optional(),
  unk_token: z.string().nullish(),
  continuing_subword_prefix: z.string().max(100).nullish(),
  end_of_word_suffix: z.literal('').nullish(),
  byte_fallback: z.boolean().nullish(),
  ignore_merges: z.boolean().nullish(),
});
const tokenizerSchema = z.object({
  added_tokens: z.array(addedTokenSchema).max(MAX_ADDED_TOKENS).default([]),
  normalizer: z.object({ type: z.string() }).nullish(),
  pre_tokenizer: z.object({
    type: z.string(),
    add_prefix_space: z.boolean().optional(),
    use_regex: z.boolean().optional(),
    pretokenizers: z.array(z.record(z.string(), z.unknown())).max(16).optional(),
  }),
  post_processor: postProcessorSchema,
  model: modelSchema,
});
type TokenizerFile = z.infer<typeof tokenizerSchema>;

/**
 * Reads a parsed `tokenizer.json`.
 *
 * @param where name of the file in errors
 * @throws {MdetrError} naming the field that cannot be used
 */
export const readTokenizerJson = (json: unknown, where: string): TokenizerDefinition => {
  const parsed = tokenizerSchema.safeParse(json);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error);
    throw new MdetrError(
      `${where}: ${field === '' ? 'the file' : field}: ${message}. Expected a tokenizer.json with byte-level BPE (RoBERTa), words and pieces (mdetr), or WordLevel.`,
    );
  }
  const file = parsed.data;
  const vocab = readVocab(file.model.vocab, `${where}: model.vocab`);
  for (const { content, id } of file.added_tokens) {
    const known = vocab.get(content);
    if (known !== undefined && known !== id)
      throw new MdetrError(`${where}: token ${quoted(content)} has id ${known} in the vocabulary and ${id} beside it.`);
    vocab.set(content, id);
  }
  const isBpe = (file.model.type ?? (file.model.merges === undefined ? 'WordLevel' : 'BPE')) === 'BPE';
  const bpe = isBpe && file.model.byte_fallback !== true ? readBpe(file, vocab, where) : undefined;
  const words =
    bpe !== undefined ? bpeWords(bpe) : isBpe ? readWordPieces(file, vocab, where) : readWordLevel(file, vocab, where);
  const { begin, end } = readEnds(file.post_processor, where);
  const definition = define(
    words,
    vocab,
    { begin, end },
    file.added_tokens.map(({ content, id, lstrip, rstrip }) => ({
      content,
      id,
      lstrip: lstrip ?? false,
      rstrip: rstrip ?? false,
    })),
    where,
  );
  return bpe === undefined ? definition : { ...definition, bpe };
};

/**
 * Reads RoBERTa's parsed `vocab.json` and the text of `merges.txt`.
 *
 * @param names names of the two files in errors
 * @throws {MdetrError} naming the entry that cannot be used
 */
export const readVocabAndMerges = (
  vocabJson: unknown,
  mergesText: string,
  names: { readonly vocab: string; readonly merges: string },
): TokenizerDefinition => {
  const vocab = readVocab(vocabJson, names.vocab);
  const lines = mergesText.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines[0]?.startsWith('#version') === true) lines.shift();
  while (lines.at(-1) === '') lines.pop();
  const bpe = { vocab, merges: readMerges(lines, vocab, names.merges), unkId: vocab.get('<unk>') };
  const addedTokens = ['<s>', '<pad>', '</s>', '<unk>', '<mask>'].flatMap((content) => {
    const id = vocab.get(content);
    return id === undefined ? [] : [{ content, id, lstrip: content === '<mask>', rstrip: false }];
  });
  return { ...define(bpeWords(bpe), vocab, { begin: '<s>', end: '</s>' }, addedTokens, names.vocab), bpe };
};

const bpeWords = (bpe: ByteLevelBpeConfig): WordModel => new ByteLevelBpe(bpeTableOf(bpe), bpe.unkId);

const readBpe = (file: TokenizerFile, vocab: ReadonlyMap<string, number>, where: string): ByteLevelBpeConfig => {
  if ((file.model.continuing_subword_prefix ?? '') !== '')
    throw new MdetrError(`${where}: model.continuing_subword_prefix must be empty, as in RoBERTa's vocabulary.`);
  const { type, add_prefix_space: addPrefixSpace, use_regex: useRegex } = file.pre_tokenizer;
  if (type !== 'ByteLevel' || addPrefixSpace === true || useRegex === false)
    throw new MdetrError(
      `${where}: pre_tokenizer must be ByteLevel with its word pattern and without add_prefix_space, as MDETR's ` +
        `checkpoints were trained; it is ${quoted(file.pre_tokenizer)}.`,
    );
  if (file.normalizer != null)
    throw new MdetrError(`${where}: normalizer ${quoted(file.normalizer.type)} is not supported with BPE.`);
  if (!Array.isArray(file.model.merges))
    throw new MdetrError(`${where}: model.merges is missing or not a list: byte-level BPE cannot work without it.`);
  return {
    vocab,
    merges: readMerges(file.model.merges, vocab, `${where}: model.merges`),
    unkId: vocab.get(file.model.unk_token ?? '<unk>'),
  };
};

const readWordPieces = (file: TokenizerFile, vocab: ReadonlyMap<string, number>, where: string): WordModel => {
  const { pre_tokenizer: { type, pretokenizers = [] }, model, normalizer } = file; // prettier-ignore
  const isExpected =
    type === 'Sequence' &&
    pretokenizers.length === WORD_PIECE_SPLITTERS.length &&
    WORD_PIECE_SPLITTERS.every((wanted, index) =>
      Object.entries(wanted).every(([key, value]) => pretokenizers[index]![key] === value),
    );
  if (!isExpected || normalizer?.type !== 'Lowercase' || model.ignore_merges !== true)
    throw new MdetrError(
      `${where}: BPE with byte_fallback needs normalizer Lowercase, pre_tokenizer Sequence of BertPreTokenizer and ` +
        'Metaspace (always, without split), and ignore_merges.',
    );
  for (const token of [WORD_START, ...Array.from({ length: 256 }, (_, byte) => byteToken(byte))])
    idOf(vocab, token, where);
  if (!Array.isArray(model.merges)) throw new MdetrError(`${where}: model.merges is missing or not a list.`);
  return new WordPieces({ vocab, merges: readMerges(model.merges, vocab, `${where}: model.merges`) });
};

const readWordLevel = (file: TokenizerFile, vocab: ReadonlyMap<string, number>, where: string): WordModel => {
  if (file.model.type === 'WordPiece') {
    // Without parts of words, WordPiece finds whole words or nothing. `mdetr export` writes it for the hub's libraries.
    const prefix = file.model.continuing_subword_prefix ?? '##';
    const part = prefix === '' ? '' : [...vocab.keys()].find((token) => token.startsWith(prefix));
    if (part !== undefined)
      throw new MdetrError(
        `${where}: WordPiece is supported only for vocabularies of whole words, not with ${quoted(part)}.`,
      );
  }
  if (file.pre_tokenizer.type !== 'BertPreTokenizer')
    throw new MdetrError(
      `${where}: a WordLevel model needs pre_tokenizer BertPreTokenizer, not ${quoted(file.pre_tokenizer.type)}.`,
    );
  if (file.normalizer != null && file.normalizer.type !== 'Lowercase')
    throw new MdetrError(`${where}: normalizer ${quoted(file.normalizer.type)} is not supported; Lowercase is.`);
  const unk = file.model.unk_token ?? '<unk>';
  return new WordLevel({ vocab, unkId: idOf(vocab, unk, where), lowercase: file.normalizer != null });
};

/** Tokens that are added before and after a caption. */
const readEnds = (post: TokenizerFile['post_processor'], where: string): { begin: string; end: string } => {
  if (post.type === 'RobertaProcessing') return { begin: post.cls[0], end: post.sep[0] };
  const [begin, sequence, end, ...more] = post.single;
  if (begin && sequence && end && more.length === 0)
    if ('SpecialToken' in begin && 'Sequence' in sequence && 'SpecialToken' in end)
      return { begin: begin.SpecialToken.id, end: end.SpecialToken.id };
  throw new MdetrError(`${where}: post_processor.single must be one special token, the text, one special token.`);
};

const readVocab = (json: unknown, where: string): Map<string, number> => {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new MdetrError(`${where}: expected an object of token to id.`);
  const vocab = new Map<string, number>();
  const taken = new Uint8Array(LARGEST_ID + 1);
  for (const [token, id] of Object.entries(json as Record<string, unknown>)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > LARGEST_ID)
      throw new MdetrError(`${where}: token ${quoted(token)} has id ${quoted(id)}, not an integer from 0 on.`);
    if (taken[id] === 1)
      throw new MdetrError(`${where}: id ${id} is given twice, the second time to ${quoted(token)}.`);
    taken[id] = 1;
    vocab.set(token, id);
  }
  if (vocab.size === 0) throw new MdetrError(`${where}: it has no tokens.`);
  return vocab;
};

/** Reads merges, which are "left right" strings or pairs; both parts and their concatenation must be tokens. */
const readMerges = (
  list: readonly unknown[],
  vocab: ReadonlyMap<string, number>,
  where: string,
): [left: string, right: string][] =>
  list.map((entry, index) => {
    const parts: unknown[] = typeof entry === 'string' ? entry.split(' ') : Array.isArray(entry) ? entry : [];
    const [left, right] = parts;
    if (parts.length !== 2 || typeof left !== 'string' || typeof right !== 'string' || left === '' || right === '')
      throw new MdetrError(`${where}: merge ${index + 1} is ${quoted(entry)}, not a pair of tokens.`);
    for (const token of [left, right, left + right])
      if (!vocab.has(token))
        throw new MdetrError(
          `${where}: merge ${index + 1} needs token ${quoted(token)}, which is not in the vocabulary.`,
        );
    return [left, right];
  });

const define = (
  words: WordModel,
  vocab: ReadonlyMap<string, number>,
  ends: { readonly begin: string; readonly end: string },
  addedTokens: readonly AddedToken[],
  where: string,
): TokenizerDefinition => {
  let largest = 0;
  for (const id of vocab.values()) largest = Math.max(largest, id);
  // Allocated in full: ids come in any order, and V8 turns arrays that grow with holes into slow hash tables.
  const vocabulary = new Array<string>(largest + 1);
  for (const [token, id] of vocab) vocabulary[id] = token;
  return {
    words,
    vocabulary,
    bosId: idOf(vocab, ends.begin, where),
    eosId: idOf(vocab, ends.end, where),
    padId: idOf(vocab, '<pad>', where),
    addedTokens,
  };
};

const idOf = (vocab: ReadonlyMap<string, number>, token: string, where: string): number => {
  const id = vocab.get(token);
  if (id === undefined) throw new MdetrError(`${where}: the special token ${quoted(token)} is not in the vocabulary.`);
  return id;
};
