import * as z from 'zod';
import type { ImportedImage, ImportedObject, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitOfPath } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { classOfUnnamed } from '../unnamed-classes.ts';
import { boxOfEllipse, boxOfPoints, type Outline } from '../shapes.ts';
import { classAttributeOf, labelOf } from './regions.ts';

const record = z.record(z.string(), z.unknown());
const projectSchema = z.looseObject({
  attribute: z
    .record(z.string(), z.looseObject({ aname: z.string().optional(), options: record.optional() }))
    .nullish(),
  file: z.record(z.string(), z.looseObject({ fname: z.string(), src: z.string().nullish() })),
  view: z.record(z.string(), z.looseObject({ fid_list: z.array(z.union([z.string(), z.number()])) })),
  metadata: z.record(
    z.string(),
    z.looseObject({ vid: z.union([z.string(), z.number()]), xy: z.array(z.number()).nullish(), av: record.nullish() }),
  ),
});

/** Numbers of VIA 3's shapes. */
const [RECTANGLE, CIRCLE, ELLIPSE, POLYGON] = [2, 3, 4, 7];

/** Whether a JSON object is a project of VIA 3. */
export const isVia3 = (content: Readonly<Record<string, unknown>>): boolean =>
  'metadata' in content && 'view' in content && 'file' in content;

/** Images of a project of VIA 3, whose regions are lists of numbers and refer to views of files. */
export const readVia3 = function* (
  source: ImportSource,
  file: string,
  content: Readonly<Record<string, unknown>>,
  options: ImportOptions,
): Generator<ImportedImage> {
  const path = source.pathOf(file);
  const project = checked(projectSchema, content, path);
  const names = new Map(Object.entries(project.attribute ?? {}).map(([id, { aname }]) => [id, aname ?? id]));
  const choices = new Map(
    Object.entries(project.attribute ?? {}).map(([id, { options: own = {} }]) => [
      names.get(id)!,
      new Map(Object.entries(own).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : []))),
    ]),
  );
  const attributesOf = (av: Readonly<Record<string, unknown>> | null | undefined): Record<string, unknown> =>
    Object.fromEntries(Object.entries(av ?? {}).map(([id, value]) => [names.get(id) ?? id, value]));
  const regions = Object.entries(project.metadata).filter(([, { xy }]) => (xy?.length ?? 0) > 0);
  const classAttribute = classAttributeOf(regions.map(([, { av }]) => attributesOf(av)));
  const objects = new Map<string, ImportedObject[]>();
  const readRegion = (id: string, { vid, xy, av }: (typeof regions)[number][1]): void => {
    const location = `${path}: metadata[${JSON.stringify(id)}]`;
    const shape = outlineOf(xy!, location);
    if (shape === undefined) {
      options.leftOut.add('shapes without area', location);
      return;
    }
    const fallback = classAttribute === undefined ? classOfUnnamed(options, location) : options.defaultClass;
    const { label, attributes } = labelOf(attributesOf(av), classAttribute, choices, fallback);
    if (label === undefined) {
      options.leftOut.add('regions without a class', location);
      return;
    }
    const [fid] = project.view[String(vid)]?.fid_list ?? [];
    if (fid === undefined) throw new BadRowError(`${location}: vid ${String(vid)} is not in "view"`);
    const object: ImportedObject = { label, ...shape, attributes, location };
    objects.set(String(fid), [...(objects.get(String(fid)) ?? []), object]);
  };
  for (const [id, region] of regions) options.badRows.attempt(() => readRegion(id, region));
  for (const [fid, { fname, src }] of Object.entries(project.file))
    yield {
      fileName: fname,
      path: source.findImage(fname, file) ?? (src == null || src === '' ? undefined : source.findImage(src, file)),
      split: splitOfPath(file),
      objects: objects.get(fid) ?? [],
      location: `${path}: file[${JSON.stringify(fid)}]`,
    };
};

const outlineOf = (xy: readonly number[], location: string): Outline | undefined => {
  const [kind, ...values] = xy as [number, ...number[]];
  const need = (count: number): void => {
    if (values.length < count)
      throw new BadRowError(`${location}: xy has ${xy.length} numbers, shape ${kind} needs ${count + 1}`);
  };
  if (kind === RECTANGLE) {
    need(4);
    return { bbox: values.slice(0, 4) as [number, number, number, number] };
  }
  if (kind === CIRCLE) {
    need(3);
    return { bbox: boxOfEllipse(values[0]!, values[1]!, values[2]!, values[2]!) };
  }
  if (kind === ELLIPSE) {
    need(4);
    return { bbox: boxOfEllipse(values[0]!, values[1]!, values[2]!, values[3]!) };
  }
  if (kind !== POLYGON) return undefined;
  need(6);
  return { bbox: boxOfPoints(values)!, segmentation: [values] };
};
