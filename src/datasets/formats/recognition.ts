import { fileHead } from '../import/file-head.ts';
import type { ImportSource } from '../import/import-source.ts';
import type { JsonOutline } from '../import/json-outline.ts';

/** Files of a source with a certain ending whose JSON outline is that of a format, for `Importer.recognize`. */
export const filesByOutline = async (
  source: ImportSource,
  ending: RegExp,
  fits: (outline: JsonOutline) => boolean,
): Promise<string[]> =>
  Promise.resolve(
    source.files.filter((file) => {
      const outline = ending.test(file) ? source.outlineOf(file) : undefined;
      return outline !== undefined && fits(outline);
    }),
  );

/** Files of a source with a certain ending whose first bytes, as text, are those of a format, for `Importer.recognize`. */
export const filesByHead = async (
  source: ImportSource,
  ending: RegExp,
  headBytes: number,
  fits: (head: string, file: string) => boolean,
): Promise<string[]> =>
  Promise.resolve(
    source.files.filter((file) => ending.test(file) && fits(fileHead(source.pathOf(file), headBytes), file)),
  );
