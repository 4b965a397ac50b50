import { join } from 'node:path';
import * as z from 'zod';
import { checked } from '../../datasets/source/checked.ts';
import { readJsonList } from '../../datasets/source/json-entries.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import type { PhraseCutGroundTruth, PhraseCutImage, PhraseCutTask } from '../../metrics/phrasecut-data.ts';

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

/**
 * Reads ground truth from PhraseCut's dataset folder: `refer_SPLIT.json`, `image_data_split.json` and
 * `name_att_rel_count.json`.
 *
 * @param wanted ids of the phrases to keep; undefined for all of the split
 * @throws {MdetrError} naming a file, entry and field that cannot be used
 */
export const readPhraseCutGroundTruth = async (
  folder: string,
  subset: string,
  wanted?: ReadonlySet<string>,
): Promise<PhraseCutGroundTruth & { readonly tasks: readonly PhraseCutTask[] }> => {
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
  return { tasks, images, counts: checked(countsSchema, await readJsonFile(countsPath), countsPath) };
};
