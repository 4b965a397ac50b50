import type { CodePointSpan } from '../../text/spans/span.ts';

/** Attributes named by a noun phrase of a CLEVR text. `shape` is missing for "thing" and "object". */
export type Attributes = Readonly<Partial<Record<'size' | 'color' | 'material' | 'shape', string>>>;
export type Direction = 'left' | 'right' | 'behind' | 'front' | 'above' | 'below';

interface Mention {
  readonly begin: number;
  readonly end: number;
}

/** A noun phrase, such as "the first one of the fully visible tiny red cube(s) from left". */
export interface NounMention extends Mention {
  readonly kind: 'noun';
  readonly attributes: Attributes;
  /** Spans of the adjectives, in text order. */
  readonly words: readonly CodePointSpan[];
  readonly noun: CodePointSpan;
  /** Span of "fully visible" or "partially visible". */
  readonly visibility: readonly CodePointSpan[];
  /** Spans of "first one of the" and "from left". */
  readonly ordinal: readonly CodePointSpan[];
  /** Text of `visibility` and `ordinal` in lower case. */
  readonly choices: readonly string[];
}

/** Words of a relation, such as "to the left of". */
export interface RelationMention extends Mention {
  readonly kind: 'relation';
  readonly direction: Direction;
}

/** The words "same color", "same size", …. */
export interface SameMention extends Mention {
  readonly kind: 'same';
  readonly attribute: string;
}

/** The word "it" or "its", or a semicolon. */
export interface PlainMention extends Mention {
  readonly kind: 'it' | 'semicolon';
}

export type TextMention = NounMention | RelationMention | SameMention | PlainMention;

/** Canonical values by synonym, from lists separated by `|`. */
const synonyms = (words: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(words).flatMap(([value, list]) => list.split('|').map((word) => [word, value])));

const SIZES = synonyms({ small: 'small|tiny', large: 'large|big' });
const COLORS = synonyms({
  gray: 'gray|grey',
  ...Object.fromEntries('red blue green brown purple cyan yellow'.split(' ').map((color) => [color, color])),
});
const MATERIALS = synonyms({ rubber: 'rubber|matte', metal: 'metallic|metal|shiny' });
const SHAPES = synonyms({
  cube: 'cube|block',
  sphere: 'sphere|ball',
  cylinder: 'cylinder',
  thing: 'thing|object',
});
const DIRECTIONS = synonyms({
  left: 'left of|to the left of|on the left side of',
  right: 'right of|to the right of|on the right side of',
  behind: 'behind',
  front: 'in front of',
  above: 'above',
  below: 'below',
});

const oneOf = (words: ReadonlyMap<string, string>): string =>
  [...words.keys()].sort((a, b) => b.length - a.length).join('|');
const valueOf = (words: ReadonlyMap<string, string>, word: string): string =>
  words.get(word.toLowerCase().replace(/ +/g, ' '))!;
const ORDINALS = 'first|second|third|fourth|fifth|sixth|seventh|eighth|nineth|ninth';

const MENTION_PATTERN = new RegExp(
  (
    String.raw`\b(?:` +
    String.raw`(?:(?<ordinal>(?:${ORDINALS}) one of the) )?(?:(?<visible>(?:fully|partially) visible) )?` +
    String.raw`(?:(?<size>${oneOf(SIZES)}) )?(?:(?<color>${oneOf(COLORS)}) )?(?:(?<material>${oneOf(MATERIALS)}) )?` +
    String.raw`(?<noun>(?<shape>${oneOf(SHAPES)})s?\b)(?:\(s\))?(?: (?<from>from (?:left|right|front))\b)?` +
    String.raw`|(?<relation>${oneOf(DIRECTIONS)})\b|same (?<same>size|colou?r|material|shape)\b|(?<it>its?)\b)|(?<semicolon>;)`
  ).replaceAll(' ', ' +'),
  'dgi',
);

/**
 * Noun phrases, relations and pronouns in a text of CLEVR or CLEVR-Ref+, from left to right. All templates of the two
 * datasets are made of such phrases; other words are skipped. The texts are ASCII, so code points and UTF-16 units agree.
 */
export const mentionsOf = (text: string): TextMention[] => Array.from(text.matchAll(MENTION_PATTERN), mentionOf);

const mentionOf = (match: RegExpExecArray): TextMention => {
  const groups: Readonly<Record<string, string | undefined>> = match.groups!;
  const spans: Readonly<Record<string, [number, number] | undefined>> = match.indices!.groups!;
  const [begin, end] = match.indices![0]!;
  const present = (...names: string[]): CodePointSpan[] => names.flatMap((name) => (spans[name] ? [spans[name]] : []));
  const { noun, shape: shapeWord, relation, same, it } = groups;
  if (noun !== undefined) {
    const shape = valueOf(SHAPES, shapeWord!);
    return {
      kind: 'noun',
      begin,
      end,
      attributes: {
        size: groups['size'] && valueOf(SIZES, groups['size']),
        color: groups['color'] && valueOf(COLORS, groups['color']),
        material: groups['material'] && valueOf(MATERIALS, groups['material']),
        shape: shape === 'thing' ? undefined : shape,
      },
      words: present('size', 'color', 'material'),
      noun: spans['noun']!,
      visibility: present('visible'),
      // "The cubes from left that are either …": without an ordinal, "from left" selects nothing.
      ordinal: groups['ordinal'] === undefined ? [] : present('ordinal', 'from'),
      choices: [groups['visible'], groups['ordinal'], groups['ordinal'] && groups['from']].flatMap((choice) =>
        choice === undefined ? [] : [choice.toLowerCase()],
      ),
    };
  }
  if (relation !== undefined)
    return { kind: 'relation', begin, end, direction: valueOf(DIRECTIONS, relation) as Direction };
  if (same !== undefined) return { kind: 'same', begin, end, attribute: same.toLowerCase().replace('colour', 'color') };
  return { kind: it === undefined ? 'semicolon' : 'it', begin, end };
};

/** Spans of the words of a noun phrase, one per word as in the official files. */
export const nounSpans = (
  mention: NounMention,
  { withNoun = true, withOrdinal = true }: { readonly withNoun?: boolean; readonly withOrdinal?: boolean } = {},
): CodePointSpan[] => [
  ...mention.visibility,
  ...mention.words,
  ...(withNoun ? [mention.noun] : []),
  ...(withOrdinal ? mention.ordinal : []),
];
