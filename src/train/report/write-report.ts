import { openRows } from '../../benchmarks/annotation-rows.ts';
import { Inspection } from '../../benchmarks/report/inspection.ts';
import { inspectedPhrasesOf } from '../../benchmarks/report/inspected-caption.ts';
import type { ReportNumbers } from '../../benchmarks/report/report-numbers.ts';
import { checkReportFolder, writeReportPage, type ReportContext } from '../../benchmarks/report/write-report.ts';
import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import type { FromPretrainedOptions } from '../../inference/node/load-options.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import { findCalibrationSets } from '../calibration/calibration-data.ts';

/** Options of `writeReport`. */
export interface WriteReportOptions {
  /** A model folder, an official `.pth`, a `.safetensors`, or the name of an embedded or pulled model. */
  readonly model: string;
  /** An annotation file, a folder of `mdetr data import` or `mdetr scenes`, or a training config. */
  readonly data: string;
  /** Folder of the report, which gets `index.html`. */
  readonly out: string;
  /** Image folders: `FOLDER`, or `SOURCE=FOLDER` for each `data_source`. By default those that the data name. */
  readonly images?: readonly string[] | undefined;
  /** Title of the page. Default: model and data. */
  readonly title?: string | undefined;
  /** Maximum number of captions of each annotation file, from its start. Default: all. */
  readonly limit?: number | undefined;
  /** Captions in one run of the network. Default 4. */
  readonly batchSize?: number | undefined;
  /** Score that detections exceed. Default: the model's calibrated value, else 0.7. */
  readonly threshold?: number | undefined;
  /** Number of right and of wrong cases that are shown. Default 12. */
  readonly cases?: number | undefined;
  /** Whether a row that cannot be used stops the report or is skipped. */
  readonly onBadRow?: OnBadRow | undefined;
  /** How the model is loaded. */
  readonly load?: FromPretrainedOptions | undefined;
  /** Called with the number of captions done and their total. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops the report. */
  readonly signal?: AbortSignal | undefined;
}

/** A written report. */
export interface WrittenReport {
  /** Path of the page. */
  readonly path: string;
  /** Numbers of the report. */
  readonly numbers: ReportNumbers;
}

/** Parts of a page that the caller knows. */
export type ReportParts = Partial<Pick<ReportContext, 'facts' | 'charts' | 'texts' | 'warnings'>>;

/**
 * Writes a page about what a model finds, misses and confuses on annotated images, as `mdetr evaluate --report` does: metrics
 * with confidence intervals, curves and average precision by phrase, a confusion table, errors by kind, right and wrong cases.
 * The page is one file that loads nothing.
 *
 * @throws {UsageError} if the folder has a page of something else
 * @throws {MdetrError} if the model or the data cannot be read, or the data have no captions
 * @example
 * const { path, numbers } = await writeReport({ model: 'runs/mine/run/best', data: 'runs/mine/dataset', out: 'report' });
 */
export const writeReport = (options: WriteReportOptions): Promise<WrittenReport> => writeReportWith(options, {});

/** `writeReport` with parts of the caller's own, such as the curves of a training. */
export const writeReportWith = async (
  { model, data, out, images, title, threshold, cases, load, ...options }: WriteReportOptions,
  parts: ReportParts,
): Promise<WrittenReport> => {
  for (const [name, value] of Object.entries({ model, data, out }))
    if (typeof value !== 'string') throw new UsageError(`writeReport: ${name} must be a string`);
  checkReportFolder(out, `out ${out}`);
  const { name, sets } = await findCalibrationSets(data, images);
  const inspection = new Inspection({ threshold, cases });
  const warnings = [...(parts.warnings ?? [])];
  const loaded = await MDETR.fromPretrained(model, load);
  try {
    inspection.begin(loaded);
    for (const { annotations, images: roots } of sets)
      warnings.push(...(await inspectFile(loaded, inspection, annotations, new AnnotatedImages(roots), options)));
  } finally {
    await loaded.dispose();
  }
  const { path, numbers } = await writeReportPage(out, inspection, {
    ...parts,
    title: title ?? `${model} on ${name}`,
    facts: [['model', model], ['data', data], ...(parts.facts ?? []), ['date', new Date().toISOString().slice(0, 10)]],
    results: [],
    warnings,
  });
  if (numbers === undefined) throw new MdetrError(`${data}: has no captions to report on`);
  return { path, numbers };
};

/** Inspects the captions of an annotation file. @returns warnings */
const inspectFile = async (
  model: MDETR,
  inspection: Inspection,
  annotations: string,
  images: AnnotatedImages,
  { limit, batchSize = 4, onBadRow = 'stop', onProgress, signal }: Omit<WriteReportOptions, 'model' | 'data' | 'out'>,
): Promise<readonly string[]> => {
  const rows = openRows({ annotations, limit, onBadRow });
  let done = 0;
  const inspect = async (batch: readonly CocoRow[]): Promise<void> => {
    signal?.throwIfAborted();
    const decoded = await images.decodeAll(batch.map(({ image }) => image));
    const outputs = await model.predict(
      batch.map(({ image }, index) => ({ image: decoded[index]!, text: image.caption ?? '', name: image.file_name })),
      { truncation: 'end', signal },
    );
    batch.forEach((row, index) =>
      inspection.add({
        image: row.image.file_name,
        caption: row.image.caption ?? '',
        phrases: inspectedPhrasesOf(row),
        outputs,
        index,
        pixels: () => images.decode(row.image),
      }),
    );
    done += batch.length;
    onProgress?.(done, rows.length);
  };
  try {
    let batch: CocoRow[] = [];
    for (const row of rows) {
      if ((row.image.caption ?? '').trim() === '') continue;
      batch.push(row);
      if (batch.length < batchSize) continue;
      await inspect(batch);
      batch = [];
    }
    if (batch.length > 0) await inspect(batch);
    const skipped = rows.skipped > 0 ? [`${annotations}: ${rows.skipped} bad rows were skipped`] : [];
    return [...images.warnings, ...skipped];
  } finally {
    rows.close();
  }
};
