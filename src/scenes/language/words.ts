import type { Attribute, Color, Material, Shape, Size } from '../render/attributes.ts';
import type { Relation } from '../render/relations.ts';

/** Nouns by shape. All words of this file occur in the training wording. */
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

export const ATTRIBUTE_WORDS: Readonly<Record<Attribute, readonly string[]>> = {
  size: ['size'],
  color: ['color', 'color', 'color', 'colour'],
  material: ['material'],
  shape: ['shape'],
};

/** Numerals from zero to ten. */
export const NUMBER_WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];
