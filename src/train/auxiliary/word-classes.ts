import { VALUES } from '../../scenes/index.ts';
import { ADJECTIVES, NOUNS } from '../../scenes/language/words.ts';
import type { Encoding } from '../../text/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';

/** What a word of a scene's text says about an object: the place of an attribute in `OBJECT_ATTRIBUTES`, and its class. */
interface WordClass {
  readonly attribute: number;
  readonly value: number;
}

const wordClasses: ReadonlyMap<string, WordClass> = new Map(
  OBJECT_ATTRIBUTES.flatMap(({ name }, attribute) =>
    (VALUES[name] as readonly string[]).flatMap((value, index) =>
      wordsFor(value).map((word): [string, WordClass] => [word, { attribute, value: index }]),
    ),
  ),
);

function wordsFor(value: string): readonly string[] {
  return value in NOUNS ? NOUNS[value as keyof typeof NOUNS].flat() : ADJECTIVES[value as keyof typeof ADJECTIVES];
}

/** What stands for nothing: different for tokens and places, so that nothing never matches nothing. */
export const noWord = -1;
export const noPlace = -2;

/** For every attribute the class that each of the first `length` tokens names, or `noWord`: (attributes, length). */
export const wordClassesOf = (encoding: Encoding, length: number): Int32Array => {
  const classes = new Int32Array(OBJECT_ATTRIBUTES.length * length).fill(noWord);
  const letters = Array.from(encoding.text.toLowerCase());
  encoding.offsets.forEach(([begin, end], token) => {
    const known = wordClasses.get(letters.slice(begin, end).join(''));
    if (known !== undefined) classes[known.attribute * length + token] = known.value;
  });
  return classes;
};
