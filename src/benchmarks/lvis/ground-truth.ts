import * as z from 'zod';
import { fileNameProblem } from '../../data/format/row-checks.ts';
import { checked } from '../../datasets/source/checked.ts';
import { InstanceIds } from '../../datasets/source/instance-ids.ts';
import { readJsonLists } from '../../datasets/source/json-entries.ts';
import { MdetrError } from '../../errors.ts';
import type { LvisAnnotation, LvisGroundTruth, LvisImage } from '../../metrics/lvis-ap.ts';

const idList = z.array(z.number().int());
const imageSchema = z.object({
  id: z.number().int(),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  /** LVIS v1 locates an image by its URL alone. */
  coco_url: z.string().optional(),
  file_name: z.string().optional(),
  neg_category_ids: idList,
  not_exhaustive_category_ids: idList,
});
const annotationSchema = z.object({
  id: z.number().int(),
  image_id: z.number().int(),
  category_id: z.number().int(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number().optional(),
});
const categorySchema = z.object({ id: z.number().int(), name: z.string().min(1), frequency: z.enum(['r', 'c', 'f']) });

/** A category and the caption that prompts for it. */
export interface LvisCategory {
  readonly id: number;
  readonly frequency: string;
  readonly prompt: string;
}

/** Content of an LVIS file. */
export interface LvisFile {
  /** Integers for string ids. */
  readonly ids: InstanceIds;
  readonly groundTruth: LvisGroundTruth;
  /** Sorted by id. */
  readonly categories: readonly LvisCategory[];
  /** Sorted by id, each with its path below the folder of COCO's images. */
  readonly images: readonly (LvisImage & { readonly path: string })[];
}

/**
 * Reads a file in LVIS v1's own format (`lvis_v1_val.json`, or the "minival" without images of COCO's training split),
 * entry by entry. Masks are not kept.
 *
 * @param limit maximum number of images
 * @throws {MdetrError} naming an entry and field that cannot be used
 */
export const readLvisFile = (path: string, limit = Infinity): LvisFile => {
  const images: (LvisImage & { readonly path: string })[] = [];
  const annotations: LvisAnnotation[] = [];
  const categories: LvisCategory[] = [];
  const ids = new InstanceIds();
  for (const { list, value, location } of readJsonLists(path, ['images', 'annotations', 'categories'])) {
    const at = `${path}: ${location}`;
    const numbered = ids.withNumbers(list, value);
    if (list === 'images') images.push(lvisImage(numbered, at));
    else if (list === 'annotations') annotations.push(checked(annotationSchema, numbered, at));
    else {
      const { id, name, frequency } = checked(categorySchema, numbered, at);
      categories.push({ id, frequency, prompt: promptOf(name) });
    }
  }
  if (images.length === 0 || categories.length === 0) throw new MdetrError(`${path}: has no images or no categories`);
  images.sort((a, b) => a.id - b.id);
  categories.sort((a, b) => a.id - b.id);
  const kept = images.slice(0, limit);
  const keptIds = new Set(kept.map(({ id }) => id));
  const own = kept.length === images.length ? annotations : annotations.filter(({ image_id }) => keptIds.has(image_id));
  return { groundTruth: { images: kept, annotations: own, categories }, categories, images: kept, ids };
};

const lvisImage = (value: unknown, at: string): LvisFile['images'][number] => {
  const { coco_url: url, file_name: name, ...image } = checked(imageSchema, value, at);
  const path = name ?? url?.split('/').slice(-2).join('/');
  if (path === undefined) throw new MdetrError(`${at}: has neither "coco_url" nor "file_name"`);
  const problem = fileNameProblem(path);
  if (problem !== undefined)
    throw new MdetrError(`${at}, field ${name === undefined ? 'coco_url' : 'file_name'}: ${problem}`);
  return { ...image, path };
};

/** Prompt for a category as in the official script: without the part in brackets, underscores as spaces. */
export const promptOf = (name: string): string =>
  name
    .replace(/\(.*\)/g, '')
    .replace(/_/g, ' ')
    .replace(/ {2}/g, ' ');
