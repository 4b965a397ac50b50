import { shown } from '../../../data/format/field-values.ts';
import type { ImportedObject, ImportOptions } from '../../import/importer.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { coordinateOf, sizeOf } from '../field-numbers.ts';
import { boxOfEllipse, boxOfPoints, turnedCorners, type Outline } from '../shapes.ts';
import { boundsOfBrush } from './brush.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A region whose parts are in several results of one id: its shape, its labels, and further answers about it. */
interface Region {
  value: Fields;
  type: string;
  labels: readonly string[];
  attributes: Record<string, string>;
  width: number | undefined;
  height: number | undefined;
  location: string;
}

/**
 * Objects of the results of an annotation, in fractions of the image, and the size of the image in pixels as Label Studio saw
 * it.
 */
export const objectsOfResults = (
  results: readonly Fields[],
  location: string,
  options: ImportOptions,
): { objects: ImportedObject[]; width: number | undefined; height: number | undefined } => {
  const regions = new Map<string, Region>();
  const readResult = (result: Fields, i: number): void => {
    const place = `${location}: result[${i}]`;
    const { type } = result;
    if (type === 'relation') return;
    const value = fieldsOf(result['value']);
    if (value === undefined) throw new BadRowError(`${place}: value is ${shown(result['value'])}, not an object`);
    const id = typeof result['id'] === 'string' ? result['id'] : `#${i}`;
    const region = regions.get(id) ?? {
      value: {},
      type: '',
      labels: [],
      attributes: {},
      width: undefined,
      height: undefined,
      location: place,
    };
    regions.set(id, region);
    // Parts of a region repeat its coordinates; a part without them is about the image.
    region.value = { ...value, ...region.value };
    region.width ??= sizeOf(result['original_width']);
    region.height ??= sizeOf(result['original_height']);
    const kind = typeof type === 'string' ? type : '';
    const labels = labelsOf(value);
    if (labels !== undefined) region.labels = [...region.labels, ...labels];
    if (isShape(value)) region.type ||= kind;
    addAttribute(region.attributes, result, value);
  };
  results.forEach((result, i) => options.badRows.attempt(() => readResult(result, i)));
  const objects = [...options.badRows.usable(regions.values(), (region) => objectsOf(region, options))];
  const sized = [...regions.values()].find(({ width, height }) => width !== undefined && height !== undefined);
  return { objects, width: sized?.width, height: sized?.height };
};

const objectsOf = (region: Region, options: ImportOptions): ImportedObject[] => {
  const { value, type, location, attributes } = region;
  if (!isShape(value)) return [];
  const outline = outlineOf(region, options);
  if (outline === undefined) {
    options.leftOut.add(`regions without area (${type.slice(0, 40)})`, location);
    return [];
  }
  const labels =
    region.labels.length > 0 ? region.labels : options.defaultClass === undefined ? [] : [options.defaultClass];
  if (labels.length === 0) {
    options.leftOut.add('regions without a label', location);
    return [];
  }
  return labels.map((label) => ({ label, ...outline, attributes, location }));
};

const isShape = (value: Fields): boolean =>
  ['x', 'y'].every((key) => typeof value[key] === 'number') ||
  Array.isArray(value['points']) ||
  Array.isArray(value['rle']);

/** Box and perhaps outline of a region in fractions; undefined for a point. */
const outlineOf = (region: Region, options: ImportOptions): Outline | undefined => {
  const { value, location } = region;
  const number = (key: string): number => coordinateOf(value[key], `${location}: value.${key}`) / 100;
  // Turned shapes need the image's sides, because percent of the width and of the height differ.
  const [width, height] = [region.width ?? 1, region.height ?? 1];
  const rotation = typeof value['rotation'] === 'number' ? value['rotation'] : 0;
  if (Array.isArray(value['rle'])) {
    const bounds = boundsOfBrush(value['rle'], width, height, location);
    if (bounds !== undefined) return { bbox: bounds };
    options.leftOut.add('empty masks', location);
    return undefined;
  }
  if (Array.isArray(value['points'])) {
    const polygon = value['points'].flatMap((point: unknown, i) => {
      if (!Array.isArray(point) || point.length !== 2)
        throw new BadRowError(`${location}: value.points[${i}] is ${shown(point)}, not [x, y]`);
      return point.map((coordinate: unknown) => coordinateOf(coordinate, `${location}: value.points[${i}]`) / 100);
    });
    const bbox = polygon.length < 6 ? undefined : boxOfPoints(polygon);
    return bbox === undefined ? undefined : { bbox, segmentation: [polygon] };
  }
  if (value['radiusX'] !== undefined) {
    const [x, y, w, h] = boxOfEllipse(
      number('x') * width,
      number('y') * height,
      number('radiusX') * width,
      number('radiusY') * height,
      rotation,
    );
    return { bbox: [x / width, y / height, w / width, h / height] };
  }
  if (value['height'] === undefined) return undefined;
  const [x, y, w, h] = [number('x'), number('y'), number('width'), number('height')];
  if (rotation === 0) return { bbox: [x, y, w, h] };
  // Clockwise about the top-left corner.
  const corners = turnedCorners([x * width, y * height, w * width, h * height], rotation, [x * width, y * height]);
  return { bbox: boxOfPoints(corners.map((coordinate, i) => coordinate / (i % 2 === 0 ? width : height)))! };
};

/** Labels of a value: `rectanglelabels`, `polygonlabels`, `labels` …; undefined if it has none. */
const labelsOf = (value: Fields): string[] | undefined => {
  for (const [key, own] of Object.entries(value))
    if (/labels$/.test(key) && Array.isArray(own))
      return own.filter((label): label is string => typeof label === 'string' && label.trim() !== '');
  return undefined;
};

/** Whether a result has labels. */
export const hasLabels = (result: Fields): boolean => {
  const value = fieldsOf(result['value']);
  return value !== undefined && (labelsOf(value)?.length ?? 0) > 0;
};

/** Answers about a region (choices, text), under the name of the control. */
const addAttribute = (attributes: Record<string, string>, { from_name: name }: Fields, value: Fields): void => {
  const answer = value['choices'] ?? value['text'] ?? value['taxonomy'];
  const texts = (Array.isArray(answer) ? answer.flat(2) : [answer]).filter(
    (text): text is string => typeof text === 'string',
  );
  if (typeof name === 'string' && texts.length > 0) attributes[name] = texts.join(', ');
};

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
