import type { CocoRow } from '../data/format/coco-format.ts';
import type { AnnotatedImages } from '../data/images/node/annotated-images.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import { drawDetections } from '../drawing/node/index.ts';
import { MdetrError } from '../errors.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { PredictionFormat } from '../metrics/predictions.ts';
import { detectionsOf } from '../postprocess/detections.ts';
import type { AnnotationRows } from './annotation-rows.ts';
import type { EvaluationRequest } from './benchmark.ts';
import { WorstCases, type BenchmarkReport } from './benchmark-report.ts';
import { inspectedPhrasesOf } from './report/inspected-caption.ts';
import { openPredictionWriter, readPredictions, type PredictionWriter } from './prediction-file.ts';
import type { RowEvaluation } from './row-evaluation.ts';

/** Evaluates all rows, with a model or with saved predictions. @throws {MdetrError} when a file cannot be used */
export const evaluateRows = async <Prediction>(
  evaluation: RowEvaluation<Prediction>,
  format: PredictionFormat<Prediction>,
  rows: AnnotationRows,
  images: AnnotatedImages,
  request: EvaluationRequest,
): Promise<BenchmarkReport> => {
  const run = new RowsRun(evaluation, format, rows, images, request);
  if (request.predictions !== undefined) await run.readPredictions(request.predictions);
  else {
    if (request.model === undefined) throw new Error('internal: neither a model nor predictions to evaluate');
    await run.predictRows(request.model);
  }
  return run.report();
};

class RowsRun<Prediction> {
  private readonly worst: WorstCases;
  private readonly warnings: string[] = [];
  private evaluated = 0;

  constructor(
    private readonly evaluation: RowEvaluation<Prediction>,
    private readonly format: PredictionFormat<Prediction>,
    private readonly rows: AnnotationRows,
    private readonly images: AnnotatedImages,
    private readonly request: EvaluationRequest,
  ) {
    this.worst = new WorstCases(request.worst);
  }

  async predictRows(model: MDETR): Promise<void> {
    const { batchSize } = this.request;
    const { keyOf, keyOfPrediction } = this.evaluation;
    const done = new Set<string>();
    // Known only when a run resumes: rows that are skipped now can have predictions of an earlier run.
    const wanted = new Set<string>();
    if (this.request.resume === true) for (const row of this.rows) wanted.add(keyOf(row));
    let unmatched = 0;
    const writer = await openPredictionWriter(this.format, this.request, (prediction) => {
      const key = keyOfPrediction(prediction);
      if (!wanted.has(key)) {
        unmatched++;
        return;
      }
      done.add(key);
      this.evaluate(prediction);
    });
    this.noteUnmatched(unmatched);
    try {
      let batch: CocoRow[] = [];
      for (const row of this.rows) {
        if (done.has(keyOf(row))) continue;
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
    writer: PredictionWriter<Prediction> | undefined,
  ): Promise<void> {
    this.request.signal?.throwIfAborted();
    const images = await this.imagesOf(batch);
    const inputs = batch.map(({ image }, index) => ({
      image: images[index]!,
      text: image.caption ?? '',
      name: image.file_name,
    }));
    const outputs = await model.predict(inputs, { officialBatching: this.request.officialBatching });
    for (const [index, row] of batch.entries()) {
      const prediction = await this.evaluation.predict(model, row, outputs, index);
      await writer?.write(prediction);
      const quality = this.evaluate(prediction);
      if (!model.config.no_detection) this.inspect(row, outputs, index);
      if (quality === undefined) continue;
      const detections = detectionsOf(outputs.detection(index), outputs.size(index), outputs.encoding(index));
      this.addWorst(row, quality, detections);
    }
    this.request.onProgress?.(this.evaluated, this.rows.length);
  }

  /** Evaluates saved predictions; unmatched predictions are counted and reported. */
  async readPredictions(path: string): Promise<void> {
    const { keyOf, keyOfPrediction, boxesOf } = this.evaluation;
    const rowOfKey = new Map<string, CocoRow | undefined>();
    for (const row of this.rows) rowOfKey.set(keyOf(row), this.request.worst > 0 ? row : undefined);
    let unmatched = 0;
    for await (const prediction of readPredictions(path, this.format)) {
      this.request.signal?.throwIfAborted();
      const key = keyOfPrediction(prediction);
      if (!rowOfKey.has(key)) {
        unmatched++;
        continue;
      }
      const row = rowOfKey.get(key);
      const quality = this.evaluate(prediction);
      if (row === undefined || quality === undefined) continue;
      const detections = boxesOf(prediction).map((shown, query) => ({ ...shown, query, spans: [] }));
      this.addWorst(row, quality, detections);
    }
    if (this.evaluated === 0)
      throw new MdetrError(`${path}: has no predictions for these rows; it may belong to another split`);
    this.noteUnmatched(unmatched);
  }

  private noteUnmatched(count: number): void {
    if (count > 0) this.warnings.push(`${count} unmatched predictions (their rows are not evaluated).`);
  }

  report(): BenchmarkReport {
    const { evaluation, rows, evaluated } = this;
    const results = evaluation.columns.map(({ title, evaluator }) => ({
      title,
      metrics: evaluator.summarize(),
      count: evaluated,
    }));
    const skipped = rows.skipped > 0 ? [`${rows.skipped} bad rows were skipped`] : [];
    const fromMetrics = evaluation.columns.flatMap(({ evaluator }) => evaluator.warnings);
    return {
      results,
      // Metrics over the same predictions repeat their warnings.
      warnings: [
        ...new Set([...(evaluation.warnings ?? []), ...fromMetrics]),
        ...this.images.warnings,
        ...this.warnings,
        ...skipped,
      ],
      worst: this.worst.all,
      submission: evaluation.submission,
    };
  }

  /** Adds a prediction to all metrics. @returns its quality according to the first one */
  private evaluate(prediction: Prediction): number | undefined {
    this.evaluated++;
    return this.evaluation.columns.map(({ evaluator }) => evaluator.add(prediction))[0];
  }

  private inspect(row: CocoRow, outputs: TextOutputs, index: number): void {
    this.request.inspector?.add({
      image: row.image.file_name,
      caption: outputs.encoding(index).text,
      phrases: inspectedPhrasesOf(row),
      outputs,
      index,
      pixels: async () => (await this.imagesOf([row]))[0]!,
    });
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
      image: async () => drawDetections((await this.imagesOf([row]))[0]!, { detections, caption }),
    });
  }

  private async imagesOf(rows: readonly CocoRow[]): Promise<RawImage[]> {
    return this.images.decodeAll(rows.map(({ image }) => image));
  }
}
