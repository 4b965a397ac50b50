import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { CocoRow } from '../data/format/coco-format.ts';
import { checked } from '../datasets/source/checked.ts';
import { readJsonList } from '../datasets/source/json-entries.ts';
import { emptyMask, packMask, unpackMask } from '../geometry/run-lengths.ts';
import { fileReason, MdetrError } from '../errors.ts';
import { phraseCutQueries, phraseCutResult } from '../postprocess/masks.ts';
import type { PhraseCutCounts } from '../metrics/phrasecut-subsets.ts';
import { PhraseCutEvaluator, type PhraseCutImage, type PhraseCutTask } from '../metrics/phrasecut.ts';
import { postprocessBoxes } from '../postprocess/scored-boxes.ts';
import type { Prediction } from '../metrics/predictions.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Benchmark } from './task-definition.ts';

const number = z.number();
const words = z.array(z.string());
const taskSchema = z.object({
  task_id: z.string(),
  image_id: number,
  phrase_structure: z.object({
    name: z.string(),
    attributes: words,
    relation_descriptions: z.array(z.unknown()),
    type: z.string(),
  }),
  instance_boxes: z.array(z.array(number).length(4)),
  Polygons: z.array(z.array(z.array(z.array(number).min(2)))),
});
const imageSchema = z.object({
  image_id: number,
  width: number.int().positive(),
  height: number.int().positive(),
  coco_id: number.nullish(),
});
const countSchema = z.array(z.tuple([z.string(), number]));
const countsSchema = z.object({ cat: countSchema, att: countSchema });

/** Ground truth as PhraseCut distributes it: `refer_SPLIT.json`, `image_data_split.json`, `name_att_rel_count.json`. */
export interface PhraseCutFiles {
  readonly tasks: readonly PhraseCutTask[];
  readonly images: readonly PhraseCutImage[];
  readonly counts: PhraseCutCounts;
}

/** Reads what concerns `wanted` phrases; all of the split where that is undefined. */
export const readPhraseCutGroundTruth = async (
  folder: string,
  subset: string,
  wanted?: ReadonlySet<string>,
): Promise<PhraseCutFiles> => {
  const tasks: PhraseCutTask[] = [];
  const tasksPath = join(folder, `refer_${subset}.json`);
  for (const { value, location } of readJsonList(tasksPath)) {
    const task = checked(taskSchema, value, `${tasksPath} ${location}`);
    if (wanted === undefined || wanted.has(task.task_id)) tasks.push(task);
  }
  const needed = new Set(tasks.map(({ image_id }) => image_id));
  const imagesPath = join(folder, 'image_data_split.json');
  const images: PhraseCutImage[] = [];
  for (const { value, location } of readJsonList(imagesPath)) {
    const image = checked(imageSchema, value, `${imagesPath} ${location}`);
    if (needed.has(image.image_id)) images.push(image);
  }
  const countsPath = join(folder, 'name_att_rel_count.json');
  return { tasks, images, counts: checked(countsSchema, await readJson(countsPath), countsPath) };
};

const readJson = async (path: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as unknown;
  } catch (error) {
    throw new MdetrError(
      `${path}: cannot be read as JSON (${fileReason(error)}); --truth names PhraseCut's own folder`,
      {
        cause: error,
      },
    );
  }
};

const taskIdOf = ({ image }: CocoRow): string => {
  const id = image['task_id'];
  if (typeof id !== 'string')
    throw new MdetrError(
      `row with image id ${image.id} has no "task_id": it is none of PhraseCut's files (finetune_phrasecut_miniv.json)`,
    );
  return id;
};

export interface PhraseCutOptions {
  /** PhraseCut's own folder (`VGPhraseCut_v0`). */
  readonly truth: string;
  /** `miniv`, `val` or `test`. */
  readonly subset: string;
  /** Not all rows of the file are looked at: only their phrases count. */
  readonly isPartial: boolean;
  /** Masks are compared, too. */
  readonly withMasks: boolean;
}

/** Mean and cumulative IoU and precision of a phrase's boxes and masks, over all and by subset. */
export const phraseCutBenchmark = async (
  rows: Iterable<CocoRow>,
  { truth, subset, isPartial, withMasks }: PhraseCutOptions,
): Promise<Benchmark<'phrasecut'>> => {
  const asked = new Set(Array.from(rows, taskIdOf));
  const files = await readPhraseCutGroundTruth(truth, subset, isPartial ? asked : undefined);
  const known = new Set(files.tasks.map(({ task_id }) => task_id));
  const unmatched = [...asked].find((id) => !known.has(id));
  if (unmatched !== undefined)
    throw new MdetrError(
      `refer_${subset}.json has no phrase ${unmatched}: say by --subset which split the rows are of`,
    );
  return {
    kind: 'phrasecut',
    metrics: [{ title: 'phrasecut', evaluator: new PhraseCutEvaluator(files, { masks: withMasks }) }],
    predict: (model, row, outputs, item) => phrasePrediction(model, row, outputs, item, withMasks),
    keyOf: taskIdOf,
    keyOfPrediction: ({ task_id }) => task_id,
    boxesOf: ({ boxes }) => boxes.map(([x, y, w, h]) => ({ box: [x, y, x + w, y + h], score: 1 })),
  };
};

const phrasePrediction = async (
  model: MDETR,
  row: CocoRow,
  outputs: TextOutputs,
  item: number,
  withMasks: boolean,
): Promise<Prediction<'phrasecut'>> => {
  const size = outputs.size(item);
  const { scores, boxes } = postprocessBoxes(outputs.detection(item), size);
  const kept = phraseCutQueries(scores);
  const packed = withMasks && kept.length > 0 ? await model.predictMasks(outputs, item, kept) : [];
  const nothing = emptyMask(size.height, size.width);
  const masks = Array.from(scores, (_, query) => {
    const own = packed[kept.indexOf(query)];
    return own === undefined ? nothing : unpackMask(own);
  });
  const { boxesXywh, mask } = phraseCutResult({ scores, boxesXyxy: boxes, masks }, [size.height, size.width]);
  return {
    original_id: row.image.original_id ?? row.image.id,
    task_id: taskIdOf(row),
    boxes: boxesXywh as [number, number, number, number][],
    ...(withMasks ? { mask: packMask(mask) } : {}),
  };
};
