import * as z from 'zod';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { maskBoundsXywh, maskFromDense, packMask, type PackedCocoRle } from '../../geometry/run-lengths.ts';
import { checked } from '../source/checked.ts';
import type { JsonDictionary } from '../source/json-dictionary.ts';
import type { ClevrSourceScene } from './scene-source.ts';

/** Box (pixels, xywh) of an object and, if the data have one, its mask. */
export interface ObjectRegion {
  readonly bbox: BoxXywh;
  readonly segmentation?: PackedCocoRle;
}

/** Regions of all objects of a scene, or the reason why the scene cannot be used. */
export type ObjectRegions = readonly ObjectRegion[] | string;

/** Whether a scene contains boxes: those of CLEVR-Ref+ and `mdetr scenes` do, those of CLEVR do not. */
export const hasBoxes = ({ objects, obj_bbox: boxes, obj_mask: masks }: ClevrSourceScene): boolean =>
  boxes !== undefined || masks !== undefined || objects.every(({ bbox }) => bbox !== undefined);

/** Boxes and masks that a scene contains. An object with a mask but no box gets the mask's bounds. */
export const regionsInScene = (
  { objects, obj_bbox: boxes, obj_mask: masks }: ClevrSourceScene,
  width: number,
  height: number,
): ObjectRegions => {
  const regions: ObjectRegion[] = [];
  for (const [i, { bbox, idx = i + 1 }] of objects.entries()) {
    const runs = masks?.[String(idx)];
    const own = bbox ?? boxes?.[String(idx)];
    if (runs !== undefined) {
      const mask = maskOfRuns(runs, width, height);
      if (mask === undefined) return 'scenes whose masks do not have the size of the image';
      regions.push({ bbox: (own as BoxXywh | undefined) ?? maskBoundsXywh(mask), segmentation: packMask(mask) });
    } else if (own !== undefined) regions.push({ bbox: own as unknown as BoxXywh });
    else return 'scenes with objects without boxes';
  }
  return regions;
};

/** Decodes row-major run lengths that start with a run of background. Undefined if they do not have the image's size. */
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
 * as used by the official script. They have no object indices: each object gets the box of its kind (color, material,
 * shape) whose center is nearest to the object's.
 */
export class AnnotatedBoxes {
  private readonly annotations: JsonDictionary;
  private readonly kinds: ReadonlyMap<string, string>;

  constructor(annotations: JsonDictionary, categoriesPath: string) {
    this.annotations = annotations;
    this.kinds = new Map(Object.entries(readCategories(categoriesPath)));
  }

  of({ image_filename: fileName, objects }: ClevrSourceScene): ObjectRegions {
    const entry = this.annotations.get(fileName);
    if (entry === undefined) return 'images missing in the file of boxes';
    const boxes = new Map<string, { readonly kind: string | undefined; readonly bbox: BoxXywh }>();
    for (const { object } of checked(annotationsSchema, entry.value, entry.location)) {
      const [top, bottom, left, right] = object.bbox as [number, number, number, number];
      const kind = this.kinds.get(String(object.category));
      boxes.set(`${object.bbox.join()} ${object.category}`, { kind, bbox: [left, top, right - left, bottom - top] });
    }
    if (boxes.size !== objects.length) return 'images whose numbers of boxes and objects differ';
    const regions: ObjectRegion[] = [];
    for (const { color, material, shape, pixel_coords: pixel } of objects) {
      const own = [...boxes.values()].filter(({ kind }) => kind === `${color}_${material}_${shape}`);
      if (own.length === 0 || pixel === undefined) return 'images with objects that have no box of their kind';
      const distance = ({ bbox: [x, y, w, h] }: (typeof own)[number]): number =>
        Math.abs(pixel[0]! - (x + w / 2)) + Math.abs(pixel[1]! - (y + h / 2));
      regions.push({ bbox: own.reduce((best, other) => (distance(other) < distance(best) ? other : best)).bbox });
    }
    return regions;
  }
}

const readCategories = (path: string): z.output<typeof categoriesSchema> => {
  return checked(categoriesSchema, readJsonFileSync(path), path);
};
