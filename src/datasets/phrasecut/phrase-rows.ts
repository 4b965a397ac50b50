import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import type { NewAnnotation, NewImage } from '../annotation-writer.ts';
import { checked } from '../checked.ts';
import type { Remarks } from '../remarks.ts';

const imageData = z.object({
  image_id: z.int(),
  width: z.number().positive(),
  height: z.number().positive(),
  split: z.string(),
});
/** An entry of `image_data_split.json`. */
export type PhraseCutImageData = z.output<typeof imageData>;

export const checkImageData = (value: unknown, place: string): PhraseCutImageData => checked(imageData, value, place);

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const phrase = z.object({
  task_id: z.string(),
  image_id: z.int(),
  phrase: z.string(),
  instance_boxes: z.array(box),
  // Millions of points: looked at where they are used.
  Polygons: z.array(z.unknown()),
});
/** An entry of `refer_SPLIT.json`: a phrase and what it means, as boxes and polygons of each instance. */
export type PhraseCutPhrase = z.output<typeof phrase>;

export const checkPhrase = (value: unknown, place: string): PhraseCutPhrase => {
  const checkedPhrase = checked(phrase, value, place);
  const { Polygons: polygons, instance_boxes: boxes } = checkedPhrase;
  if (polygons.length !== boxes.length)
    throw new MdetrError(`${place}: has ${boxes.length} instance_boxes and Polygons of ${polygons.length} instances`);
  return checkedPhrase;
};

export interface PhraseRowOptions {
  /** `official`: the last polygon of an instance, as the official script keeps; `all`: all of them. */
  readonly polygons: 'official' | 'all';
  readonly leftOut: Remarks;
  readonly notes: Remarks;
}

/** The row of one phrase: every instance means the whole phrase. */
export const phraseRow = (
  { task_id, image_id, phrase: caption, instance_boxes, Polygons }: PhraseCutPhrase,
  { width, height }: PhraseCutImageData,
  place: string,
  { polygons: kept, leftOut, notes }: PhraseRowOptions,
): { readonly image: NewImage; readonly annotations: readonly NewAnnotation[] } => {
  const whole: readonly Span[] = [[0, codePointLength(caption)]];
  const annotations: NewAnnotation[] = [];
  instance_boxes.forEach((bbox, i) => {
    const where = `task ${task_id}`;
    const polygons = polygonsOf(Polygons[i], `${place}, field Polygons.${i}`);
    const areas = polygons.filter((points) => points.length >= 6);
    if (areas.length < polygons.length)
      leftOut.add('polygons of less than three points', where, polygons.length - areas.length);
    if (areas.length === 0) {
      leftOut.add('instances without a polygon', where);
      return;
    }
    remarkOn(bbox, width, height, where, notes);
    annotations.push({
      area: bbox[3] * bbox[2],
      iscrowd: 0,
      category_id: 1,
      bbox,
      segmentation: kept === 'all' ? areas : areas.slice(-1),
      tokens_positive: whole,
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
      tokens_negative: whole,
      dataset_name: 'phrasecut',
      task_id,
    },
    annotations,
  };
};

/** Lists of [x, y] → lists of x, y. */
const polygonsOf = (value: unknown, place: string): number[][] => {
  const fail = (what: string): never => {
    throw new MdetrError(`${place}: ${what}`);
  };
  if (!Array.isArray(value)) return fail('expected a list of polygons');
  return value.map((polygon: unknown, i) => {
    if (!Array.isArray(polygon)) return fail(`polygon ${i} is no list of points`);
    const flat: number[] = [];
    for (const point of polygon as unknown[]) {
      if (!Array.isArray(point) || point.length !== 2 || !Number.isFinite(point[0]) || !Number.isFinite(point[1]))
        return fail(`polygon ${i} has a point that is not [x, y]: ${JSON.stringify(point).slice(0, 40)}`);
      flat.push(point[0] as number, point[1] as number);
    }
    return flat;
  });
};

const remarkOn = ([x, y, w, h]: BoxXywh, width: number, height: number, place: string, notes: Remarks): void => {
  if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers leave out', place);
  else if (x < 0 || y < 0 || x + w > width || y + h > height)
    notes.add('boxes that reach out of the image, which readers cut off', place);
};
