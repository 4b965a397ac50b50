import { z } from 'zod';
import { checked } from '../datasets/source/checked.ts';
import { readJsonLists } from '../datasets/source/json-entries.ts';
import { fileNameProblem } from '../data/format/row-checks.ts';
import { MdetrError } from '../errors.ts';
import type { LvisAnnotation, LvisImage, LvisTruth } from '../metrics/lvis-ap.ts';

const ids = z.array(z.number().int());
const imageSchema = z.object({
  id: z.number().int(),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
  /** LVIS v1 says where an image is by its address alone. */
  coco_url: z.string().optional(),
  file_name: z.string().optional(),
  neg_category_ids: ids,
  not_exhaustive_category_ids: ids,
});
const annotationSchema = z.object({
  id: z.number().int(),
  image_id: z.number().int(),
  category_id: z.number().int(),
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]),
  area: z.number().optional(),
});
const categorySchema = z.object({ id: z.number().int(), name: z.string().min(1), frequency: z.enum(['r', 'c', 'f']) });

/** A category, and the words that ask for it. */
export interface LvisCategory {
  readonly id: number;
  readonly frequency: string;
  readonly prompt: string;
}

export interface LvisFile {
  readonly truth: LvisTruth;
  /** By rising id. */
  readonly categories: readonly LvisCategory[];
  /** By rising id, each with its path below the folder of COCO's images. */
  readonly images: readonly (LvisImage & { readonly path: string })[];
}

/**
 * Reads LVIS v1's own format (`lvis_v1_val.json`, the "minival" without images of COCO's training) entry by entry; masks
 * are not kept.
 */
export const readLvisFile = (path: string, limit = Infinity): LvisFile => {
  const images: (LvisImage & { readonly path: string })[] = [];
  const annotations: LvisAnnotation[] = [];
  const categories: LvisCategory[] = [];
  for (const { list, value, location } of readJsonLists(path, ['images', 'annotations', 'categories'])) {
    const at = `${path}: ${location}`;
    if (list === 'images') images.push(lvisImage(value, at));
    else if (list === 'annotations') annotations.push(checked(annotationSchema, value, at));
    else {
      const { id, name, frequency } = checked(categorySchema, value, at);
      categories.push({ id, frequency, prompt: promptOf(name) });
    }
  }
  if (images.length === 0 || categories.length === 0) throw new MdetrError(`${path}: has no images or no categories`);
  images.sort((a, b) => a.id - b.id);
  categories.sort((a, b) => a.id - b.id);
  const chosen = images.slice(0, limit);
  const isChosen = new Set(chosen.map(({ id }) => id));
  const own =
    chosen.length === images.length ? annotations : annotations.filter(({ image_id }) => isChosen.has(image_id));
  return { truth: { images: chosen, annotations: own, categories }, categories, images: chosen };
};

const lvisImage = (value: unknown, place: string): LvisFile['images'][number] => {
  const { coco_url: url, file_name: name, ...image } = checked(imageSchema, value, place);
  const path = name ?? url?.split('/').slice(-2).join('/');
  if (path === undefined) throw new MdetrError(`${place}: has neither "coco_url" nor "file_name"`);
  const problem = fileNameProblem(path);
  if (problem !== undefined)
    throw new MdetrError(`${place}, field ${name === undefined ? 'coco_url' : 'file_name'}: ${problem}`);
  return { ...image, path };
};

/** `flip-flop_(sandal)` is asked for as the official script does: without what stands in brackets, lines as blanks. */
export const promptOf = (name: string): string =>
  name
    .replace(/\(.*\)/g, '')
    .replace(/_/g, ' ')
    .replace(/ {2}/g, ' ');
