import * as z from 'zod';
import { ORIENTATIONS } from '../../../data/images/orientation.ts';
import { PHOTO_TIERS } from '../../../datasets/photos/photo-row.ts';
import { SPLITS } from '../../../scenes/render/splits.ts';
import { validationTasks } from '../../../benchmarks/registry.ts';
import { nonnegativeInteger, path, positiveInteger } from './values.ts';

/** Scenes without a folder: rendered when they are needed. @internal */
export const drawnScenesSchema = z.strictObject({
  seed: nonnegativeInteger.default(1).meta({ description: 'Seed of the scenes.' }),
  start: nonnegativeInteger.default(0).meta({ description: 'Index of the first scene.' }),
  images: positiveInteger.meta({ description: 'Number of scenes.' }),
  split: z
    .enum(SPLITS)
    .default('standard')
    .meta({ description: 'Split of the scenes benchmark: its colors of shapes and its phrasings.' }),
  width: positiveInteger.default(192).meta({ description: 'Width in pixels.' }),
  height: positiveInteger.default(128).meta({ description: 'Height in pixels.' }),
  min_objects: positiveInteger.default(3).meta({ description: 'Minimum number of objects in a scene.' }),
  max_objects: positiveInteger.default(8).meta({ description: 'Maximum number of objects in a scene.' }),
});

/** @internal */
export const annotatedDatasetSchema = z.strictObject({
  annotations: path.meta({
    description:
      "Annotation file in the official format, or one of CLEVR's own question files for a network that only answers (`do_qa`, `no_detection`).",
  }),
  images: z.union([path, z.record(z.string(), path)]).meta({
    description: 'Folder of the images, or one folder for each `data_source`: `{"coco": "…", "vg": "…"}`.',
  }),
  name: z
    .string()
    .optional()
    .meta({ description: 'Name in logs. The name of an official dataset selects its augmentation and metric.' }),
  task: z
    .string()
    .refine((name) => validationTasks().includes(name), {
      error: () => `must be one of ${validationTasks().join(', ')}`,
    })
    .optional()
    .meta({
      description: 'Validation: benchmark that measures the dataset besides boxes, one of `mdetr evaluate --list`.',
      shown: 'by the name',
    }),
});

/** @internal */
export const sceneDatasetSchema = z.strictObject({
  scenes: z.union([path, drawnScenesSchema]).meta({
    description:
      'Folder written by `mdetr scenes`, or the scenes to render (keys below). Their texts are made anew in every epoch.',
  }),
  name: z.string().optional().meta({ description: 'Name in logs.' }),
});

/** @internal */
export const photoDatasetSchema = z.strictObject({
  photos: path.meta({
    description:
      'Folder with `photos.jsonl`, `lexicon.json` and `features/`: photographs that a frozen detector has seen (docs/photographs.md). Texts are made anew for every sample.',
  }),
  tier: z.enum(PHOTO_TIERS).default('all').meta({ description: 'Strictest terms of the images that are used.' }),
  name: z.string().optional().meta({ description: 'Name in logs.' }),
});

const datasetSchema = z.union([annotatedDatasetSchema, sceneDatasetSchema, photoDatasetSchema]);

/** Custom datasets, and how their rows become batches. @internal */
export const dataSchema = z.object({
  datasets: z.array(datasetSchema).default([]).meta({
    description: 'Datasets to train on, instead of official ones by name; see below.',
    own: true,
  }),
  datasets_val: z.array(datasetSchema).default([]).meta({
    description: 'Datasets of the validation, instead of official ones by name.',
    own: true,
  }),
  batch_size: positiveInteger.default(2).meta({ description: 'Images of a batch; in the official code, of each GPU.' }),
  epoch_chunks: z
    .number()
    .int()
    .default(-1)
    .meta({ description: 'Above 0: each epoch covers one of this many chunks of the data, in turn.' }),
  bucket_window: nonnegativeInteger.default(0).meta({
    description: 'Above 1: batches of similar image shape, formed within windows of this many batches. Saves padding.',
    own: true,
  }),
  on_bad_row: z.enum(['stop', 'skip']).default('stop').meta({
    description: '`stop` ends the run at a row that cannot be used; `skip` leaves such rows out and counts them.',
    own: true,
  }),
  orientation: z.enum(ORIENTATIONS).optional().meta({
    description:
      'Orientation of the images: `exif` turns all by EXIF, `stored` leaves all pixels as stored, as the official code does.',
    own: true,
    shown: "the size in an image's row decides",
  }),
  num_workers: nonnegativeInteger.optional().meta({
    description: 'Threads that prepare batches; 0 prepares them in the main thread. Does not affect the results.',
    shown: 'half the cores, at most 5',
  }),
  tokenizer: path.optional().meta({
    description: 'Folder of the vocabulary files, the name of a pulled vocabulary, or a model that has one.',
    own: true,
    shown: 'that of `load`',
  }),
});

export type {
  AnnotatedDataset,
  DataConfig,
  DatasetConfig,
  DrawnScenes,
  PhotoDataset,
  SceneDataset,
} from '../data-settings.ts';
