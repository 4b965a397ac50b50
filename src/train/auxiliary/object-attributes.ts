import { VALUES } from '../../scenes/index.ts';

/** Attributes of the objects of generated scenes that auxiliary losses predict, with their numbers of classes. */
export const OBJECT_ATTRIBUTES = [
  { name: 'shape', classes: VALUES.shape.length },
  { name: 'color', classes: VALUES.color.length },
  { name: 'size', classes: VALUES.size.length },
  { name: 'material', classes: VALUES.material.length },
] as const;
