import * as z from 'zod';
import type { ImportedObject, ImportOptions } from '../../import/importer.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { classOfUnnamed } from '../unnamed-classes.ts';
import { coordinateOf } from '../field-numbers.ts';
import { boxOfEllipse, boxOfPoints, type Outline } from '../shapes.ts';

const shapeSchema = z.looseObject({ name: z.string().min(1) });
const fields = z.record(z.string(), z.unknown());

/** A region as VIA 1 and 2 write it. */
export const regionSchema = z.looseObject({
  shape_attributes: shapeSchema,
  region_attributes: z.union([fields, z.array(z.never())]).nullish(),
});
export type Region = z.output<typeof regionSchema>;

/** Attributes of a region; VIA writes an empty list for none. */
export const attributesOfRegion = ({ region_attributes: own }: Region): Readonly<Record<string, unknown>> =>
  Array.isArray(own) ? {} : (own ?? {});

/** Attributes that hold the class, by their names in lower case, the most likely first. */
const CLASS_NAMES = [
  'class',
  'label',
  'category',
  'name',
  'type',
  'class_id',
  'class_name',
  'object',
  'objects',
  'labels',
  'species',
  'kind',
];

/** Texts of the options of each attribute, by their ids: a project can store `"1"` for `"cat"`. */
export type AttributeOptions = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * The attribute that holds the class, for all regions of a source: the one with a telling name, else the one that most
 * regions have.
 */
export const classAttributeOf = (attributes: Iterable<Readonly<Record<string, unknown>>>): string | undefined => {
  const counts = new Map<string, number>();
  for (const own of attributes)
    for (const [key, value] of Object.entries(own))
      if (valueText(value) !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  const rank = (key: string): number => {
    const index = CLASS_NAMES.indexOf(
      key
        .trim()
        .toLowerCase()
        .replace(/[\s-]+/g, '_'),
    );
    return index < 0 ? CLASS_NAMES.length : index;
  };
  return [...counts].sort(([a, m], [b, n]) => rank(a) - rank(b) || n - m)[0]?.[0];
};

/** Value of an attribute as text; of checkboxes, those that are checked. */
const valueText = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value.trim();
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const set = Object.entries(value)
    .filter(([, on]) => on === true || on === 'true')
    .map(([key]) => key);
  return set.length === 0 ? undefined : set.join(', ');
};

/** The object of a region; undefined for shapes without area, which are left out. */
export const objectOfRegion = (
  region: Region,
  classAttribute: string | undefined,
  choices: AttributeOptions,
  location: string,
  options: ImportOptions,
): ImportedObject | undefined => {
  const outline = outlineOf(region.shape_attributes, location);
  if (outline === undefined) {
    options.leftOut.add(`shapes without area (${region.shape_attributes.name.slice(0, 40)})`, location);
    return undefined;
  }
  const { label, attributes } = labelOf(
    attributesOfRegion(region),
    classAttribute,
    choices,
    classAttribute === undefined ? classOfUnnamed(options, location) : options.defaultClass,
  );
  if (label === undefined) {
    options.leftOut.add('regions without a class', location);
    return undefined;
  }
  return {
    label,
    ...outline,
    attributes,
    location,
  };
};

/** Class and further attributes of a region. */
export const labelOf = (
  own: Readonly<Record<string, unknown>>,
  classAttribute: string | undefined,
  choices: AttributeOptions,
  defaultClass: string | undefined,
): { label: string | undefined; attributes: Record<string, string> } => {
  const attributes: Record<string, string> = {};
  let label: string | undefined;
  for (const [key, value] of Object.entries(own)) {
    const stored = valueText(value);
    if (stored === undefined) continue;
    const shown = choices.get(key)?.get(stored);
    const text = shown === undefined || shown === '' ? stored : shown;
    if (key === classAttribute) label = text;
    else attributes[key] = text;
  }
  return { label: label ?? defaultClass, attributes };
};

const outlineOf = (
  shape: Readonly<Record<string, unknown>> & { readonly name: string },
  location: string,
): Outline | undefined => {
  const number = (key: string): number => coordinateOf(shape[key], `${location}: ${key}`);
  switch (shape.name) {
    case 'rect':
      return { bbox: [number('x'), number('y'), number('width'), number('height')] };
    case 'circle':
      return { bbox: boxOfEllipse(number('cx'), number('cy'), number('r'), number('r')) };
    case 'ellipse':
      return {
        bbox: boxOfEllipse(
          number('cx'),
          number('cy'),
          number('rx'),
          number('ry'),
          ((Number(shape['theta']) || 0) * 180) / Math.PI,
        ),
      };
    case 'polygon': {
      const [xs, ys] = [shape['all_points_x'], shape['all_points_y']];
      if (!Array.isArray(xs) || !Array.isArray(ys) || xs.length !== ys.length || xs.length < 3)
        throw new BadRowError(`${location}: a polygon needs equally many all_points_x and all_points_y, three or more`);
      const polygon = xs.flatMap((x: unknown, i) => [
        coordinateOf(x, `${location}: all_points_x[${i}]`),
        coordinateOf(ys[i], `${location}: all_points_y[${i}]`),
      ]);
      return { bbox: boxOfPoints(polygon)!, segmentation: [polygon] };
    }
    case 'point':
    case 'line':
    case 'polyline':
      return undefined;
    default:
      throw new BadRowError(`${location}: "${shape.name.slice(0, 40)}" is not a shape of VIA`);
  }
};
