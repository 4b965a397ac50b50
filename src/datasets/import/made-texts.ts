import type { Random } from '../../random/random.ts';
import { pluralOf, withArticle } from './plural.ts';
import type { PlacedImage, PlacedObject } from './placed-images.ts';

/** Kinds of captions that are made for images with classes. */
export type TextKind = 'classes' | 'prompts' | 'captions';
/** Ways to make captions from classes. */
export const TEXT_KINDS: readonly TextKind[] = ['classes', 'prompts', 'captions'];

/** A caption with the objects of each of its phrases; those of absent classes have none. */
export interface MadeText {
  readonly caption: string;
  readonly phrases: readonly {
    readonly start: number;
    readonly end: number;
    readonly objects: readonly PlacedObject[];
  }[];
}

export interface MadeTextOptions {
  /** All phrases that objects of the dataset have. */
  readonly vocabulary: readonly string[];
  /** Number of absent classes that are mentioned: for `classes` in each caption, else captions of their own. */
  readonly negatives: number;
  /** Maximum length of a caption in tokens. */
  readonly maxTokens: number;
  /** Maximum number of objects of a caption; one class with more is not divided. */
  readonly maxObjects: number;
  readonly phraseOf: (object: PlacedObject) => string;
}

const NUMBERS = ['two', 'three', 'four', 'five', 'six'];

/** Captions of one kind for an image. Every object is in one of them. */
export const makeTexts = (kind: TextKind, image: PlacedImage, options: MadeTextOptions, random: Random): MadeText[] => {
  const groups = new Map<string, PlacedObject[]>();
  for (const object of image.objects) {
    const phrase = options.phraseOf(object);
    const own = groups.get(phrase);
    if (own === undefined) groups.set(phrase, [object]);
    else own.push(object);
  }
  const absent = shuffled(
    options.vocabulary.filter((phrase) => !groups.has(phrase)),
    random,
  );
  if (kind === 'classes') return classLists(groups, absent, options, random);
  if (kind === 'prompts')
    return [
      ...[...groups].map(([phrase, objects]) => ({
        caption: phrase,
        phrases: [{ start: 0, end: phrase.length, objects }],
      })),
      // As many absent classes as there are present ones, so that an empty answer is no good guess.
      ...absent.slice(0, Math.min(options.negatives, Math.max(1, groups.size))).map(absentText),
    ];
  return naturalCaptions(image, groups, absent, options, random);
};

/**
 * Lists of classes, `cat. dog. car.`, in random order: those of the image, and absent ones up to the number of negatives
 * and the length of a caption. An image with more classes or objects than a caption holds has several lists.
 */
const classLists = (
  groups: ReadonlyMap<string, readonly PlacedObject[]>,
  absent: readonly string[],
  { negatives, maxTokens, maxObjects }: MadeTextOptions,
  random: Random,
): MadeText[] => {
  const lists: string[][] = [];
  let [room, objects] = [0, 0];
  for (const phrase of shuffled([...groups.keys()], random)) {
    const [cost, count] = [tokensOf(phrase), groups.get(phrase)!.length];
    if (lists.length === 0 || cost > room || objects + count > maxObjects) {
      lists.push([]);
      [room, objects] = [maxTokens, 0];
    }
    lists.at(-1)!.push(phrase);
    room -= cost;
    objects += count;
  }
  if (lists.length === 0) {
    lists.push([]);
    room = maxTokens;
  }
  let added = 0;
  for (const phrase of absent) {
    const cost = tokensOf(phrase);
    if (added === negatives) break;
    if (cost > room) continue;
    lists.at(-1)!.push(phrase);
    room -= cost;
    added++;
  }
  return lists
    .filter((list) => list.length > 0)
    .map((list) => {
      let caption = '';
      const phrases: MadeText['phrases'][number][] = [];
      for (const phrase of shuffled(list, random)) {
        if (caption !== '') caption += ' ';
        const objects = groups.get(phrase) ?? [];
        phrases.push({ start: caption.length, end: caption.length + phrase.length, objects });
        caption += `${phrase}.`;
      }
      return { caption, phrases };
    });
};

/** An estimate of the tokens of a phrase in a list, with the full stop: a word has one, and one more for every six letters. */
const tokensOf = (phrase: string): number =>
  phrase.split(/[\s/-]+/).reduce((sum, word) => sum + 1 + Math.floor(word.length / 7), 1);

/** Captions such as `two dogs and a cat on the left`, and one for each negative: `a zebra`. */
const naturalCaptions = (
  image: PlacedImage,
  groups: ReadonlyMap<string, readonly PlacedObject[]>,
  absent: readonly string[],
  { negatives, maxTokens }: MadeTextOptions,
  random: Random,
): MadeText[] => {
  const texts: MadeText[] = [];
  let caption = '';
  let phrases: MadeText['phrases'][number][] = [];
  const parts = shuffled([...groups], random).flatMap(([phrase, objects]) => naturalParts(image, phrase, objects));
  parts.forEach(({ text, length, objects }, i) => {
    const separator = caption === '' ? '' : i === parts.length - 1 ? ' and ' : ', ';
    if (caption !== '' && tokensOf(`${caption}${separator}${text}`) > maxTokens) {
      texts.push({ caption, phrases });
      [caption, phrases] = ['', []];
    } else caption += separator;
    phrases.push({ start: caption.length, end: caption.length + length, objects });
    caption += text;
  });
  if (caption !== '') texts.push({ caption, phrases });
  for (const phrase of absent.slice(0, negatives)) texts.push(absentText(withArticle(phrase)));
  return texts;
};

/** Parts of a caption about the objects of one class. `length` is that of the noun phrase at the beginning of `text`. */
const naturalParts = (
  image: PlacedImage,
  phrase: string,
  objects: readonly PlacedObject[],
): { text: string; length: number; objects: readonly PlacedObject[] }[] => {
  const place = objects.map((object) => placeOf(object, image));
  // Two objects in different places are told apart; more are counted.
  const isApart = objects.length === 2 && place[0] !== place[1] && place.every((own) => own !== undefined);
  if (objects.length === 1 || isApart)
    return objects.map((object, i) => {
      const noun = withArticle(phrase);
      return { text: place[i] === undefined ? noun : `${noun} ${place[i]}`, length: noun.length, objects: [object] };
    });
  const noun = `${NUMBERS[objects.length - 2] ?? 'many'} ${pluralOf(phrase)}`;
  return [{ text: noun, length: noun.length, objects }];
};

/** Place of an object in the image, in words; undefined if it is neither clearly there nor small enough. */
const placeOf = ({ bbox: [x, y, w, h] }: PlacedObject, { width, height }: PlacedImage): string | undefined => {
  const [cx, cy] = [(x + w / 2) / width, (y + h / 2) / height];
  if (x + w < 0.5 * width || (cx < 0.3 && w < 0.5 * width)) return 'on the left';
  if (x > 0.5 * width || (cx > 0.7 && w < 0.5 * width)) return 'on the right';
  if (y + h < 0.5 * height || (cy < 0.3 && h < 0.5 * height)) return 'at the top';
  if (y > 0.5 * height || (cy > 0.7 && h < 0.5 * height)) return 'at the bottom';
  return w < 0.6 * width && h < 0.6 * height ? 'in the middle' : undefined;
};

/** A caption about something that the image does not show. */
const absentText = (caption: string): MadeText => ({
  caption,
  phrases: [{ start: 0, end: caption.length, objects: [] }],
});

const shuffled = <T>(list: readonly T[], random: Random): T[] =>
  [...random.permutation(list.length)].map((i) => list[i]!);
