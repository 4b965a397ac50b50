import { MdetrError, UsageError } from '../../errors.ts';
import { parseStrictJson } from '../../files/json/json-text.ts';
import { readTextFile } from '../../files/json/json-file.ts';
import { OutputRule } from '../../files/output-rule.ts';
import { parseResult } from '../../results/schema.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../../results/types.ts';
import { Remarks } from '../preparation/remarks.ts';
import type { Remark } from '../preparation/preparation.ts';
import { readJsonLines } from '../source/json-lines.ts';
import { CocoIds } from '../formats/coco/ids.ts';
import { ClassMapping } from './class-mapping.ts';
import { ClassList, type MaskForm } from './exporter.ts';
import { exporterNamed } from './exporters.ts';
import { imagesOfResults, type ExportableResult } from './result-images.ts';

/** Options of `exportResults`. */
export interface ExportResultsOptions {
  /** Format: `coco`, `coco-results`, `yolo`, `voc`, `labelme`, `labelstudio`, `cvat` or `csv`. */
  readonly format: string;
  /** File to write; for `yolo`, `voc` and `labelme`, a folder. */
  readonly path: string;
  /** Class names, in the order of their ids, or the path of a text file with one in each line. By default, the labels found. */
  readonly classes?: string | readonly string[] | undefined;
  /** Form of masks in COCO files. Default `rle`; other formats have polygons. */
  readonly masks?: MaskForm | undefined;
  /** COCO file with the ids of images and categories, for `coco-results`. */
  readonly annotations?: string | undefined;
  /** Text before the path of an image, for `labelstudio`. Default `/data/local-files/?d=`. */
  readonly imagePrefix?: string | undefined;
  /** Name of the model in the file. */
  readonly model?: string | undefined;
}

/** Counts of an export, and what the format could not hold. */
export interface ExportReport {
  /** Number of images. */
  readonly images: number;
  /** Number of objects. */
  readonly objects: number;
  /** Classes in the order of their ids. */
  readonly classes: readonly string[];
  /** Values and phrases that were left out: values that the format cannot hold, and phrases that name no class. */
  readonly dropped: readonly Remark[];
}

/**
 * Writes results of `detect` in the format of an annotation tool or an evaluation, one image at a time.
 *
 * @param results results, or the path of a file with one in each line (`mdetr detect --json`)
 * @throws {UsageError} for an unknown format, and if `coco-results` has no annotation file
 * @throws {MdetrError} if a file cannot be read or written
 * @example
 * await exportResults(model.detectStream(items), { format: 'labelstudio', path: 'tasks.json' });
 */
export const exportResults = async (
  results: AsyncIterable<ExportableResult> | Iterable<ExportableResult> | string,
  options: ExportResultsOptions,
): Promise<ExportReport> => {
  const { format, path, annotations, masks, imagePrefix, model = 'mdetr' } = options;
  const exporter = exporterNamed(format);
  if (exporter.needsAnnotations === true && annotations === undefined)
    throw new UsageError(`format ${format} needs the ids of an annotation file: annotations (--annotations FILE)`);
  const classNames = await classNamesOf(options);
  if (typeof results === 'string' && exporter.target === 'file')
    new OutputRule({ inputs: [results, annotations] }).checkInputs(path, path);
  const classes = new ClassList(format === 'coco-results' ? undefined : classNames);
  const dropped = new Remarks();
  const mapping = classNames === undefined ? undefined : new ClassMapping(classNames);
  const lines = typeof results === 'string' ? readResultLines(results) : results;
  const writer = await exporter.open(path, { classes, masks, annotations, imagePrefix, model, dropped });
  const counts = { images: 0, objects: 0 };
  try {
    for await (const image of imagesOfResults(lines, mapping, dropped)) {
      await writer.add(image);
      counts.images++;
      counts.objects += image.objects.length;
    }
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { ...counts, classes: classes.names, dropped: dropped.list };
};

/** Class names of the options; for `coco-results`, the categories of the annotation file unless others are given. */
const classNamesOf = async ({
  classes,
  format,
  annotations,
}: ExportResultsOptions): Promise<readonly string[] | undefined> => {
  if (typeof classes === 'string') return readClassNames(classes);
  if (classes !== undefined) return classes;
  return format === 'coco-results' && annotations !== undefined ? (await CocoIds.read(annotations)).names : undefined;
};

/**
 * Class names of a text file, one in each line; empty lines and lines that begin with `#` are skipped.
 *
 * @throws {MdetrError} if there are none, or one occurs twice
 */
const readClassNames = async (path: string): Promise<string[]> => {
  const lines = (await readTextFile(path)).split(/\r\n|\n|\r/);
  const names = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  if (names.length === 0) throw new MdetrError(`${path}: has no class names; write one in each line`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new MdetrError(`${path}: class "${twice.slice(0, 100)}" occurs twice`);
  return names;
};

/** Results of a file with one in each line. @throws {MdetrError} naming the line that is no result */
export async function* readResultLines(path: string): AsyncGenerator<DetectionResult | ReferResult | AnswerResult> {
  for await (const { value, location } of readJsonLines(path, { parse: parseStrictJson }))
    yield parseResult(value, location);
}
