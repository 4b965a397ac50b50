import * as z from 'zod';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import type { NewAnnotation, NewImage } from '../preparation/annotation-writer.ts';
import { BadRowError } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import type { Remarks } from '../preparation/remarks.ts';

const imageData = z.object({
  image_id: z.int(),
  width: z.number().positive(),
  height: z.number().positive(),
  split: z.string(),
});
/** An entry of `image_data_split.json`. */
export type PhraseCutImageData = z.output<typeof imageData>;

/** Validates an entry of PhraseCut's image data. @throws {BadRowError} naming the field */
export const checkImageData = (value: unknown, location: string): PhraseCutImageData =>
  checked(imageData, value, location);

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const phrase = z.object({
  task_id: z.string(),
  image_id: z.int(),
  phrase: z.string(),
  instance_boxes: z.array(box),
  // Millions of points: validated where they are used.
  Polygons: z.array(z.unknown()),
});
/** An entry of `refer_SPLIT.json`: a phrase with the box and polygons of every instance it refers to. */
export type PhraseCutPhrase = z.output<typeof phrase>;

/** Validates an entry of `refer_SPLIT.json`. @throws {BadRowError} naming the first wrong field */
export const checkPhrase = (value: unknown, location: string): PhraseCutPhrase => {
  const checkedPhrase = checked(phrase, value, location);
  const { Polygons: polygons, instance_boxes: boxes } = checkedPhrase;
  if (polygons.length !== boxes.length)
    throw new BadRowError(
      `${location}: has ${boxes.length} instance_boxes but Polygons of ${polygons.length} instances`,
    );
  return checkedPhrase;
};

/** Options of the rows of PhraseCut. */
export interface PhraseRowOptions {
  /** `official` keeps the last polygon of an instance, like the official script; `all` keeps all of them. */
  readonly polygons: 'official' | 'all';
  readonly leftOut: Remarks;
  readonly notes: Remarks;
}

/** Row of one phrase. The span of every instance is the entire phrase. */
export const phraseRow = (
  { task_id, image_id, phrase: caption, instance_boxes, Polygons }: PhraseCutPhrase,
  { width, height }: PhraseCutImageData,
  location: string,
  { polygons: kept, leftOut, notes }: PhraseRowOptions,
): { readonly image: NewImage; readonly annotations: readonly NewAnnotation[] } => {
  const entireCaption: readonly CodePointSpan[] = [[0, codePointLength(caption)]];
  const annotations: NewAnnotation[] = [];
  instance_boxes.forEach((bbox, i) => {
    const task = `task ${task_id}`;
    const polygons = polygonsOf(Polygons[i], `${location}, field Polygons.${i}`);
    const areas = polygons.filter((points) => points.length >= 6);
    if (areas.length < polygons.length)
      leftOut.add('polygons of fewer than three points', task, polygons.length - areas.length);
    if (areas.length === 0) {
      leftOut.add('instances without a polygon', task);
      return;
    }
    remarkOn(bbox, width, height, task, notes);
    annotations.push({
      area: bbox[3] * bbox[2],
      iscrowd: 0,
      category_id: 1,
      bbox,
      segmentation: kept === 'all' ? areas : areas.slice(-1),
      tokens_positive: entireCaption,
    });
  });
  if (annotations.length === 0) notes.add('phrases without an instance', `task ${task_id}`);
  return {
    image: {
      file_name: `${image_id}.jpg`,
      height,
      width,
      original_id: image_id,
      caption,
      tokens_negative: entireCaption,
      dataset_name: 'phrasecut',
      task_id,
    },
    annotations,
  };
};

/** Flattens polygons from lists of [x, y] to [x0, y0, x1, y1, …]. */
const polygonsOf = (value: unknown, location: string): number[][] => {
  const fail = (what: string): never => {
    throw new BadRowError(`${location}: ${what}`);
  };
  if (!Array.isArray(value)) return fail('expected a list of polygons');
  return value.map((polygon: unknown, i) => {
    if (!Array.isArray(polygon)) return fail(`polygon ${i} is not a list of points`);
    const flat: number[] = [];
    for (const point of polygon as unknown[]) {
      if (!Array.isArray(point) || point.length !== 2 || !Number.isFinite(point[0]) || !Number.isFinite(point[1]))
        return fail(`polygon ${i} has a point that is not [x, y]: ${JSON.stringify(point).slice(0, 40)}`);
      flat.push(point[0] as number, point[1] as number);
    }
    return flat;
  });
};

const remarkOn = ([x, y, w, h]: BoxXywh, width: number, height: number, location: string, notes: Remarks): void => {
  if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers skip', location);
  else if (x < 0 || y < 0 || x + w > width || y + h > height)
    notes.add('boxes that extend beyond the image, which readers clip', location);
};
