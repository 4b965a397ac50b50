import type { PhotoRow, RelativeBox } from './photo-row.ts';
import { captionWords } from '../../text/index.ts';
import { COLORS, type ColorName } from '../../text/lexicon/concepts.ts';
import type { Random } from '../../random/random.ts';
import type { Lexicon } from '../../text/lexicon/lexicon.ts';

/** Text about a photograph, and the objects that its phrases refer to. */
export interface PhotoText {
  readonly text: string;
  readonly phrases: readonly { readonly start: number; readonly end: number; readonly objects: readonly number[] }[];
}

/** Kinds of texts and their shares. */
export const PHOTO_TEXT_SHARES = {
  noun: 0.28,
  list: 0.2,
  qualified: 0.3,
  absent: 0.12,
  caption: 0.1,
} as const;
/** Kinds of captions that are made for photographs. */
export type PhotoTextKind = keyof typeof PHOTO_TEXT_SHARES;

/** Words of the texts that are made about photographs, in lower case: those of nouns, frames and qualifiers, and of the captions. */
export const wordsOfPhotoTexts = (rows: Iterable<PhotoRow>, lexicon: Lexicon): ReadonlySet<string> => {
  const made = [
    ...FRAMES,
    ...LIST_SEPARATORS,
    ...NUMBERS,
    ...Object.values({ ...PLACE_FRAMES, ...SIZE_FRAMES, ...COLOR_WORDS }).flat(),
    ...PERSON_COLOR_FRAMES.map((frame) => frame.replace('COLOR', '')),
    ...COLORS,
    ...Array.from(lexicon.names, ([name]) => name),
    'a an the all one',
  ];
  const words = new Set(made.flatMap(captionWords));
  for (const { captions } of rows)
    for (const { caption } of captions) for (const word of captionWords(caption)) words.add(word);
  return words;
};

/** Objects of an image with what is known about them. */
export interface DescribedImage {
  readonly row: PhotoRow;
  /** Color of every object; undefined where none prevails. */
  readonly colors: readonly (ColorName | undefined)[];
}

/** Frames around a noun phrase; `*` stands for it. */
const FRAMES = ['*', '*', '*', '*.', 'find *', 'where is *?', 'show me *', 'look for *', 'is there *?', 'I see *'];
const LIST_SEPARATORS = [', ', ' and ', '. ', ' next to '];
const NUMBERS = ['', '', 'two', 'three', 'four', 'five'];

const PLACE_FRAMES: Readonly<Record<string, readonly string[]>> = {
  left: [
    'the * on the left',
    'left *',
    'the left *',
    'leftmost *',
    '* to the left',
    'the * on the left side',
    '* on left',
  ],
  right: [
    'the * on the right',
    'right *',
    'the right *',
    'rightmost *',
    '* to the right',
    'the * on the right side',
    '* on right',
  ],
  top: ['the * at the top', 'top *', 'the upper *', 'the * on top', '* at the top', 'the top *'],
  bottom: ['the * at the bottom', 'bottom *', 'the lower *', '* at the bottom', 'the bottom *'],
  middle: ['the * in the middle', 'middle *', 'the * in the center', 'the middle *', 'center *'],
};
const SIZE_FRAMES: Readonly<Record<string, readonly string[]>> = {
  large: ['the big *', 'the bigger *', 'the biggest *', 'large *', 'the larger *', 'the largest *', 'big *'],
  small: ['the small *', 'the smaller *', 'the smallest *', 'little *', 'the little *', 'small *', 'the tiny *'],
};
const COLOR_WORDS: Readonly<Record<string, readonly string[]>> = {
  gray: ['gray', 'grey', 'silver'],
  brown: ['brown', 'tan'],
};

/** Frames of a color beside a person, whose clothes have it; `COLOR` stands for its word. */
const PERSON_COLOR_FRAMES = ['the * in COLOR', '* in COLOR', 'the * wearing COLOR'];

/**
 * Makes a text about an image, or returns undefined if the image has none of the kind.
 *
 * @param nouns all nouns that may be called absent
 */
export const makePhotoText = (
  kind: PhotoTextKind,
  image: DescribedImage,
  lexicon: Lexicon,
  random: Random,
): PhotoText | undefined => {
  switch (kind) {
    case 'noun':
      return nounText(image, lexicon, random);
    case 'list':
      return listText(image, lexicon, random);
    case 'qualified':
      return qualifiedText(image, lexicon, random);
    case 'absent':
      return absentText(image, lexicon, random);
    case 'caption': {
      const { captions } = image.row;
      if (captions.length === 0) return undefined;
      const { caption, phrases } = captions[random.below(captions.length)]!;
      return { text: caption, phrases };
    }
  }
};

