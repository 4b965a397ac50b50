import { posix } from 'node:path';
import * as z from 'zod';
import { readJsonFile } from '../../../files/json/json-file.ts';
import { enclosingBoxXywh, type BoxXywh } from '../../../geometry/boxes.ts';
import { imageStem } from '../../import/image-names.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitOfFolders } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { sizeOf } from '../field-numbers.ts';
import { filesByOutline } from '../recognition.ts';
import { boxOfPoints } from '../shapes.ts';
import { statedAttributes } from '../stated-attributes.ts';

const point = z.tuple([z.number(), z.number()], z.number());
const shapeSchema = z.looseObject({
  label: z.union([z.string(), z.number().transform(String)]),
  points: z.array(point),
  shape_type: z.string().nullish(),
  group_id: z.union([z.number(), z.string()]).nullish(),
  flags: z.record(z.string(), z.unknown()).nullish(),
  attributes: z.record(z.string(), z.unknown()).nullish(),
});
type Shape = z.output<typeof shapeSchema>;
const fileSchema = z.looseObject({
  shapes: z.array(z.unknown()),
  imagePath: z.string().nullish(),
  imageWidth: z.unknown().optional(),
  imageHeight: z.unknown().optional(),
});

/** Labels of LabelMe that are no classes. */
const NO_CLASS = new Set(['__ignore__', '_background_']);

/**
 * Importer of LabelMe's JSON files, one for each image, which X-AnyLabeling writes too: rectangles, polygons, circles, masks
 * and turned rectangles. Polygons and masks with one group id and label are parts of one object, as in LabelMe's own
 * converters. Lines and points have no area.
 */
export const labelmeImporter: Importer = {
  name: 'labelme',
  title: 'LabelMe',
  files: 'JSON files with "shapes" and "imagePath", one for each image',

  recognize: (source) =>
    filesByOutline(
      source,
      /\.json$/i,
      ({ kind, keys }) => kind === 'object' && keys.has('shapes') && (keys.has('imagePath') || keys.has('imageHeight')),
    ),

  async *read(source, files, options) {
    // Each file is one image, so a damaged one is an image that would be lost.
    for (const error of source.brokenJson.values())
      options.badRows.attempt(() => {
        throw new BadRowError(error.message, { cause: error });
      });
    for (const file of files) {
      const content = await readJsonFile(source.pathOf(file));
      const image = options.badRows.attempt(() => imageOf(source, file, content, options));
      if (image !== undefined) yield image;
    }
  },
};

const imageOf = (source: ImportSource, file: string, value: unknown, options: ImportOptions): ImportedImage => {
  const path = source.pathOf(file);
  const content = checked(fileSchema, value, path);
  const stem = posix.basename(file).replace(/\.json$/i, '');
  const stated = content.imagePath ?? '';
  const image =
    (stated === '' ? undefined : source.findImage(stated, file)) ?? source.findImageByStem(imageStem(stem), file);
  const placed = options.badRows.usable(content.shapes, (shape, i) => {
    const location = `${path}: shapes[${i}]`;
    return { ...checked(shapeSchema, shape, location), location };
  });
  const shapes = [...placed];
  return {
    fileName: stated === '' ? stem : stated,
    path: image,
    width: sizeOf(content.imageWidth),
    height: sizeOf(content.imageHeight),
    split: splitOfFolders(file),
    objects: objectsOf(shapes, options),
    location: path,
  };
};

type PlacedShape = Shape & { readonly location: string };

const objectsOf = (shapes: readonly PlacedShape[], { leftOut, badRows }: ImportOptions): ImportedObject[] => {
  const groups = new Map<string, PlacedShape[]>();
  shapes.forEach((shape, i) => {
    const isPart = shape.group_id != null && ['polygon', 'mask'].includes(typeOf(shape));
    const key = isPart ? `${String(shape.group_id)} ${shape.label}` : `#${i}`;
    groups.set(key, [...(groups.get(key) ?? []), shape]);
  });
  const objectOf = (parts: readonly PlacedShape[]): ImportedObject[] => {
    const [first] = parts as [PlacedShape, ...PlacedShape[]];
    if (NO_CLASS.has(first.label)) {
      leftOut.add(`shapes with the label ${first.label}`, first.location);
      return [];
    }
    if (first.label.trim() === '') throw new BadRowError(`${first.location}: the label is empty`);
    const outlines = parts.flatMap((part) => outlineOf(part, leftOut) ?? []);
    if (outlines.length === 0) return [];
    const polygons = outlines.flatMap(({ polygon }) => (polygon === undefined ? [] : [polygon]));
    return [
      {
        label: first.label,
        bbox: enclosingBoxXywh(outlines.map(({ bbox }) => bbox)),
        segmentation: polygons.length === outlines.length ? polygons : undefined,
        attributes: attributesOf(first),
        location: first.location,
      },
    ];
  };
  return [...badRows.usable(groups.values(), objectOf)];
};

const typeOf = ({ shape_type: type, points }: Shape): string => type ?? (points.length === 2 ? 'rectangle' : 'polygon');

/** Box of a shape, and its outline if the shape follows the object; undefined for shapes without area. */
const outlineOf = (
  shape: PlacedShape,
  leftOut: ImportOptions['leftOut'],
): { bbox: BoxXywh; polygon: number[] | undefined } | undefined => {
  const type = typeOf(shape);
  const flat = shape.points.flatMap(([x, y]) => [x, y]);
  const box = boxOfPoints(flat);
  if (type === 'circle' && shape.points.length === 2) {
    const [[cx, cy], [x, y]] = shape.points as [Shape['points'][number], Shape['points'][number]];
    const radius = Math.hypot(x - cx, y - cy);
    return { bbox: [cx - radius, cy - radius, 2 * radius, 2 * radius], polygon: undefined };
  }
  const isArea = ['rectangle', 'polygon', 'mask', 'rotation', 'oriented_rectangle', 'quadrilateral'].includes(type);
  if (!isArea) {
    leftOut.add(`shapes without area (${type.slice(0, 40)})`, shape.location);
    return undefined;
  }
  if (box === undefined || (type === 'polygon' && shape.points.length < 3))
    throw new BadRowError(`${shape.location}: a ${type} has ${shape.points.length} points`);
  // The second corner of a mask is its last pixel.
  if (type === 'mask') return { bbox: [box[0], box[1], box[2] + 1, box[3] + 1], polygon: undefined };
  return { bbox: box, polygon: type === 'polygon' ? flat : undefined };
};

const attributesOf = ({ flags, attributes }: Shape): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(flags ?? {}).flatMap(([key, value]) => (value === true ? [[key, 'true']] : []))),
  ...statedAttributes(attributes ?? {}),
});
