import { join } from 'node:path';
import { MdetrError, UsageError } from '../../errors.ts';
import { cocoImporter } from './coco-importer.ts';
import type { Importer } from './importer.ts';
import type { ImportSource } from './import-source.ts';

/** All importers, in the order in which they are tried. To add one: a file in this folder, and a line here. */
const table: Importer[] = [cocoImporter];

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
  readonly importer: Importer;
  readonly files: readonly string[];
}

/**
 * Finds the format of a source.
 * @throws {MdetrError} if the source has files of no known format, or of several
 */
export const recognizeSource = async (source: ImportSource): Promise<RecognizedSource> => {
  const found: RecognizedSource[] = [];
  for (const importer of table) {
    const files = await importer.recognize(source);
    if (files.length > 0) found.push({ importer, files });
  }
  const [first, second] = found;
  if (first === undefined) {
    const known = `known are: ${table.map(({ title }) => title).join(', ')}`;
    throw new MdetrError(
      source.files.length === 1
        ? `${join(source.root, source.files[0]!)}: the format is unknown (${known})`
        : `${source.root}: none of the ${source.files.length} files has a known format (${known})`,
    );
  }
  if (second !== undefined)
    throw new MdetrError(
      `${source.root}: ${first.files[0]!} has the format ${first.importer.name}, ${second.files[0]!} the format ` +
        `${second.importer.name}; choose one with --format`,
    );
  return first;
};

const namesOf = (list: readonly Importer[]): string => list.map(({ name }) => name).join(', ');
