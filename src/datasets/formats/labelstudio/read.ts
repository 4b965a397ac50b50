import * as z from 'zod';
import { readJsonFileSync } from '../../../files/json/json-file.ts';
import type { ImportedImage, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { isImageFile } from '../../import/image-names.ts';
import { splitNamed, splitOfPath } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { readJsonList, withPauses } from '../../source/json-entries.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { filesByOutline } from '../recognition.ts';
import { classOfUnnamed } from '../unnamed-classes.ts';
import { hasLabels, objectsOfResults } from './regions.ts';

const record = z.record(z.string(), z.unknown());
const annotationSchema = z.looseObject({
  id: z.unknown().optional(),
  result: z.array(record).nullish(),
  was_cancelled: z.boolean().nullish(),
  skipped: z.boolean().nullish(),
  ground_truth: z.boolean().nullish(),
  updated_at: z.unknown().optional(),
  created_at: z.unknown().optional(),
});
const taskSchema = z.looseObject({
  data: record,
  annotations: z.array(annotationSchema).nullish(),
  completions: z.array(annotationSchema).nullish(),
  predictions: z.array(annotationSchema).nullish(),
  file_upload: z.string().nullish(),
});

/** Keys of values with the labels of a region, which begin with the kind of the region. */
const LABEL_KEY = /^((rectangle|polygon|brush|ellipse|keypoint)?labels)$/;

/**
 * Importer of Label Studio's JSON and JSON-MIN exports: rectangles (turned ones, too), polygons, ellipses and brush masks in
 * percent. Of several annotations of a task, the ground truth counts, else the latest that was not cancelled; predictions
 * count if no task has annotations.
 */
export const labelStudioImporter: Importer = {
  name: 'labelstudio',
  title: 'Label Studio JSON',
  files: 'JSON files with a list of tasks ("data" and "annotations"), or the JSON-MIN export',

  recognize: (source) =>
    filesByOutline(source, /\.json$/i, ({ kind, keys, first }) => {
      const isTask = keys.has('data') && ['annotations', 'completions', 'predictions'].some((key) => keys.has(key));
      return kind === 'list' ? isTask || isMinimal(first) : kind === 'object' && isTask && !keys.has('images');
    }),

  async *read(source, files, options) {
    const tasks: Task[] = [];
    for (const file of files) for await (const task of readTasks(source, file)) tasks.push(task);
    const hasAnnotations = tasks.some(({ annotations }) => annotations.length > 0);
    const isUnnamed = !tasks.some(({ annotations, predictions }) =>
      [...annotations, ...predictions].some(({ result }) => result?.some(hasLabels) === true),
    );
    const defaultClass =
      isUnnamed && tasks.length > 0 ? classOfUnnamed(options, tasks[0]!.location) : options.defaultClass;
    yield* options.badRows.usable(tasks, (task) =>
      imagesOf(source, task, hasAnnotations, { ...options, defaultClass }),
    );
  },
};

interface Task {
  readonly file: string;
  readonly location: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly fileUpload: string | undefined;
  readonly annotations: readonly z.output<typeof annotationSchema>[];
  readonly predictions: readonly z.output<typeof annotationSchema>[];
}

const readTasks = async function* (source: ImportSource, file: string): AsyncGenerator<Task> {
  const path = source.pathOf(file);
  for await (const { value, location: entry } of withPauses(entriesOf(source, file))) {
    const location = `${path}: ${entry}`;
    if (isMinimal(value)) {
      yield {
        file,
        location,
        ...minimalTask(checked(record, value, location)),
        fileUpload: undefined,
        predictions: [],
      };
      continue;
    }
    const {
      data,
      annotations,
      completions,
      predictions,
      file_upload: fileUpload,
    } = checked(taskSchema, value, location);
    yield {
      file,
      location,
      data,
      fileUpload: fileUpload ?? undefined,
      annotations: annotations ?? completions ?? [],
      predictions: predictions ?? [],
    };
  }
};

/** Tasks of a list, or the one task of a file. */
const entriesOf = function* (source: ImportSource, file: string): Generator<{ value: unknown; location: string }> {
  if (source.outlineOf(file)?.kind === 'list') yield* readJsonList(source.pathOf(file));
  else yield { value: readJsonFileSync(source.pathOf(file)), location: 'task' };
};

/** Whether a value is an entry of JSON-MIN, whose regions are in a list under the name of the labeling control. */
const isMinimal = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !('data' in value) && Object.values(value).some(isRegionList);

const isRegionList = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (region: unknown) =>
      typeof region === 'object' && region !== null && Object.keys(region).some((key) => LABEL_KEY.test(key)),
  );

