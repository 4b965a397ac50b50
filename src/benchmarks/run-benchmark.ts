import type { CocoRow } from '../data/format/coco-format.ts';
import type { ImageRoots } from '../data/images/node/image-roots.ts';
import { decodeImage } from '../data/images/node/decode-image.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { drawDetections } from '../drawing/index.ts';
import { detectionsOf } from '../postprocess/detections.ts';
import { PredictionWriter, readPredictions, type Prediction, type PredictionTask } from '../metrics/predictions.ts';
import type { Results } from '../metrics/results-table.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { Benchmark, PredictionKind } from './task-definition.ts';
import type { TaskRows } from './task-rows.ts';
import { WorstCases, type TaskReport } from './task-report.ts';

/** Where predictions come from and go to, and who is told how far the work is. */
export interface PredictionOptions {
  /** File to save the predictions in. */
  readonly savePredictions?: string | undefined;
  /** Go on with that file where an interrupted run left it. */
  readonly resume?: boolean | undefined;
  /** File of saved predictions to evaluate instead of running the model. */
  readonly predictions?: string | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Breaks off between batches; what was saved until then stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends PredictionOptions {
  readonly images: ImageRoots;
  readonly batchSize: number;
  /** How many of the worst cases are shown. */
  readonly worst: number;
}

/** Runs a benchmark over its rows, with a model or with what one said earlier. */
export const runBenchmark = async <Kind extends PredictionKind>(
  model: MDETR | undefined,
  benchmark: Benchmark<Kind>,
  rows: TaskRows,
  options: RunOptions,
): Promise<TaskReport> => {
  const run = new BenchmarkRun(benchmark, rows, options);
  if (options.predictions !== undefined) await run.readPredictions(options.predictions);
  else {
    if (model === undefined) throw new Error('internal: neither a model nor predictions to evaluate');
    await run.predictRows(model);
  }
  return run.report();
};

class BenchmarkRun<Kind extends PredictionKind> {
  private readonly worst: WorstCases;
  private readonly warnings: string[] = [];
  private taken = 0;

  constructor(
    private readonly benchmark: Benchmark<Kind>,
    private readonly rows: TaskRows,
    private readonly options: RunOptions,
  ) {
    this.worst = new WorstCases(options.worst);
  }

  async predictRows(model: MDETR): Promise<void> {
    const { batchSize } = this.options;
    const done = new Set<string>();
    const writer = await openWriter(this.benchmark.kind, this.options, (prediction) => {
      done.add(this.benchmark.keyOfPrediction(prediction));
      this.take(prediction);
    });
    try {
      let batch: CocoRow[] = [];
      for (const row of this.rows) {
        if (done.has(this.benchmark.keyOf(row))) continue;
        batch.push(row);
        if (batch.length < batchSize) continue;
        await this.predictBatch(model, batch, writer);
        batch = [];
      }
      if (batch.length > 0) await this.predictBatch(model, batch, writer);
    } finally {
      await writer?.close();
    }
  }

  private async predictBatch(
    model: MDETR,
    batch: readonly CocoRow[],
    writer: PredictionWriter<Kind> | undefined,
  ): Promise<void> {
    this.options.signal?.throwIfAborted();
    const items = batch.map((row) => ({ image: this.pathOf(row), text: row.image.caption ?? '' }));
    // Boxes of the files are those of the stored pixels: no turning by EXIF, as in the official code.
    const outputs = await model.predict(items, { decode: { orient: false } });
    for (const [item, row] of batch.entries()) {
      const prediction = await this.benchmark.predict(model, row, outputs, item);
      await writer?.write(prediction);
      const quality = this.take(prediction);
      if (quality === undefined) continue;
      const detections = detectionsOf(outputs.detection(item), outputs.size(item), outputs.encoding(item));
      this.addWorst(row, quality, detections);
    }
    this.options.onProgress?.(this.taken, this.rows.length);
  }

  /** Saved predictions; those of rows that are not asked about are left out. */
  async readPredictions(path: string): Promise<void> {
    const { keyOf, keyOfPrediction, boxesOf, kind } = this.benchmark;
    const wanted = new Map<string, CocoRow | undefined>();
    for (const row of this.rows) wanted.set(keyOf(row), this.options.worst > 0 ? row : undefined);
    let unmatched = 0;
    for await (const prediction of readPredictions(path, kind)) {
      this.options.signal?.throwIfAborted();
      const key = keyOfPrediction(prediction);
      if (!wanted.has(key)) {
        unmatched++;
        continue;
      }
      const row = wanted.get(key);
      const quality = this.take(prediction);
      if (row === undefined || quality === undefined) continue;
      const detections = boxesOf(prediction).map((shown, query) => ({ ...shown, query, spans: [] }));
      this.addWorst(row, quality, detections);
    }
    if (this.taken === 0)
      throw new MdetrError(`${path}: holds no prediction for any of these rows: is it of another split?`);
    if (unmatched > 0) this.warnings.push(`${unmatched} predictions are of rows that are not asked about.`);
  }

  report(): TaskReport {
    const { benchmark, rows, taken } = this;
    const results: Results[] = benchmark.metrics.map(({ title, evaluator }) => ({
      title,
      metrics: evaluator.summarize(),
      count: taken,
    }));
    const skipped = rows.skipped > 0 ? [`${rows.skipped} bad rows were left out`] : [];
    const told = benchmark.metrics.flatMap(({ evaluator }) => evaluator.warnings);
    return {
      results,
      // Metrics over the same predictions have the same to say.
      warnings: [...new Set([...(benchmark.warnings ?? []), ...told]), ...this.warnings, ...skipped],
      worst: this.worst.all,
      ...(benchmark.submission === undefined ? {} : { submission: benchmark.submission }),
    };
  }

  /** Hands a prediction to all metrics; what the first one thinks of it. */
  private take(prediction: Prediction<Kind>): number | undefined {
    this.taken++;
    return this.benchmark.metrics.map(({ evaluator }) => evaluator.add(prediction))[0];
  }

  private addWorst(
    row: CocoRow,
    quality: number,
    detections: Parameters<typeof drawDetections>[1]['detections'],
  ): void {
    const caption = row.image.caption ?? '';
    this.worst.add({
      quality,
      text: caption,
      note: `quality ${quality.toFixed(2)}, ${row.image.file_name}`,
      picture: async () =>
        drawDetections(await decodeImage(this.pathOf(row), { orient: false }), { detections, caption }),
    });
  }

  private pathOf({ image }: CocoRow): string {
    try {
      return this.options.images.pathOf(image);
    } catch (error) {
      throw new MdetrError(`row with image id ${image.id}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Where predictions are saved, if they are; `onSaved` hears those of an interrupted run that is gone on with. */
export const openWriter = async <Kind extends PredictionTask>(
  kind: Kind,
  { savePredictions: path, resume }: PredictionOptions,
  onSaved: (prediction: Prediction<Kind>) => void,
): Promise<PredictionWriter<Kind> | undefined> => {
  if (path === undefined) return undefined;
  return resume === true ? PredictionWriter.goOn(path, kind, onSaved) : PredictionWriter.create(path, kind);
};

/** Whether saved predictions of this kind carry masks: what their first one has. */
export const savedMasks = async (path: string, kind: 'phrasecut' | 'coco'): Promise<boolean> => {
  for await (const prediction of readPredictions(path, kind))
    return 'mask' in prediction ? prediction.mask !== undefined : 'masks' in prediction;
  return false;
};
