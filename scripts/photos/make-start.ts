/**
 * Makes what the training of photographs starts from: `tokenizer.json` with the words of the pre-trained vectors and pieces for all others, and
 * `start.safetensors` with the detector, the word embeddings (vectors of the words, then a learned part), and the lexicon
 * that wires words to concepts.
 *
 *     npx tsx scripts/photos/make-start.ts SOURCES NANODET.safetensors DATASET
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openCheckpoint, tensorSource, writeSafetensors, type TensorSource } from '../../src/checkpoints/index.ts';
import { COLORS, CONCEPTS, CONCEPTS_PER_TOKEN, PLACES, SIZES } from '../../src/text/lexicon/concepts.ts';
import { Random } from '../../src/random/random.ts';
import { buildWordPiecesTokenizerJson, createTokenizer } from '../../src/text/index.ts';
import { Lexicon, type LexiconJson } from '../../src/text/lexicon/lexicon.ts';
import { normalize, pieceVectors } from '../words/piece-vectors.ts';
import { CHARACTERS, trainPieces } from '../words/train-pieces.ts';

const WIDTH = 160;
/** Spread of the learned part: that of the pre-trained vectors. */
const LEARNED_SIGMA = 0.4;
/** Pieces of words that are not in the list, besides single characters. */
const PIECES = 500;

const { positionals } = parseArgs({ allowPositionals: true });
const [sources, nanodet, dataset] = positionals;
if (sources === undefined || nanodet === undefined || dataset === undefined)
  throw new Error('usage: make-start.ts SOURCES NANODET.safetensors DATASET');

const { synonyms, plurals } = JSON.parse(readFileSync(join(dataset, 'lexicon.json'), 'utf8')) as LexiconJson;
const lexicon = Lexicon.fromSynonyms(synonyms, plurals);
const known = JSON.parse(readFileSync(join(sources, 'words/words.json'), 'utf8')) as string[];
const isOneWord = (word: string): boolean => /^[\p{L}\p{N}]+$/u.test(word);
// prettier-ignore
const words = [
  ...new Set([
    ...known.filter((word) => isOneWord(word) && word === word.toLowerCase()),
    'a', '.', ',', '?', '!', "'", '-', ':', ';', '"', '(', ')', '&', '/',
    ...Array.from({ length: 21 }, (_, number) => String(number)),
    ...Array.from(lexicon.names, ([name]) => name.match(/[\p{L}\p{N}]+/gu) ?? []).flat(),
    's', 't', 'grey', 'leftmost', 'rightmost', 'lower', 'upper',
  ]),
];
const spelled = known.filter((word) => /^[a-z]{3,}$/.test(word));
const pieces = { characters: CHARACTERS, merges: trainPieces(spelled, PIECES) };
const tokenizer = buildWordPiecesTokenizerJson({ words, ...pieces });
writeFileSync(join(dataset, 'tokenizer.json'), `${JSON.stringify(tokenizer)}\n`);
const { vocab } = (tokenizer as { model: { vocab: Record<string, number> } }).model;
const size = Math.max(...Object.values(vocab)) + 1;
const idOf = (word: string): number | undefined => vocab[`▁${word}`];

/** Concepts by word. The words of a name of several words mean its noun, unless they have a meaning of their own. */
const meanings = new Map<string, Set<string>>();
const mean = (word: string, concept: string): void => {
  const own = meanings.get(word) ?? new Set();
  if (own.size < CONCEPTS_PER_TOKEN) own.add(concept);
  meanings.set(word, own);
};
const names = [...lexicon.names].filter(([, { noun }]) => CONCEPTS.includes(noun));
for (const [name, { noun }] of names) if (!name.includes(' ')) mean(name, noun);
const STOP = new Set('in a of the set flat race love mobile smart sports little young beach house'.split(' '));
for (const [name, { noun }] of names) {
  if (!name.includes(' ')) continue;
  const parts = name.split(' ').toReversed();
  // The head of the name first: "sign" of "stop sign"; "hot" of "hot dog", whose head is another noun.
  const part = parts.find((word) => !STOP.has(word) && !meanings.has(word));
  if (part !== undefined && (name === noun || part === parts[0])) mean(part, noun);
}
const PLACE_WORDS: Readonly<Record<string, readonly string[]>> = {
  left: ['left', 'leftmost'],
  right: ['right', 'rightmost'],
  top: ['top', 'upper', 'above', 'highest'],
  bottom: ['bottom', 'lower', 'below', 'lowest', 'under'],
  middle: ['middle', 'center', 'centre', 'central'],
};
const SIZE_WORDS: Readonly<Record<string, readonly string[]>> = {
  large: ['large', 'larger', 'largest', 'big', 'bigger', 'biggest', 'huge', 'tall', 'giant', 'closest', 'nearest'],
  small: ['small', 'smaller', 'smallest', 'little', 'tiny', 'short', 'farthest', 'distant'],
};
const COLOR_WORDS: Readonly<Record<string, readonly string[]>> = {
  gray: ['gray', 'grey', 'silver', 'metal'],
  brown: ['brown', 'tan', 'wooden', 'beige'],
  yellow: ['yellow', 'golden', 'gold', 'blonde', 'blond'],
  black: ['black', 'dark'],
  purple: ['purple', 'violet'],
  blue: ['blue', 'navy'],
};
for (const place of PLACES) for (const word of PLACE_WORDS[place]!) mean(word, place);
for (const name of SIZES) for (const word of SIZE_WORDS[name]!) mean(word, name);
for (const color of COLORS) for (const word of COLOR_WORDS[color] ?? [color]) mean(word, color);

const table = new Float32Array(size * CONCEPTS_PER_TOKEN);
for (const [word, concepts] of meanings) {
  const id = idOf(word);
  if (id === undefined) continue;
  [...concepts].forEach((concept, column) => {
    table[id * CONCEPTS_PER_TOKEN + column] = CONCEPTS.indexOf(concept) + 1;
  });
}

const glove = await openCheckpoint(join(sources, 'words/glove-100d.safetensors'));
const vectors = await glove.tensors.get('vectors')!.readFloat32();
await glove.close();
const dimensions = vectors.length / known.length;
const random = Random.of(1, 'word embeddings');
const embeddings = Float32Array.from({ length: size * WIDTH }, () => LEARNED_SIGMA * random.normal());
const vectorOf = (row: number): Float32Array => vectors.subarray(row * dimensions, (row + 1) * dimensions);
known.forEach((word, row) => {
  const id = idOf(word);
  if (id === undefined) return;
  embeddings.set(vectorOf(row), id * WIDTH);
});
// Words are read in pieces here, so that each piece gets the mean of those that contain it.
const rows = new Map(known.map((word, row) => [word, row]));
const onlyPieces = createTokenizer(buildWordPiecesTokenizerJson({ words: [], ...pieces }));
for (const [id, vector] of pieceVectors(onlyPieces, spelled, (word) => normalize(vectorOf(rows.get(word)!))))
  embeddings.set(
    normalize(vector).map((value) => LEARNED_SIGMA * value),
    id * WIDTH,
  );

const detector = await openCheckpoint(nanodet);
const tensors: TensorSource[] = [
  ...detector.tensors.values(),
  tensorSource('transformer.text_encoder.embeddings.word_embeddings.weight', [size, WIDTH], embeddings),
  tensorSource('priming.lexicon', [size, CONCEPTS_PER_TOKEN], table),
];
await writeSafetensors(join(dataset, 'start.safetensors'), tensors);
await detector.close();
console.log(
  `${words.length} words, ${meanings.size} of them linked to ${CONCEPTS.length} concepts; vocab_size ${size}`,
);
