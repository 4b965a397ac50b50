import type { Span } from '../../data/format/coco-format.ts';

/** What a noun phrase of a CLEVR text says of its objects. `shape` is missing for "thing" and "object". */
export type Attributes = Readonly<Partial<Record<'size' | 'color' | 'material' | 'shape', string>>>;
export type Direction = 'left' | 'right' | 'behind' | 'front' | 'above' | 'below';

interface Mention {
  readonly begin: number;
  readonly end: number;
}

/** "the first one of the fully visible tiny red cube(s) from left". */
export interface NounMention extends Mention {
  readonly kind: 'noun';
  readonly attributes: Attributes;
  /** Words that name attributes, in the order of the text; the noun is not among them. */
  readonly words: readonly Span[];
  readonly noun: Span;
  /** "fully visible", "partially visible". */
  readonly visibility: readonly Span[];
  /** "first one of the" and "from left". */
  readonly ordinal: readonly Span[];
  /** The same and what is said of visibility, in lower case. */
  readonly choices: readonly string[];
}

/** "to the left of". */
export interface RelationMention extends Mention {
  readonly kind: 'relation';
  readonly direction: Direction;
}

/** "same color". */
export interface SameMention extends Mention {
  readonly kind: 'same';
  readonly attribute: string;
}

/** "it", "its", or a semicolon. */
export interface PlainMention extends Mention {
  readonly kind: 'it' | 'semicolon';
}

export type TextMention = NounMention | RelationMention | SameMention | PlainMention;

const sayings = (words: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(words).flatMap(([meaning, said]) => said.split('|').map((word) => [word, meaning])));

const SIZES = sayings({ small: 'small|tiny', large: 'large|big' });
const COLORS = sayings({
  gray: 'gray|grey',
  ...Object.fromEntries('red blue green brown purple cyan yellow'.split(' ').map((color) => [color, color])),
});
const MATERIALS = sayings({ rubber: 'rubber|matte', metal: 'metallic|metal|shiny' });
const SHAPES = sayings({
  cube: 'cube|block',
  sphere: 'sphere|ball',
  cylinder: 'cylinder',
  thing: 'thing|object',
});
const DIRECTIONS = sayings({
  left: 'left of|to the left of|on the left side of',
  right: 'right of|to the right of|on the right side of',
  behind: 'behind',
  front: 'in front of',
  above: 'above',
  below: 'below',
});

const oneOf = (words: ReadonlyMap<string, string>): string =>
  [...words.keys()].sort((a, b) => b.length - a.length).join('|');
const meaning = (words: ReadonlyMap<string, string>, said: string): string =>
  words.get(said.toLowerCase().replace(/ +/g, ' '))!;
const ordinals = 'first|second|third|fourth|fifth|sixth|seventh|eighth|nineth|ninth';

const mentionPattern = new RegExp(
  (
    String.raw`\b(?:` +
    String.raw`(?:(?<ordinal>(?:${ordinals}) one of the) )?(?:(?<visible>(?:fully|partially) visible) )?` +
    String.raw`(?:(?<size>${oneOf(SIZES)}) )?(?:(?<color>${oneOf(COLORS)}) )?(?:(?<material>${oneOf(MATERIALS)}) )?` +
    String.raw`(?<noun>(?<shape>${oneOf(SHAPES)})s?\b)(?:\(s\))?(?: (?<from>from (?:left|right|front))\b)?` +
    String.raw`|(?<relation>${oneOf(DIRECTIONS)})\b|same (?<same>size|colou?r|material|shape)\b|(?<it>its?)\b)|(?<semicolon>;)`
  ).replaceAll(' ', ' +'),
  'dgi',
);

/**
 * What a text in CLEVR's or CLEVR-Ref+'s words mentions, from left to right. All of their templates are made of such
 * phrases; other words are passed over. Texts are ASCII, so positions count characters whichever way.
 */
export const mentionsOf = (text: string): TextMention[] => Array.from(text.matchAll(mentionPattern), mentionOf);

const mentionOf = (match: RegExpExecArray): TextMention => {
  const groups: Readonly<Record<string, string | undefined>> = match.groups!;
  const spans: Readonly<Record<string, [number, number] | undefined>> = match.indices!.groups!;
  const [begin, end] = match.indices![0]!;
  const present = (...names: string[]): Span[] => names.flatMap((name) => (spans[name] ? [spans[name]] : []));
  const { noun, shape: shapeWord, relation, same, it } = groups;
  if (noun !== undefined) {
    const shape = meaning(SHAPES, shapeWord!);
    return {
      kind: 'noun',
      begin,
      end,
      attributes: {
        ...said('size', SIZES, groups['size']),
        ...said('color', COLORS, groups['color']),
        ...said('material', MATERIALS, groups['material']),
        ...(shape !== 'thing' && { shape }),
      },
      words: present('size', 'color', 'material'),
      noun: spans['noun']!,
      visibility: present('visible'),
      // "The cubes from left that are either …": without a number, it chooses nothing.
      ordinal: groups['ordinal'] === undefined ? [] : present('ordinal', 'from'),
      choices: [groups['visible'], groups['ordinal'], groups['ordinal'] && groups['from']].flatMap((choice) =>
        choice === undefined ? [] : [choice.toLowerCase()],
      ),
    };
  }
  if (relation !== undefined)
    return { kind: 'relation', begin, end, direction: meaning(DIRECTIONS, relation) as Direction };
  if (same !== undefined) return { kind: 'same', begin, end, attribute: same.toLowerCase().replace('colour', 'color') };
  return { kind: it === undefined ? 'semicolon' : 'it', begin, end };
};

const said = (name: string, words: ReadonlyMap<string, string>, word: string | undefined): Record<string, string> =>
  word === undefined ? {} : { [name]: meaning(words, word) };

/** Words of a noun phrase, each a span of its own as in the official files. */
export const nounSpans = (
  mention: NounMention,
  { withNoun = true, withOrdinal = true }: { readonly withNoun?: boolean; readonly withOrdinal?: boolean } = {},
): Span[] => [
  ...mention.visibility,
  ...mention.words,
  ...(withNoun ? [mention.noun] : []),
  ...(withOrdinal ? mention.ordinal : []),
];
