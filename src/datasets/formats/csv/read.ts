import { MdetrError } from '../../../errors.ts';
import { readTextFile } from '../../../files/json/json-file.ts';
import type { BoxXywh } from '../../../geometry/boxes.ts';
import { isNameList, readNumberedNames } from '../../import/class-names.ts';
import { imageStem } from '../../import/image-names.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions, ImportSplit } from '../../import/importer.ts';
import { fileHead } from '../../import/file-head.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitNamed, splitOfPath } from '../../import/stated-split.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { coordinateOf, numberOfText, shortText, sizeOf } from '../field-numbers.ts';
import { filesByHead } from '../recognition.ts';
import { boxOfCorners, boxOfPoints } from '../shapes.ts';
import { classOfUnnamed } from '../unnamed-classes.ts';
import { boxColumnsOf, type BoxColumns, type BoxForm } from './columns.ts';
import { parseCsv, type CsvTable } from './table.ts';

const CSV_FILE = /\.(csv|tsv)$/i;
const HEAD_BYTES = 64 * 1024;
const HEAD_ROWS = 200;
/** Largest coordinate that is taken for a fraction of the image. */
const MAX_FRACTION = 1.05;

/**
 * Importer of CSV files with one box in each row: header or not, comma, semicolon or tab, pixels or fractions. Knows the
 * headers of TensorFlow's tutorials, VoTT, Open Images, DeepForest and Kaggle, and the rows of keras-retinanet, AutoML and
 * makesense.ai, which have none. A row without box is an image without objects.
 */
export const csvImporter: Importer = {
  name: 'csv',
  title: 'CSV',
  files: '.csv or .tsv files with a row for each box: image, corners or size, class',

  recognize: (source) =>
    filesByHead(source, CSV_FILE, HEAD_BYTES, (head) => {
      if (head.includes('region_shape_attributes') || head.includes('spatial_coordinates')) return false;
      const table = headTable(head);
      return table !== undefined && (boxColumnsOf(table) !== undefined || isImageList(table));
    }),

  async *read(source, files, options) {
    const tables = await Promise.all(
      files.map(async (file) => {
        const table = parseCsv(await readTextFile(source.pathOf(file)), source.pathOf(file));
        return { file, table, columns: boxColumnsOf(table) };
      }),
    );
    const withBoxes = tables.filter(({ columns }) => columns !== undefined);
    if (withBoxes.length === 0)
      throw new MdetrError(
        `${source.pathOf(files[0]!)}: line 1: has images and classes but no boxes (a list for image classification); ` +
          'a row needs the four numbers of a box',
      );
    const names = await openImagesNames(source);
    const listed = await listedNames(source, withBoxes);
    for (const { file, table, columns } of withBoxes)
      yield* imagesOf(source, file, table, columns!, names, listed, options);
  },
};

const headTable = (head: string): CsvTable | undefined => {
  try {
    // The last line of the head may be cut.
    const end = head.length < HEAD_BYTES / 4 ? head.length : head.lastIndexOf('\n');
    return parseCsv(head.slice(0, end > 0 ? end : head.length), '', HEAD_ROWS);
  } catch (error) {
    if (error instanceof MdetrError) return undefined;
    throw error;
  }
};

/** Whether rows hold images and texts without boxes: a list for classification, which is rejected with that reason. */
const isImageList = ({ rows }: CsvTable): boolean =>
  rows.length > 0 &&
  rows.every(
    ({ values }) =>
      values.some((value) => /\.(jpe?g|png|bmp|webp|tiff?)$/i.test(value)) && values.length >= 2 && values.length <= 4,
  );

const imagesOf = function* (
  source: ImportSource,
  file: string,
  { rows, delimiter }: CsvTable,
  columns: BoxColumns,
  names: ReadonlyMap<string, string>,
  listed: readonly string[] | undefined,
  options: ImportOptions,
): Generator<ImportedImage> {
  const path = source.pathOf(file);
  const classNames = options.classNames ?? listed;
  const entries = new Map<string, Entry>();
  let largest = 0;
  const readRow = ({ values, line }: CsvTable['rows'][number]): void => {
    const location = `${path}: line ${line}`;
    const reference = values[columns.image] ?? '';
    if (reference === '') throw new BadRowError(`${location}: names no image`);
    const split = columns.split === undefined ? undefined : splitNamed(values[columns.split] ?? '');
    let entry = entries.get(reference);
    if (entry === undefined) {
      entry = {
        reference,
        location,
        split: split ?? splitOfPath(file),
        width: columns.width === undefined ? undefined : sizeOf(values[columns.width]),
        height: columns.height === undefined ? undefined : sizeOf(values[columns.height]),
        objects: [],
      };
      entries.set(reference, entry);
    }
    const bbox = boxOf(values, columns.box, location);
    if (bbox === undefined) return;
    largest = Math.max(largest, bbox[0] + bbox[2], bbox[1] + bbox[3]);
    const stated = columns.label === undefined ? '' : (values[columns.label] ?? '');
    const fallback = columns.label === undefined ? classOfUnnamed(options, path) : options.defaultClass;
    const label = stated === '' ? fallback : (names.get(stated) ?? numbered(stated, { classNames }));
    if (label === undefined) throw new BadRowError(`${location}: a box has no class`);
    entry.objects.push({ label, bbox, location });
  };
  for (const row of rows.slice(columns.headerRows)) options.badRows.attempt(() => readRow(row));
  const hasBoxes = [...entries.values()].some(({ objects }) => objects.length > 0);
  if (!hasBoxes) throw new MdetrError(`${path}: line 1: no row has a box`);
  const unit = largest <= MAX_FRACTION ? 'fractions' : 'pixels';
  options.notes.add(describe(columns, delimiter, unit), file);
  yield* options.badRows.usable(entries.values(), ({ reference, ...entry }) => ({
    ...entry,
    fileName: reference,
    path: source.findImage(reference, file) ?? source.findImageByStem(imageStem(reference), file),
    unit,
  }));
};

