import type { Attribute, Color, Material, Shape, Size } from '../render/attributes.ts';
import type { Relation } from '../render/relations.ts';

/** Nouns by shape. The words before `WIDE_NOUNS` are those of the plain language, which all wordings use. */
export const NOUNS: Readonly<Record<Shape | 'thing', readonly (readonly [singular: string, plural: string])[]>> = {
  cube: [
    ['cube', 'cubes'],
    ['block', 'blocks'],
  ],
  sphere: [
    ['sphere', 'spheres'],
    ['ball', 'balls'],
  ],
  cylinder: [['cylinder', 'cylinders']],
  thing: [
    ['thing', 'things'],
    ['object', 'objects'],
  ],
};

/** Adjectives of each attribute value. */
export const ADJECTIVES: Readonly<Record<Size | Color | Material, readonly string[]>> = {
  small: ['small', 'tiny'],
  large: ['large', 'big'],
  rubber: ['rubber', 'matte'],
  metal: ['metal', 'metallic', 'shiny'],
  gray: ['gray', 'gray', 'gray', 'grey'],
  red: ['red'],
  blue: ['blue'],
  green: ['green'],
  brown: ['brown'],
  purple: ['purple'],
  cyan: ['cyan'],
  yellow: ['yellow'],
};

/** Words of each relation. */
export const RELATION_WORDS: Readonly<Record<Relation, readonly string[]>> = {
  left: ['left of', 'to the left of', 'on the left side of'],
  right: ['right of', 'to the right of', 'on the right side of'],
  front: ['in front of'],
  behind: ['behind'],
};

/** Superlatives before the noun: the leftmost cube. */
export const SUPERLATIVES: Readonly<Record<Relation, readonly string[]>> = {
  left: ['leftmost'],
  right: ['rightmost'],
  front: ['closest', 'nearest'],
  behind: ['farthest'],
};

/** Words of each attribute. */
export const ATTRIBUTE_WORDS: Readonly<Record<Attribute, readonly string[]>> = {
  size: ['size'],
  color: ['color', 'color', 'color', 'colour'],
  material: ['material'],
  shape: ['shape'],
};

/** Numerals from zero to ten. */
export const NUMBER_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

/** Words of the wide language by value. Repeated words are more frequent. Each word stands for one value only. */
export const WIDE_NOUNS: typeof NOUNS = {
  cube: [
    ['cube', 'cubes'],
    ['cube', 'cubes'],
    ['cube', 'cubes'],
    ['block', 'blocks'],
    ['block', 'blocks'],
    ['box', 'boxes'],
    ['brick', 'bricks'],
    ['die', 'dice'],
  ],
  sphere: [
    ['sphere', 'spheres'],
    ['sphere', 'spheres'],
    ['ball', 'balls'],
    ['ball', 'balls'],
    ['orb', 'orbs'],
    ['globe', 'globes'],
    ['marble', 'marbles'],
  ],
  cylinder: [
    ['cylinder', 'cylinders'],
    ['cylinder', 'cylinders'],
    ['cylinder', 'cylinders'],
    ['tube', 'tubes'],
    ['drum', 'drums'],
    ['barrel', 'barrels'],
  ],
  thing: [
    ['thing', 'things'],
    ['object', 'objects'],
    ['item', 'items'],
    ['solid', 'solids'],
    ['piece', 'pieces'],
  ],
};

export const WIDE_ADJECTIVES: typeof ADJECTIVES = {
  small: ['small', 'small', 'small', 'tiny', 'tiny', 'little', 'mini', 'miniature'],
  large: ['large', 'large', 'large', 'big', 'big', 'huge', 'giant', 'enormous'],
  rubber: ['rubber', 'rubber', 'rubber', 'matte', 'matte', 'rubbery', 'dull', 'mat'],
  metal: ['metal', 'metal', 'metallic', 'shiny', 'shiny', 'polished', 'glossy', 'reflective', 'gleaming'],
  gray: ['gray', 'gray', 'gray', 'grey', 'grey', 'greyish', 'grayish'],
  red: ['red', 'red', 'red', 'red', 'red', 'reddish', 'crimson', 'scarlet'],
  blue: ['blue', 'blue', 'blue', 'blue', 'blue', 'bluish', 'navy'],
  green: ['green', 'green', 'green', 'green', 'green', 'greenish', 'emerald'],
  brown: ['brown', 'brown', 'brown', 'brown', 'brown', 'brownish', 'chocolate'],
  purple: ['purple', 'purple', 'purple', 'purple', 'violet', 'purplish', 'lilac'],
  cyan: ['cyan', 'cyan', 'cyan', 'cyan', 'turquoise', 'aqua', 'teal'],
  yellow: ['yellow', 'yellow', 'yellow', 'yellow', 'yellow', 'yellowish', 'golden'],
};

// prettier-ignore
export const WIDE_RELATION_WORDS: typeof RELATION_WORDS = {
  left: [
    'left of', 'left of', 'to the left of', 'to the left of', 'on the left side of', 'on the left of',
    'at the left of', 'to the left side of', 'left from', 'further left than', 'on the left hand of',
  ],
  right: [
    'right of', 'right of', 'to the right of', 'to the right of', 'on the right side of', 'on the right of',
    'at the right of', 'to the right side of', 'right from', 'further right than', 'on the right hand of',
  ],
  front: [
    'in front of', 'in front of', 'in front of', 'before', 'ahead of', 'closer than', 'nearer than',
    'closer to us than', 'nearer to the camera than', 'to the front of',
  ],
  behind: [
    'behind', 'behind', 'behind', 'in back of', 'farther away than', 'further back than', 'beyond',
    'at the back of', 'farther than', 'farther from us than',
  ],
};

export const WIDE_SUPERLATIVES: typeof SUPERLATIVES = {
  left: ['leftmost', 'leftmost', 'left', 'far left'],
  right: ['rightmost', 'rightmost', 'right', 'far right'],
  front: ['closest', 'nearest', 'front', 'frontmost', 'foremost'],
  behind: ['farthest', 'furthest', 'back', 'rearmost', 'most distant'],
};

export const WIDE_ATTRIBUTE_WORDS: typeof ATTRIBUTE_WORDS = {
  size: ['size'],
  color: ['color', 'color', 'color', 'colour', 'colour', 'hue'],
  material: ['material', 'material', 'material', 'substance'],
  shape: ['shape', 'shape', 'shape', 'form'],
};

/** Words for groups of two and more, besides numerals. */
export const WIDE_GROUP_WORDS: Readonly<Record<number, readonly string[]>> = {
  2: ['a pair of', 'a couple of', 'the pair of', 'both of the', 'the couple of', 'two of these'],
  3: ['a trio of', 'all of the', 'three of these', 'a group of three'],
  4: ['all of the', 'a group of four'],
};

/** Words that noun phrases of the wide language have besides nouns and adjectives. */
// prettier-ignore
export const WIDE_PHRASE_WORDS: readonly string[] = [
  'colored', 'coloured', 'in', 'made of', 'made out of', 'of', 'of small size', 'of large size', '-', 'built from',
  'painted', 'with a surface', 'look', 'material', 'which looks', 'appears', 'appear', 'seems', 'seem', 'looking',
  'being', 'quite', 'really', 'rather', 'clearly', 'that I would call', 'remains', 'remain', 'turns out', 'turn out',
  'has', 'have',
  'one', 'ones', 'a single', 'this', 'that', 'these',
];
