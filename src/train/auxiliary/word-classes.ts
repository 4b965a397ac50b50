import { VALUES } from '../../scenes/index.ts';
import { ADJECTIVES, NOUNS, WIDE_ADJECTIVES, WIDE_NOUNS } from '../../scenes/language/words.ts';
import type { Encoding } from '../../text/index.ts';
import { OBJECT_ATTRIBUTES } from './object-attributes.ts';

/** Attribute value that a word names: the index of the attribute in `OBJECT_ATTRIBUTES`, and the class of the value. */
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
  if (value in NOUNS) return [NOUNS, WIDE_NOUNS].flatMap((nouns) => nouns[value as keyof typeof NOUNS].flat());
  return [ADJECTIVES, WIDE_ADJECTIVES].flatMap((adjectives) => adjectives[value as keyof typeof ADJECTIVES]);
}

/** Class of a token that names no value. It differs from `NO_POSITION`, so that the two never match. */
export const NO_WORD = -1;
/** Class of a position that shows no object. */
export const NO_POSITION = -2;

/** (attributes, length): class of each attribute that each of the first `length` tokens names, or `NO_WORD`. */
export const wordClassesOf = (encoding: Encoding, length: number): Int32Array => {
  const classes = new Int32Array(OBJECT_ATTRIBUTES.length * length).fill(NO_WORD);
  const letters = Array.from(encoding.text.toLowerCase());
  encoding.offsets.forEach(([begin, end], token) => {
    const known = wordClasses.get(letters.slice(begin, end).join(''));
    if (known !== undefined) classes[known.attribute * length + token] = known.value;
  });
  return classes;
};