interface Entry {
  readonly reference: string;
  readonly location: string;
  readonly split: ImportSplit | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly objects: ImportedObject[];
}

const describe = ({ headerRows, box }: BoxColumns, delimiter: string, unit: string): string => {
  const separators: Readonly<Record<string, string>> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' };
  const forms: Readonly<Record<BoxForm['kind'], string>> = {
    corners: 'corners x0, y0, x1, y1',
    sizes: 'x, y, width, height',
    centers: 'center, width, height',
    list: 'lists [x, y, width, height]',
    outline: 'outlines in well-known text',
    vertices: 'vertices',
  };
  return `CSV files with ${separators[delimiter] ?? delimiter}, ${headerRows === 1 ? 'a header' : 'no header'}, boxes as ${forms[box.kind]} in ${unit}`;
};

/** Box of a row (xywh); undefined if all of its values are empty. */
const boxOf = (values: readonly string[], form: BoxForm, location: string): BoxXywh | undefined => {
  if (form.kind === 'list') return boxOfList(values[form.column] ?? '', location);
  if (form.kind === 'outline') return boxOfOutline(values[form.column] ?? '', location);
  const texts = form.columns.map((column) => values[column] ?? '');
  if (texts.every((text) => text === '')) return undefined;
  if (form.kind === 'vertices') {
    const points: number[] = [];
    for (let i = 0; i + 1 < texts.length; i += 2) {
      if (texts[i] === '' && texts[i + 1] === '') continue;
      points.push(coordinateOf(texts[i], `${location}: x`), coordinateOf(texts[i + 1], `${location}: y`));
    }
    return boxOfPoints(points) ?? fail(`${location}: has one corner of a box`);
  }
  const [a, b, c, d] = texts.map((text, i) =>
    text === ''
      ? fail(`${location}: value ${form.columns[i]! + 1} of the box is empty`)
      : coordinateOf(text, `${location}: value ${form.columns[i]! + 1}`),
  ) as [number, number, number, number];
  if (form.kind === 'corners') return boxOfCorners(a, b, c, d);
  return form.kind === 'sizes' ? [a, b, c, d] : [a - c / 2, b - d / 2, c, d];
};

const boxOfList = (text: string, location: string): BoxXywh | undefined => {
  if (/^[\s[\](){}]*$/.test(text) || /^nan$/i.test(text)) return undefined;
  const numbers = text
    .replace(/[[\](){}]/g, ' ')
    .split(/[\s,;]+/)
    .filter((word) => word !== '')
    .map(numberOfText);
  if (numbers.length !== 4 || numbers.includes(undefined))
    throw new BadRowError(`${location}: the box is "${shortText(text)}", not [x, y, width, height]`);
  return numbers as [number, number, number, number];
};

/** Enclosing box of well-known text; undefined if it is empty. */
const boxOfOutline = (text: string, location: string): BoxXywh | undefined => {
  if (/^\s*(((multi)?polygon)?\s*empty|nan|)\s*$/i.test(text)) return undefined;
  const points = text
    .replace(/^\s*(multi)?polygon\s*z?/i, '')
    .split(',')
    .flatMap((point) => point.replace(/[()]/g, ' ').trim().split(/\s+/).slice(0, 2).map(numberOfText));
  const box = points.includes(undefined) || points.length < 6 ? undefined : boxOfPoints(points as number[]);
  return box ?? fail(`${location}: the outline is "${shortText(text)}", not POLYGON ((x y, x y, …))`);
};

const fail = (message: string): never => {
  throw new BadRowError(message);
};

/** Name of a class given by its number, if the caller has names. */
const numbered = (label: string, { classNames }: Pick<ImportOptions, 'classNames'>): string => {
  const id = numberOfText(label);
  return (id === undefined ? undefined : classNames?.[id]) ?? label;
};

/** Names of `classes.txt` beside tables whose classes are all numbers; undefined if there is no such list, or a shorter one. */
const listedNames = async (
  source: ImportSource,
  tables: readonly { readonly table: CsvTable; readonly columns: BoxColumns | undefined }[],
): Promise<readonly string[] | undefined> => {
  const lists = source.files.filter(isNameList);
  if (lists.length !== 1) return undefined;
  const labels = tables.flatMap(({ table, columns }) =>
    table.rows.slice(columns!.headerRows).map(({ values }) => values[columns!.label ?? -1] ?? ''),
  );
  if (!labels.every((label) => /^\d*$/.test(label))) return undefined;
  const names = await readNumberedNames(source.pathOf(lists[0]!));
  return labels.every((label) => Number(label) < names.length) ? names : undefined;
};

/** Names of Open Images' classes (`/m/01g317,Person`), if the source has its list of descriptions. */
const openImagesNames = async (source: ImportSource): Promise<Map<string, string>> => {
  const names = new Map<string, string>();
  for (const file of source.files) {
    if (!CSV_FILE.test(file) || !/^\/(m|g)\/\w+[,;]/m.test(fileHead(source.pathOf(file), 1024))) continue;
    const { rows } = parseCsv(await readTextFile(source.pathOf(file)), source.pathOf(file));
    for (const { values } of rows)
      if (values.length === 2 && /^\/(m|g)\//.test(values[0]!)) names.set(values[0]!, values[1]!);
  }
  return names;
};
