import type { PhotoCaption, PhotoRow } from '../../src/datasets/photos/photo-row.ts';
import type { Lexicon, NounMatch } from '../../src/text/lexicon/lexicon.ts';

const DETERMINERS = new Set(
  'a an the this that his her its their one two three four five six several some many both another other'.split(' '),
);
const COUNTS: Readonly<Record<string, number>> = { two: 2, three: 3, four: 4, five: 5, six: 6, both: 2 };
/** Words that end a noun phrase to the left. */
const BORDERS = new Set(
  (
    'of in on at with by to from for and or but while as near over under behind beside through into onto off up down is are was ' +
    'were be has have there which who that wearing holding riding playing sitting standing looking'
  ).split(' '),
);

/**
 * Grounds the phrases of a caption where noun and number leave no doubt, or returns undefined if none is certain: a single
 * noun with exactly one sure object and no doubtful one, or a plural with as many sure objects as the caption says.
 */
export const groundCaption = (
  caption: string,
  { objects, ignored }: Pick<PhotoRow, 'objects' | 'ignored'>,
  lexicon: Lexicon,
): PhotoCaption | undefined => {
  const text = caption.trim();
  const matches = lexicon.find(text);
  const phrases = matches.flatMap((match) => {
    // Two phrases of one noun ("a man … a woman") cannot be told apart by the noun.
    if (matches.filter(({ noun }) => noun === match.noun).length > 1) return [];
    const own = objects.flatMap(({ noun, weight }, index) => (noun === match.noun && weight >= 0.5 ? [index] : []));
    const doubtful =
      ignored.some(({ noun }) => noun === match.noun) ||
      objects.some(({ noun, weight }) => noun === match.noun && weight < 0.5);
    const { start, count } = phraseStart(text, match);
    const isCertain = match.isPlural
      ? own.length >= 2 && (count === undefined || own.length === count) && !(doubtful && count === undefined)
      : own.length === 1 && !doubtful && (count === undefined || count === 1);
    return isCertain ? [{ start, end: match.end, objects: own }] : [];
  });
  return phrases.length === 0 ? undefined : { caption: text, phrases };
};

/** Beginning of the noun phrase: the determiner at most four words before the name, or the name itself. */
const phraseStart = (
  text: string,
  { start }: NounMatch,
): { readonly start: number; readonly count: number | undefined } => {
  const before = Array.from(
    text
      .slice(0, start)
      .toLowerCase()
      .matchAll(/[\p{L}\p{N}'-]+|[^\s\p{L}\p{N}]/gu),
  );
  for (const word of before.toReversed().slice(0, 5)) {
    if (DETERMINERS.has(word[0])) return { start: word.index, count: COUNTS[word[0]] };
    if (BORDERS.has(word[0]) || /^[^\p{L}\p{N}]/u.test(word[0])) break;
  }
  return { start, count: undefined };
};