const minimalTask = (entry: Readonly<Record<string, unknown>>): Pick<Task, 'data' | 'annotations'> => {
  const regions = Object.values(entry).flatMap((value) =>
    isRegionList(value) ? (value as Record<string, unknown>[]) : [],
  );
  return {
    data: entry,
    annotations: [
      {
        result: regions.map((region) => ({
          ...region,
          type: Object.keys(region).find((key) => LABEL_KEY.test(key)),
          value: region,
        })),
      },
    ],
  };
};

const imagesOf = (
  source: ImportSource,
  task: Task,
  hasAnnotations: boolean,
  options: ImportOptions,
): ImportedImage[] => {
  const { file, location, data, fileUpload } = task;
  const usable = (hasAnnotations ? task.annotations : task.predictions).filter(
    ({ was_cancelled: cancelled, skipped, result }) => cancelled !== true && skipped !== true && result != null,
  );
  if (usable.length === 0) {
    options.leftOut.add('tasks without annotations', location);
    return [];
  }
  if (!hasAnnotations) options.notes.add('predictions, since no task has annotations', location);
  if (usable.length > 1) options.notes.add('tasks with several annotations, of which one counts', location);
  const results = [...usable].sort(byPriority)[0]!.result!;
  const references = imageReferences(data) ?? (fileUpload === undefined ? [] : [fileUpload]);
  if (references.length === 0)
    throw new BadRowError(
      `${location}: "data" names no image${'video' in data ? ', but a video: export its frames as images' : ''}`,
    );
  return references.map((reference, index) => {
    // Regions of a task with several images say which one they belong to.
    const own = references.length === 1 ? results : results.filter(({ item_index: item }) => (item ?? 0) === index);
    const { objects, width, height } = objectsOfResults(own, location, options);
    return {
      fileName: reference,
      path: findImage(source, reference, references.length === 1 ? fileUpload : undefined, file),
      width,
      height,
      unit: 'fractions',
      split: splitNamed(typeof data['split'] === 'string' ? data['split'] : '') ?? splitOfPath(file),
      objects,
      location,
    } satisfies ImportedImage;
  });
};

const findImage = (
  source: ImportSource,
  reference: string,
  fileUpload: string | undefined,
  file: string,
): string | undefined =>
  source.findImage(reference, file) ?? (fileUpload === undefined ? undefined : source.findImage(fileUpload, file));

/** Ground truth first, then the latest. */
const byPriority = (a: z.output<typeof annotationSchema>, b: z.output<typeof annotationSchema>): number =>
  Number(b.ground_truth === true) - Number(a.ground_truth === true) ||
  timeOf(b.updated_at ?? b.created_at).localeCompare(timeOf(a.updated_at ?? a.created_at));

const timeOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';

/** The image that a task's data names, or its list of images; undefined if there is none. */
const imageReferences = (data: Readonly<Record<string, unknown>>): readonly string[] | undefined => {
  const one = imageReference(data);
  if (one !== undefined) return [one];
  const isList = (value: unknown): value is string[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => typeof entry === 'string' && (isImageAddress(entry) || /[?&]d=/.test(entry)));
  return Object.values(data).find(isList);
};

const isImageAddress = (value: string): boolean => isImageFile(value.replace(/[?#].*$/, ''));

/** The value of a task's data that names an image. */
const imageReference = (data: Readonly<Record<string, unknown>>): string | undefined => {
  const texts = Object.entries(data).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '',
  );
  const named = texts.find(
    ([key, value]) => /^(image|img|photo|picture|url|ocr)/i.test(key) && !value.startsWith('data:'),
  );
  const looks = texts.find(([, value]) => isImageAddress(value) || /[?&]d=/.test(value));
  return looks !== undefined && named !== undefined && !isImageAddress(named[1]) ? looks[1] : (named ?? looks)?.[1];
};