const isCertain = ({ objects, ignored }: PhotoRow, noun: string): boolean =>
  !ignored.some((other) => other.noun === noun) &&
  objects.every((object) => object.noun !== noun || object.weight >= 0.45);

const objectsOf = ({ objects }: PhotoRow, noun: string): readonly number[] =>
  objects.flatMap((object, index) => (object.noun === noun ? [index] : []));

const certainNouns = (row: PhotoRow): readonly string[] =>
  [...new Set(row.objects.map(({ noun }) => noun))].filter((noun) => isCertain(row, noun));

/** A noun of the image, with doubtful ones now and then: their sure objects are right, whatever else is there. */
const pickNoun = (row: PhotoRow, random: Random): string | undefined => {
  const nouns = random.chance(0.85) ? certainNouns(row) : [...new Set(row.objects.map(({ noun }) => noun))];
  // People are in most images; other nouns are chosen first.
  const others = nouns.filter((noun) => noun !== 'person');
  const pool = others.length > 0 && random.chance(0.7) ? others : nouns;
  return pool.length === 0 ? undefined : pool[random.below(pool.length)];
};

const absentNoun = ({ row }: DescribedImage, lexicon: Lexicon, random: Random): string | undefined => {
  const present = new Set([...row.objects, ...row.ignored].map(({ noun }) => noun));
  if (row.folderNoun !== undefined) present.add(row.folderNoun);
  for (let tries = 0; tries < 10; tries++) {
    const noun = lexicon.nouns[random.below(lexicon.nouns.length)]!;
    if (!present.has(noun)) return noun;
  }
  return undefined;
};

const nameOf = (noun: string, lexicon: Lexicon, random: Random): string => {
  const names = lexicon.namesOf(noun);
  // "person" has a hundred names, most of which say more than the image shows.
  const isGeneral = noun === 'person' || random.chance(0.65);
  return isGeneral ? noun : names[random.below(names.length)]!;
};

const article = (name: string): string => (/^[aeiou]/.test(name) ? 'an' : 'a');

const nounPhrase = (noun: string, count: number, lexicon: Lexicon, random: Random): string => {
  const name = nameOf(noun, lexicon, random);
  if (count > 1 && random.chance(0.5)) {
    const plural = lexicon.pluralOf(name);
    const number = NUMBERS[count];
    if (number !== undefined && number !== '' && random.chance(0.35)) return `${number} ${plural}`;
    return random.chance(0.6) ? `the ${plural}` : random.chance(0.5) ? plural : `all the ${plural}`;
  }
  return random.pickWeighted([`the ${name}`, `${article(name)} ${name}`, name], [0.5, 0.3, 0.2]);
};

/** Puts a phrase into a frame. */
const framed = (phrase: string, objects: readonly number[], random: Random): PhotoText => {
  const frame = FRAMES[random.below(FRAMES.length)]!;
  const start = frame.indexOf('*');
  const text = frame.replace('*', () => phrase);
  return { text, phrases: [{ start, end: start + phrase.length, objects }] };
};

const nounText = ({ row }: DescribedImage, lexicon: Lexicon, random: Random): PhotoText | undefined => {
  const noun = pickNoun(row, random);
  if (noun === undefined) return undefined;
  const objects = objectsOf(row, noun);
  return framed(nounPhrase(noun, objects.length, lexicon, random), objects, random);
};

const absentText = (image: DescribedImage, lexicon: Lexicon, random: Random): PhotoText | undefined => {
  const noun = absentNoun(image, lexicon, random);
  if (noun === undefined) return undefined;
  const phrase = nounPhrase(noun, random.chance(0.3) ? 2 : 1, lexicon, random);
  const { text } = framed(random.chance(0.25) ? `the ${anyQualifier(random)} ${noun}` : phrase, [], random);
  return { text, phrases: [] };
};

const anyQualifier = (random: Random): string => {
  const words = ['red', 'blue', 'green', 'white', 'black', 'brown', 'big', 'small', 'left', 'right'];
  return words[random.below(words.length)]!;
};

