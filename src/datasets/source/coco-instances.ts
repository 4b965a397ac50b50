import * as z from 'zod';
import { excerpt, MdetrError, quoted } from '../../errors.ts';
import type { Segmentation } from '../../data/format/coco-format.ts';
import { flagOf, isAbsent, scalarId, shown } from '../../data/format/field-values.ts';
import { parseSegmentation } from '../../data/format/segmentation.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import type { AnnotationFileHeader } from '../preparation/annotation-writer.ts';
import { BadRowError, type BadRows } from './bad-rows.ts';
import { checked } from './checked.ts';
import type { InstanceIds } from './instance-ids.ts';
import { type ListEntry, readJsonLists, readJsonMembers, withPauses } from './json-entries.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationProgress } from '../preparation/preparation.ts';

const cocoImage = z.object({
  id: z.int(),
  file_name: z.string().min(1),
  width: z.number().positive(),
  height: z.number().positive(),
});
/** Image of an instance file of COCO. */
export type InstanceImage = z.output<typeof cocoImage>;

/** An id of any scalar type, as `problemsOfRow` accepts it; null is missing. */
const optionalId = z
  .unknown()
  .optional()
  .transform((value, context): number | string | undefined => {
    const id = scalarId(value);
    if (id === undefined && !isAbsent(value)) context.addIssue(`${shown(value)} is neither a number nor a string`);
    return id;
  });

/** A flag as 0 or 1, in every form that `problemsOfRow` accepts; a missing one is 0. */
export const flagField = z
  .unknown()
  .optional()
  .transform((value, context): 0 | 1 => {
    const parsed = isAbsent(value) ? 0 : flagOf(value);
    if (parsed === undefined) context.addIssue(`${shown(value)} is neither 0 nor 1`);
    return parsed ?? 0;
  });

/** A segmentation in one of the two forms of `Segmentation`; undefined for an object without a mask. */
const segmentationField = z
  .unknown()
  .optional()
  .transform((value, context): Segmentation | undefined => {
    const parsed = parseSegmentation(value);
    if (parsed.kind === 'broken') context.addIssue(`${parsed.field} ${parsed.message}`.trim());
    return parsed.kind === 'mask' ? parsed.segmentation : undefined;
  });

/** Fields of an entry of `annotations` in COCO and LVIS, in every form that the rows of annotation files may have. */
export const instanceFields = {
  id: optionalId,
  image_id: z.int(),
  category_id: z.int(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number().nullish(),
  iscrowd: flagField,
};

/** Area of an instance in pixels; that of its box where the file states none. */
export const areaOf = ({ area, bbox }: { readonly area?: number | null | undefined; readonly bbox: BoxXywh }): number =>
  area ?? bbox[2] * bbox[3];

const cocoAnnotation = z.object({ ...instanceFields, id: z.int(), segmentation: segmentationField });
export type InstanceAnnotation = z.output<typeof cocoAnnotation>;

const idOnly = z.looseObject({ id: z.int() });

/** A selection of images and boxes from a COCO instances file. */
export interface ChosenInstances {
  readonly path: string;
  readonly header: AnnotationFileHeader;
  readonly images: ReadonlyMap<number, InstanceImage>;
  readonly annotations: ReadonlyMap<number, InstanceAnnotation>;
  readonly ids: InstanceIds;
}

/**
 * Reads selected images and boxes of `instances_train2014.json` (448 MB) in one pass. Only these are kept in memory.
 * @param ids integers for string ids, also of the `wanted` ones
 * @throws {MdetrError} naming the ids that the file does not have, unless bad entries are skipped
 */
export const readChosenInstances = async (
  path: string,
  wanted: { readonly images: ReadonlySet<number>; readonly annotations: ReadonlySet<number>; readonly masks: boolean },
  progress: PreparationProgress,
  badRows: BadRows,
  ids: InstanceIds,
): Promise<ChosenInstances> => {
  const images = new Map<number, InstanceImage>();
  const annotations = new Map<number, InstanceAnnotation>();
  const onProgress = megabyteProgress(`reading ${path}, MB`, progress);
  const entries = readJsonLists(path, ['images', 'annotations'], { onProgress });
  const read = ({ list, location, value: stated }: ListEntry<'images' | 'annotations'>): void => {
    const at = `${path}: ${location}`;
    const value = ids.withNumbers(list, stated);
    const { id } = checked(idOnly, value, at);
    if (!wanted[list].has(id)) return;
    if ((list === 'images' ? images : annotations).has(id))
      throw new BadRowError(`${at}: id ${quoted(ids.stated(list, id))} occurs twice`);
    if (list === 'images') images.set(id, checked(cocoImage, value, at));
    else {
      const { segmentation: mask, ...annotation } = checked(cocoAnnotation, value, at);
      annotations.set(id, { ...annotation, segmentation: wanted.masks ? mask : undefined });
    }
  };
  for await (const entry of withPauses(entries)) badRows.attempt(() => read(entry));
  // What is left out is missing then, and the expressions about it are left out, too.
  if (!badRows.areSkipped) {
    requireAll(path, 'images', wanted.images, images, ids);
    requireAll(path, 'annotations', wanted.annotations, annotations, ids);
  }
  return { path, header: readJsonMembers(path, ['info', 'licenses', 'categories']), images, annotations, ids };
};

const requireAll = (
  path: string,
  what: 'images' | 'annotations',
  wanted: ReadonlySet<number>,
  found: ReadonlyMap<number, unknown>,
  ids: InstanceIds,
): void => {
  const missing = [...wanted].filter((id) => !found.has(id));
  const named = missing.slice(0, 5).map((id) => excerpt(String(ids.stated(what, id))));
  if (missing.length > 0)
    throw new MdetrError(
      `${path}: lacks ${missing.length} of the ${wanted.size} ${what} that expressions refer to ` +
        `(${named.join(', ')}${missing.length > 5 ? ', …' : ''}): is it the file of COCO train2014?`,
    );
};
