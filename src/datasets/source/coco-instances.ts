import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import type { AnnotationFileHeader } from '../preparation/annotation-writer.ts';
import { checked } from './checked.ts';
import { readJsonLists, readJsonMembers, withPauses } from './json-entries.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationProgress } from '../preparation/preparation.ts';

const cocoImage = z.object({
  id: z.int(),
  file_name: z.string().min(1),
  width: z.number().positive(),
  height: z.number().positive(),
});
export type InstanceImage = z.output<typeof cocoImage>;

const segmentation = z.union([
  z.array(z.array(z.number())),
  z.object({ size: z.tuple([z.int(), z.int()]), counts: z.union([z.string(), z.array(z.int())]) }),
]);

/** Fields of an entry of `annotations` in COCO and LVIS. */
export const instanceFields = {
  id: z.int(),
  image_id: z.int(),
  category_id: z.int(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number(),
  iscrowd: z.int().default(0),
};

const cocoAnnotation = z.object({ ...instanceFields, segmentation: segmentation.optional() });
export type InstanceAnnotation = z.output<typeof cocoAnnotation>;

const idOnly = z.looseObject({ id: z.int() });

/** A selection of images and boxes from a COCO instances file. */
export interface ChosenInstances {
  readonly path: string;
  readonly header: AnnotationFileHeader;
  readonly images: ReadonlyMap<number, InstanceImage>;
  readonly annotations: ReadonlyMap<number, InstanceAnnotation>;
}

/**
 * Reads selected images and boxes of `instances_train2014.json` (448 MB) in one pass. Only these are kept in memory.
 * @throws {MdetrError} naming the ids that the file does not have
 */
export const readChosenInstances = async (
  path: string,
  wanted: { readonly images: ReadonlySet<number>; readonly annotations: ReadonlySet<number>; readonly masks: boolean },
  progress: PreparationProgress,
): Promise<ChosenInstances> => {
  const images = new Map<number, InstanceImage>();
  const annotations = new Map<number, InstanceAnnotation>();
  const onProgress = megabyteProgress(`reading ${path}, MB`, progress);
  const entries = readJsonLists(path, ['images', 'annotations'], { onProgress });
  for await (const { list, location, value } of withPauses(entries)) {
    const at = `${path}: ${location}`;
    const { id } = checked(idOnly, value, at);
    if (!wanted[list].has(id)) continue;
    if (list === 'images') images.set(id, checked(cocoImage, value, at));
    else {
      const { segmentation: mask, ...annotation } = checked(cocoAnnotation, value, at);
      annotations.set(id, wanted.masks ? { ...annotation, segmentation: mask } : annotation);
    }
  }
  requireAll(path, 'images', wanted.images, images);
  requireAll(path, 'annotations', wanted.annotations, annotations);
  return { path, header: readJsonMembers(path, ['info', 'licenses', 'categories']), images, annotations };
};

const requireAll = (
  path: string,
  what: string,
  wanted: ReadonlySet<number>,
  found: ReadonlyMap<number, unknown>,
): void => {
  const missing = [...wanted].filter((id) => !found.has(id));
  if (missing.length > 0)
    throw new MdetrError(
      `${path}: lacks ${missing.length} of the ${wanted.size} ${what} that expressions refer to ` +
        `(${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}): is it the file of COCO train2014?`,
    );
};