const listText = (image: DescribedImage, lexicon: Lexicon, random: Random): PhotoText | undefined => {
  const { row } = image;
  const wanted = random.chance(0.6) ? 2 : 3;
  const nouns: string[] = [];
  for (let tries = 0; tries < 8 && nouns.length < wanted; tries++) {
    const noun = random.chance(0.3) ? absentNoun(image, lexicon, random) : pickNoun(row, random);
    if (noun !== undefined && !nouns.includes(noun)) nouns.push(noun);
  }
  if (nouns.length < 2) return undefined;
  const separator = LIST_SEPARATORS[random.below(LIST_SEPARATORS.length)]!;
  let text = '';
  const phrases = nouns.flatMap((noun) => {
    const objects = objectsOf(row, noun);
    const phrase = nounPhrase(noun, objects.length, lexicon, random);
    if (text !== '') text += separator;
    const start = text.length;
    text += phrase;
    return objects.length === 0 ? [] : [{ start, end: text.length, objects }];
  });
  return { text, phrases };
};

/** An object of several of its noun, told apart by place, size or color; or the color of a single one. */
const qualifiedText = (image: DescribedImage, lexicon: Lexicon, random: Random): PhotoText | undefined => {
  const { row, colors } = image;
  const nouns = certainNouns(row).filter((noun) => objectsOf(row, noun).length <= 6);
  const several = nouns.filter((noun) => objectsOf(row, noun).length > 1);
  const pool = several.length > 0 ? several : nouns;
  if (pool.length === 0) return undefined;
  const noun = pool[random.below(pool.length)]!;
  const objects = objectsOf(row, noun);
  const choices: { readonly phrase: string; readonly object: number }[] = [];
  const name = noun === 'person' ? random.pickWeighted(['person', 'one'], [0.9, 0.1]) : nameOf(noun, lexicon, random);
  const addFrom = (frames: readonly string[], object: number | undefined): void => {
    if (object !== undefined)
      choices.push({ phrase: frames[random.below(frames.length)]!.replace('*', () => name), object });
  };
  if (objects.length > 1) {
    for (const [place, frames] of Object.entries(PLACE_FRAMES)) addFrom(frames, extreme(row, objects, place));
    for (const [size, frames] of Object.entries(SIZE_FRAMES)) addFrom(frames, extreme(row, objects, size));
  }
  for (const object of objects) {
    const color = colors[object];
    const isUnique =
      color !== undefined && objects.every((other) => other === object || (colors[other] ?? color) !== color);
    if (!isUnique || (objects.length === 1 && random.chance(0.5))) continue;
    const words = COLOR_WORDS[color] ?? [color];
    const word = words[random.below(words.length)]!;
    const frames =
      noun === 'person'
        ? PERSON_COLOR_FRAMES.map((frame) => frame.replace('COLOR', word))
        : [`the ${word} *`, `${article(word)} ${word} *`, `${word} *`];
    // Colors are rarer than places: each counts twice.
    addFrom(frames, object);
    addFrom(frames, object);
  }
  if (choices.length === 0) return undefined;
  const { phrase, object } = choices[random.below(choices.length)]!;
  if (random.chance(0.75)) return { text: phrase, phrases: [{ start: 0, end: phrase.length, objects: [object] }] };
  return framed(phrase, [object], random);
};

const centerOf = ([x0, y0, x1, y1]: RelativeBox): readonly [number, number] => [(x0 + x1) / 2, (y0 + y1) / 2];
const areaOf = ([x0, y0, x1, y1]: RelativeBox): number => (x1 - x0) * (y1 - y0);

/** The object that a word tells apart from all others of its noun by a clear margin. */
export const extreme = ({ objects }: PhotoRow, candidates: readonly number[], word: string): number | undefined => {
  const values = candidates.map((index) => {
    const { box } = objects[index]!;
    const [x, y] = centerOf(box);
    if (word === 'left') return -x;
    if (word === 'right') return x;
    if (word === 'top') return -y;
    if (word === 'bottom') return y;
    return word === 'large' ? Math.log(areaOf(box)) : -Math.log(areaOf(box));
  });
  if (word === 'middle') {
    if (candidates.length !== 3) return undefined;
    const sorted = candidates.toSorted((a, b) => centerOf(objects[a]!.box)[0] - centerOf(objects[b]!.box)[0]);
    const xs = sorted.map((index) => centerOf(objects[index]!.box)[0]) as [number, number, number];
    return xs[1] - xs[0] > 0.1 && xs[2] - xs[1] > 0.1 ? sorted[1] : undefined;
  }
  const order = values.map((_, index) => index).toSorted((a, b) => values[b]! - values[a]!);
  const margin = word === 'large' || word === 'small' ? Math.log(1.5) : 0.08;
  return values[order[0]!]! - values[order[1]!]! >= margin ? candidates[order[0]!] : undefined;
};
