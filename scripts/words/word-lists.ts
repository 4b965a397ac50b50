import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PHRASECUT_ATTRIBUTE_TYPES, PHRASECUT_STUFF } from '../../src/metrics/phrasecut-vocabulary.ts';
import { WIDE_SCENE_VOCABULARY } from '../../src/scenes/language/vocabulary.ts';
import { COCO_NOUNS } from '../../src/text/lexicon/concepts.ts';
import { regularPlural } from '../../src/text/lexicon/lexicon.ts';
import type { WordVectors } from './word-vectors.ts';

/** Lexicographer files of WordNet whose nouns can be seen: animals, artifacts, the body, food, objects, plants. */
const VISIBLE_NOUNS: ReadonlySet<string> = new Set(['05', '06', '08', '13', '17', '20']);

/** People; WordNet's file of them has mostly professions and names. */
const PEOPLE = (
  'man woman boy girl child baby kid toddler person adult lady guy gentleman player rider skater surfer skier biker ' +
  'cyclist runner swimmer climber dancer singer musician worker driver pilot soldier policeman fireman chef cook waiter ' +
  'student teacher doctor nurse farmer fisherman bride groom couple crowd team group family friend tourist pedestrian'
).split(' ');

/** Actions and states in captions. */
const ACTIONS = (
  'wearing holding sitting standing walking running riding playing jumping looking eating drinking carrying flying ' +
  'lying sleeping smiling swimming climbing throwing catching hitting kicking pulling pushing hanging leaning parked ' +
  'covered filled surrounded reading talking dancing singing skating surfing skiing cutting cooking dressed posing ' +
  'watching crossing driving floating splashing chasing biting pointing hugging kissing waving working racing'
).split(' ');

const IRREGULAR_PLURALS: Readonly<Record<string, string>> = {
  man: 'men',
  woman: 'women',
  child: 'children',
  person: 'people',
  foot: 'feet',
  tooth: 'teeth',
  mouse: 'mice',
  goose: 'geese',
  leaf: 'leaves',
  knife: 'knives',
  shelf: 'shelves',
  wolf: 'wolves',
  loaf: 'loaves',
  half: 'halves',
};

const pluralOf = (noun: string): string => IRREGULAR_PLURALS[noun] ?? regularPlural(noun);

/** Nouns whose most frequent sense in WordNet is something visible. */
const visibleNouns = async (wordnet: string): Promise<ReadonlySet<string>> => {
  const fileOfSynset = new Map<string, string>();
  for (const line of (await readFile(join(wordnet, 'data.noun'), 'utf8')).split('\n')) {
    const [offset, file] = line.split(' ', 2);
    if (/^\d{8}$/.test(offset ?? '')) fileOfSynset.set(offset!, file!);
  }
  const nouns = new Set<string>();
  for (const line of (await readFile(join(wordnet, 'index.noun'), 'utf8')).split('\n')) {
    if (!/^[a-z]/.test(line)) continue;
    const fields = line.trim().split(/ +/);
    const senses = Number(fields[2]);
    const first = fields[fields.length - senses]!;
    if (VISIBLE_NOUNS.has(fileOfSynset.get(first) ?? '')) nouns.add(fields[0]!);
  }
  return nouns;
};

const isWord = (word: string): boolean => /^[a-z]+$/.test(word);

/**
 * Whole words of the vocabulary: punctuation, digits, the words of the scenes, everyday nouns and attributes of COCO and
 * PhraseCut, the most frequent words, and frequent nouns of visible things with their plurals, up to `count`.
 */
export const wordList = async (
  vectors: WordVectors,
  wordnet: string,
  count: number,
  extra: readonly string[] = [],
): Promise<readonly string[]> => {
  const words = new Set<string>(Array.from(`.,;:?!'"&/-()+=%#@*<>`));
  for (let digit = 0; digit <= 20; digit++) words.add(String(digit));
  for (const word of WIDE_SCENE_VOCABULARY) words.add(word);
  const add = (word: string): void => {
    if (words.size < count && isWord(word) && vectors.has(word)) words.add(word);
  };
  for (const word of extra) add(word.toLowerCase());
  const names = [...COCO_NOUNS, ...PHRASECUT_STUFF, ...Object.values(PHRASECUT_ATTRIBUTE_TYPES).flat()];
  for (const word of names.flatMap((name) => name.split(/[ -]/))) {
    add(word);
    if (COCO_NOUNS.some((noun) => noun === word)) add(pluralOf(word));
  }
  for (const word of Object.values(IRREGULAR_PLURALS)) add(word);
  for (const word of PEOPLE) [word, pluralOf(word)].forEach(add);
  for (const word of ACTIONS) add(word);
  const frequent = vectors.words.filter(isWord);
  for (const word of frequent.slice(0, 500)) add(word);
  const nouns = await visibleNouns(wordnet);
  const common = new Set(frequent.slice(0, 20_000));
  for (const word of frequent) {
    if (!nouns.has(word) || word.length < 3) continue;
    add(word);
    if (common.has(pluralOf(word))) add(pluralOf(word));
  }
  return [...words];
};
