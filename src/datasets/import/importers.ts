import { join } from 'node:path';
import { MdetrError, UsageError } from '../../errors.ts';
import { captionsImporter } from '../formats/captions/read.ts';
import { cocoImporter } from '../formats/coco/read.ts';
import { csvImporter } from '../formats/csv/read.ts';
import { cvatImporter } from '../formats/cvat/read.ts';
import { labelmeImporter } from '../formats/labelme/read.ts';
import { labelStudioImporter } from '../formats/labelstudio/read.ts';
import { odvgImporter } from '../formats/odvg/read.ts';
import { viaImporter } from '../formats/via/read.ts';
import { vocImporter } from '../formats/voc/read.ts';
import { yoloImporter } from '../formats/yolo/read.ts';
import { foreignFormatOf } from './foreign-formats.ts';
import type { Importer } from './importer.ts';
import type { ImportSource } from './import-source.ts';

/** All importers. To add one: a folder in `src/datasets/formats/`, and a line here. */
const table: Importer[] = [
  cocoImporter,
  vocImporter,
  yoloImporter,
  labelmeImporter,
  labelStudioImporter,
  cvatImporter,
  viaImporter,
  odvgImporter,
  captionsImporter,
  csvImporter,
];

/** All registered importers. */
export const importers = (): readonly Importer[] => table;

/**
 * Registers an importer; returns a function that removes it.
 * @throws {MdetrError} if another importer has the same name
 */
export const registerImporter = (importer: Importer): (() => void) => {
  if (table.some(({ name }) => name === importer.name))
    throw new MdetrError(`an importer named "${importer.name}" is registered already`);
  table.push(importer);
  return () => {
    const index = table.indexOf(importer);
    if (index >= 0) table.splice(index, 1);
  };
};

/**
 * The importer with the given name.
 * @throws {UsageError} if there is none
 */
export const importerNamed = (name: string): Importer => {
  const found = table.find((importer) => importer.name === name);
  if (found === undefined) throw new UsageError(`unknown format "${name}"; choose from ${namesOf(table)}`);
  return found;
};

/** An importer and the annotation files that it recognized. */
export interface RecognizedSource {
  /** Importer of the format. */
  readonly importer: Importer;
  /** Annotation files of the source. */
  readonly files: readonly string[];
}

/**
 * Finds the format of a source, or the files of a given format.
 * @param format name of the format; default: recognized
 * @throws {UsageError} if there is no such format
 * @throws {MdetrError} if the source has files of no known format, or of several
 */
export const recognizeSource = async (source: ImportSource, format?: string): Promise<RecognizedSource> => {
  const found: RecognizedSource[] = [];
  for (const importer of format === undefined ? table : [importerNamed(format)]) {
    const files = await importer.recognize(source);
    if (files.length > 0) found.push({ importer, files });
  }
  const [first, second] = found;
  if (first === undefined) throw unknownFormat(source, format);
  if (second !== undefined)
    throw new MdetrError(
      `${source.root}: ${first.files[0]!} has the format ${first.importer.name}, ${second.files[0]!} the format ` +
        `${second.importer.name}; choose one with --format, or import one of the files`,
    );
  return first;
};

const MAX_SHOWN_FILES = 3;
const ANNOTATION_ENDING = /\.(?:jsonl?|ndjson|odvg|csv|tsv|xml|txt|ya?ml)$/i;
const ANNOTATION_ENDINGS = '.json, .jsonl, .csv, .tsv, .xml, .txt or .yaml';

const unknownFormat = (source: ImportSource, format: string | undefined): MdetrError => {
  // A damaged file is the likely reason; its own message says where it is damaged.
  const [broken] = source.brokenJson.values();
  if (broken !== undefined) return broken;
  const foreign = foreignFormatOf(source);
  if (foreign !== undefined) return new MdetrError(foreign);
  const known = `known are: ${table.map(({ name, title }) => `${name} (${title})`).join(', ')}`;
  const wanted = format === undefined ? 'a known format' : `the format ${format}`;
  const [only, ...more] = source.files;
  if (only === undefined)
    return new MdetrError(`${source.root}: has no annotation file, only ${source.images.length} images (${known})`);
  const hint = ANNOTATION_ENDING.test(only) ? '' : `; its ending says nothing, rename it: ${ANNOTATION_ENDINGS}`;
  if (more.length === 0) return new MdetrError(`${join(source.root, only)}: does not have ${wanted}${hint} (${known})`);
  const shown = source.files.slice(0, MAX_SHOWN_FILES).join(', ');
  return new MdetrError(
    `${source.root}: none of the ${source.files.length} files (${shown}${source.files.length > MAX_SHOWN_FILES ? ', …' : ''}) has ${wanted} (${known})`,
  );
};

const namesOf = (list: readonly Importer[]): string => list.map(({ name }) => name).join(', ');
