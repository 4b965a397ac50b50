import type { CocoRow } from '../data/format/coco-format.ts';
import type { ImageRoots } from '../data/images/node/image-roots.ts';
import { decodeImage } from '../data/images/node/decode-image.ts';
import { AnnotationIndex } from '../data/annotation-index/annotation-index.ts';
import { RowReader, type OnBadRow } from '../data/annotation-index/row-reader.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import { MdetrError, messageOf } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import { cocoTask, refexpTask } from './box-tasks.ts';
import { flickrBenchmark, mergedTitle } from './flickr-task.ts';
import { phraseCutBenchmark } from './phrasecut-task.ts';
import { phrasesTask } from './phrases-task.ts';
import { clevrTask, gqaTask } from './question-tasks.ts';
import type { Benchmark, PredictionKind, TaskDefinition, TitledMetric } from './task-definition.ts';

/** What can be measured while a model is trained, with no other file than the annotations. */
export type RowTask = 'coco' | 'phrases' | 'refexp' | 'clevrref' | 'gqa' | 'clevr';

/** What also needs the files that the data set's authors distribute. */
export interface GroundTruthTask {
  readonly task: 'flickr' | 'phrasecut';
  /** Their folder, and which split of it the annotations are. */
  readonly truth: string;
  readonly subset: string;
}

export type ValidationTask = RowTask | GroundTruthTask;

export interface ValidationOptions {
  readonly annotations: string;
  readonly images: ImageRoots;
  /** What is measured, all in one pass. */
  readonly tasks: readonly ValidationTask[];
  /** At most so many rows, spread evenly over the file; 0: all. */
  readonly limit: number;
  readonly batchSize: number;
  readonly onBadRow: OnBadRow;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ValidationResult {
  /** Those of all tasks. */
  readonly metrics: Metrics;
  readonly skipped: number;
}

/** Several metrics over (a part of) an annotation file, for a model that is being trained. */
export const validateAnnotations = async (model: MDETR, options: ValidationOptions): Promise<ValidationResult> => {
  const { annotations, limit, onBadRow, signal, batchSize } = options;
  const index = AnnotationIndex.open(annotations);
  try {
    // CLEVR's own files of questions have no boxes.
    const tasks = index.format === 'questions' ? options.tasks.filter(asksOnly) : options.tasks;
    if (tasks.length === 0)
      throw new MdetrError(`${annotations}: has questions without boxes, and the network answers none (do_qa)`);
    const reader = new RowReader(index, { onBadRow });
    const count = limit === 0 ? index.length : Math.min(limit, index.length);
    const rows: CocoRow[] = [];
    for (let k = 0; k < count; k++) {
      const row = reader.read(Math.floor((k * index.length) / count));
      if (row !== undefined) rows.push(row);
    }
    if (rows.length === 0) throw new MdetrError(`${annotations}: no rows to validate on`);
    // Truth and predictions must be of the same rows, so what cannot be read is found out first.
    const readable = onBadRow === 'skip' ? await readableRows(rows, options) : rows;
    if (readable.length === 0) throw new MdetrError(`${annotations}: none of its pictures can be read`);
    const running: RunningTask[] = [];
    for (const task of tasks)
      running.push(
        typeof task === 'string' ? startRowTask(task, readable) : await startGroundTruthTask(task, model, readable),
      );
    for (let start = 0; start < readable.length; start += batchSize) {
      signal?.throwIfAborted();
      const batch = readable.slice(start, start + batchSize);
      const items = await Promise.all(
        batch.map(async (row) => ({ image: await imageOf(row, options), text: row.image.caption ?? '' })),
      );
      const outputs = await model.predict(items, { decode: { orient: false }, truncation: 'end' });
      for (const [item, row] of batch.entries()) for (const task of running) await task.add(model, row, outputs, item);
      options.onProgress?.(start + batch.length, readable.length);
    }
    const metrics = Object.assign({}, ...running.map((task) => task.summarize())) as Metrics;
    return { metrics, skipped: reader.counts.skipped + rows.length - readable.length };
  } finally {
    index.close();
  }
};

const asksOnly = (task: ValidationTask): boolean => task === 'gqa' || task === 'clevr';

const imageOf = async (row: CocoRow, { annotations, images }: ValidationOptions): Promise<RawImage> => {
  try {
    // Boxes of the files are those of the stored pixels: no turning by EXIF, as in the official code.
    return await decodeImage(images.pathOf(row.image), { orient: false });
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    throw new MdetrError(`${annotations}: image id ${row.image.id}: file_name: ${messageOf(error)}`, { cause: error });
  }
};

const readableRows = async (rows: readonly CocoRow[], options: ValidationOptions): Promise<readonly CocoRow[]> => {
  const readable: CocoRow[] = [];
  for (const row of rows) {
    options.signal?.throwIfAborted();
    try {
      await imageOf(row, options);
      readable.push(row);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
    }
  }
  return readable;
};

/** A task under way, whatever its predictions look like. */
interface RunningTask {
  add(model: MDETR, row: CocoRow, outputs: TextOutputs, item: number): Promise<void> | void;
  summarize(): Metrics;
}

const startRowTask = (task: RowTask, rows: readonly CocoRow[]): RunningTask => {
  switch (task) {
    case 'coco':
      return running(cocoTask, rows);
    case 'phrases':
      return running(phrasesTask, rows);
    case 'refexp':
    case 'clevrref':
      return running(refexpTask(task, 'giou'), rows);
    case 'gqa':
      return running(gqaTask, rows);
    case 'clevr':
      return running(clevrTask, rows);
  }
};

/** Only the rows that are looked at count; of subsets and categories `mdetr evaluate` tells. */
const startGroundTruthTask = async (
  { task, truth, subset }: GroundTruthTask,
  model: MDETR,
  rows: readonly CocoRow[],
): Promise<RunningTask> => {
  const options = { truth, subset, isPartial: true };
  if (task === 'phrasecut')
    return runningBenchmark(await phraseCutBenchmark(rows, { ...options, withMasks: model.hasMasks }), (name) =>
      name.includes('/') ? undefined : name,
    );
  return runningBenchmark(await flickrBenchmark(rows, options), (name, { title }) =>
    !name.endsWith('_all') ? undefined : title === mergedTitle ? `merged/${name}` : name,
  );
};

/** @param nameOf how a number is called here; undefined for one that is left out */
const runningBenchmark = <Kind extends PredictionKind>(
  benchmark: Benchmark<Kind>,
  nameOf: (name: string, metric: TitledMetric<Kind>) => string | undefined,
): RunningTask => ({
  async add(model, row, outputs, item) {
    const prediction = await benchmark.predict(model, row, outputs, item);
    for (const { evaluator } of benchmark.metrics) evaluator.add(prediction);
  },
  summarize: () =>
    Object.fromEntries(
      benchmark.metrics.flatMap((metric) =>
        Object.entries(metric.evaluator.summarize()).flatMap(([name, value]) => {
          const own = nameOf(name, metric);
          return own === undefined ? [] : [[own, value] as const];
        }),
      ),
    ),
});

const running = <Kind extends PredictionKind>(task: TaskDefinition<Kind>, rows: readonly CocoRow[]): RunningTask => {
  const evaluator = task.evaluator(rows);
  return {
    add: (model, row, outputs, item) => void evaluator.add(task.predict(model, row, outputs, item)),
    summarize: () => evaluator.summarize(),
  };
};
