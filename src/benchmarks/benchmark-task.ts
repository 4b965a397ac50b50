import { MdetrError, UsageError } from '../errors.ts';
import { ImageRoots } from '../data/images/node/image-roots.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import { cocoBenchmark, refexpBenchmark } from './box-tasks.ts';
import { flickrBenchmark } from './flickr-task.ts';
import { evaluateLvis, type LvisTaskOptions } from './lvis-task.ts';
import { phraseCutBenchmark } from './phrasecut-task.ts';
import { phrasesBenchmark } from './phrases-task.ts';
import { clevrBenchmark, gqaBenchmark } from './question-tasks.ts';
import { runBenchmark, savedMasks, type RunOptions } from './run-benchmark.ts';
import type { Benchmark, PredictionKind } from './task-definition.ts';
import { openRows, type RowsOptions, type TaskRows } from './task-rows.ts';
import type { TaskReport } from './task-report.ts';

/** Published metrics over annotation files. */
export const benchmarkTasks = [
  'flickr',
  'refexp',
  'clevrref',
  'phrasecut',
  'gqa',
  'clevr',
  'coco',
  'lvis',
  'phrases',
] as const;
export type BenchmarkTask = (typeof benchmarkTasks)[number];

export interface BenchmarkTaskOptions
  extends RowsOptions, Omit<RunOptions, 'images'>, Pick<LvisTaskOptions, 'limitBy'> {
  readonly task: BenchmarkTask;
  /** Where pictures are: a folder, or `SOURCE=FOLDER` for each `data_source`. */
  readonly images: readonly string[];
  /** Ground truth beside the annotation file, as the data set's authors distribute it. */
  readonly truth?: string | undefined;
  /** Which split that is, where the annotation file's name does not end in it. */
  readonly subset?: string | undefined;
  /** Threshold overlaps of expressions by IoU, as the papers say, instead of GIoU, as the official code does. */
  readonly criterion: 'giou' | 'iou';
  /** Masks of COCO, too. */
  readonly masks: boolean;
  /** A file for the test server is wanted. */
  readonly wantsSubmission: boolean;
}

/** LVIS' texts are a word or two: so many times the batch of other tasks go together. */
const promptsPerText = 8;

/** The published metric of a task. @throws {UsageError} when something is missing that the task needs */
export const evaluateBenchmark = async (
  model: MDETR | undefined,
  options: BenchmarkTaskOptions,
): Promise<TaskReport> => {
  requireGroundTruth(options);
  const { task, images, batchSize } = options;
  if (task === 'lvis')
    return evaluateLvis(model, { ...options, images: images[0]!, promptsPerPass: promptsPerText * batchSize });
  const rows = openRows(options);
  try {
    if (rows.areQuestions && task !== 'clevr')
      throw new MdetrError(`${options.annotations}: has CLEVR's questions, which --task clevr measures`);
    return await evaluateRows(model, rows, { ...options, task });
  } finally {
    rows.close();
  }
};

type RowTaskOptions = BenchmarkTaskOptions & { readonly task: Exclude<BenchmarkTask, 'lvis'> };

const evaluateRows = async (model: MDETR | undefined, rows: TaskRows, options: RowTaskOptions): Promise<TaskReport> => {
  const images = ImageRoots.parse(options.images);
  if (model !== undefined) images.requireFolders();
  const run = <Kind extends PredictionKind>(benchmark: Benchmark<Kind>): Promise<TaskReport> =>
    runBenchmark(model, benchmark, rows, { ...options, images });
  const { task, truth } = options;
  switch (task) {
    case 'flickr':
      return run(await flickrBenchmark(rows, splitOptions(rows, options)));
    case 'phrasecut': {
      const split = splitOptions(rows, options);
      return run(await phraseCutBenchmark(rows, { ...split, withMasks: await hasMasks(model, options, 'phrasecut') }));
    }
    case 'refexp':
    case 'clevrref':
      return run(refexpBenchmark(rows, task, options.criterion));
    case 'coco':
      return run(cocoBenchmark(rows, options.masks && (await hasMasks(model, options, 'coco'))));
    case 'clevr':
      return run(clevrBenchmark(rows, { truth, withoutAnswers: options.wantsSubmission }));
    case 'gqa':
      return run(gqaBenchmark(rows, { truth, withoutAnswers: options.wantsSubmission }));
    case 'phrases':
      return run(phrasesBenchmark(rows));
  }
};

const hasMasks = async (
  model: MDETR | undefined,
  { predictions }: BenchmarkTaskOptions,
  kind: 'phrasecut' | 'coco',
): Promise<boolean> => (predictions === undefined ? model?.hasMasks === true : savedMasks(predictions, kind));

/** Splits of data sets whose ground truth lies beside the annotation file. */
const splitsWithGroundTruth = {
  flickr: ['val', 'test', 'train'],
  phrasecut: ['miniv', 'val', 'test', 'train'],
} as const;

/** What a task needs beside the annotation file. @throws {UsageError} that names what is missing, before any work */
export const requireGroundTruth = ({
  task,
  annotations,
  images,
  truth,
  subset,
}: Pick<BenchmarkTaskOptions, 'task' | 'annotations' | 'images' | 'truth' | 'subset'>): void => {
  if (task === 'lvis' && images.length !== 1)
    throw new UsageError('--task lvis needs one --images DIR: that of COCO 2017');
  if (task !== 'flickr' && task !== 'phrasecut') return;
  if (truth === undefined)
    throw new UsageError(
      `--task ${task} needs --truth DIR, ${task === 'flickr' ? 'the folder of Flickr30k Entities' : "PhraseCut's own folder (VGPhraseCut_v0)"}`,
    );
  const splits: readonly string[] = splitsWithGroundTruth[task];
  if (!splits.includes(subset ?? splitOf(annotations)))
    throw new UsageError(`say by --subset of which split ${annotations} is: ${splits.join(', ')}`);
};

/** `final_flickr_separateGT_val.json` is of `val`. */
const splitOf = (annotations: string): string => /_([a-z]+)\.jsonl?$/.exec(annotations)?.[1] ?? '';

/** The folder of ground truth, and which split of it the rows are. */
const splitOptions = (
  rows: TaskRows,
  { annotations, truth, subset, limit, onBadRow }: RowTaskOptions,
): { truth: string; subset: string; isPartial: boolean } => {
  let read = 0;
  if (onBadRow === 'skip') for (const _ of rows) read++;
  const isPartial = limit !== undefined || (onBadRow === 'skip' && read < rows.length);
  return { truth: truth!, subset: subset ?? splitOf(annotations), isPartial };
};
