import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fileReason, MdetrError } from '../../errors.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { maskBoundsXywh, maskFromDense, packMask, type PackedCocoRle } from '../../geometry/run-lengths.ts';
import { checked } from '../checked.ts';
import type { JsonDictionary } from '../json-dictionary.ts';
import type { ClevrSourceScene } from './scene-source.ts';

/** An object's box and, where the data have one, its mask. */
export interface ObjectPlace {
  readonly bbox: BoxXywh;
  readonly segmentation?: PackedCocoRle;
}

/** Boxes of all objects of a scene, or what is wrong with it. */
export type ObjectPlaces = readonly ObjectPlace[] | string;

/** Whether the scenes have boxes themselves: CLEVR-Ref+ and scenes of `mdetr scenes` do, CLEVR does not. */
export const hasBoxes = ({ objects, obj_bbox: boxes, obj_mask: masks }: ClevrSourceScene): boolean =>
  boxes !== undefined || masks !== undefined || objects.every(({ bbox }) => bbox !== undefined);

/** The boxes that the scene itself has: that of the visible pixels where there are masks. */
export const placesInScene = (
  { objects, obj_bbox: boxes, obj_mask: masks }: ClevrSourceScene,
  width: number,
  height: number,
): ObjectPlaces => {
  const places: ObjectPlace[] = [];
  for (const [i, { bbox, idx = i + 1 }] of objects.entries()) {
    const runs = masks?.[String(idx)];
    const own = bbox ?? boxes?.[String(idx)];
    if (runs !== undefined) {
      const mask = maskOfRuns(runs, width, height);
      if (mask === undefined) return 'scenes whose masks are not of the size of the image';
      places.push({ bbox: (own as BoxXywh | undefined) ?? maskBoundsXywh(mask), segmentation: packMask(mask) });
    } else if (own !== undefined) places.push({ bbox: own as unknown as BoxXywh });
    else return 'scenes with objects without boxes';
  }
  return places;
};

/** Run lengths along the rows, the first of which is outside. */
const maskOfRuns = (runs: string, width: number, height: number) => {
  const pixels = new Uint8Array(width * height);
  let at = 0;
  let inside = false;
  for (const text of runs.split(',')) {
    const length = Number(text);
    if (!Number.isSafeInteger(length) || length < 0 || at + length > pixels.length) return undefined;
    if (inside) pixels.fill(1, at, at + length);
    at += length;
    inside = !inside;
  }
  return at === pixels.length ? maskFromDense(pixels, height, width) : undefined;
};

const annotationsSchema = z.array(
  z.object({
    object: z.object({ bbox: z.array(z.number()).length(4), category: z.union([z.int(), z.string()]) }),
  }),
);

const categoriesSchema = z.union([z.array(z.string()), z.record(z.string(), z.string())]);

/**
 * Boxes of CLEVR's objects from the annotations of Referring Relationships (`annotations_train.json`, `cat2obj.json`),
 * which the official script takes. They are not numbered: an object gets the one of its kind (colour, material, shape)
 * whose middle is nearest to its own.
 */
export class AnnotatedBoxes {
  private readonly annotations: JsonDictionary;
  private readonly kinds: ReadonlyMap<string, string>;

  constructor(annotations: JsonDictionary, categoriesPath: string) {
    this.annotations = annotations;
    this.kinds = new Map(Object.entries(readCategories(categoriesPath)));
  }

  of({ image_filename: fileName, objects }: ClevrSourceScene): ObjectPlaces {
    const entry = this.annotations.get(fileName);
    if (entry === undefined) return 'images that the file of boxes does not have';
    const boxes = new Map<string, { readonly kind: string | undefined; readonly bbox: BoxXywh }>();
    for (const { object } of checked(annotationsSchema, entry.value, entry.place)) {
      const [top, bottom, left, right] = object.bbox as [number, number, number, number];
      const kind = this.kinds.get(String(object.category));
      boxes.set(`${object.bbox.join()} ${object.category}`, { kind, bbox: [left, top, right - left, bottom - top] });
    }
    if (boxes.size !== objects.length) return 'images with another number of boxes than of objects';
    const places: ObjectPlace[] = [];
    for (const { color, material, shape, pixel_coords: pixel } of objects) {
      const own = [...boxes.values()].filter(({ kind }) => kind === `${color}_${material}_${shape}`);
      if (own.length === 0 || pixel === undefined) return 'images with objects that have no box of their kind';
      const away = ({ bbox: [x, y, w, h] }: (typeof own)[number]): number =>
        Math.abs(pixel[0]! - (x + w / 2)) + Math.abs(pixel[1]! - (y + h / 2));
      places.push({ bbox: own.reduce((best, other) => (away(other) < away(best) ? other : best)).bbox });
    }
    return places;
  }
}

const readCategories = (path: string): z.output<typeof categoriesSchema> => {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read as JSON (${fileReason(error)})`, { cause: error });
  }
  return checked(categoriesSchema, json, path);
};
