import { parse, type CsvError, type Info } from 'csv-parse/sync';
import { MdetrError, messageOf } from '../../../errors.ts';
import { shortText } from '../field-numbers.ts';

/** Maximum number of characters of a row; outlines and embedded JSON are long. */
const MAX_ROW = 4 * 2 ** 20;
const DELIMITERS = [',', ';', '\t', '|'] as const;

/** Rows of a CSV file, with the line that each ends in. */
export interface CsvTable {
  readonly delimiter: string;
  readonly rows: readonly { readonly values: readonly string[]; readonly line: number }[];
}

/**
 * Parses CSV. The delimiter is the one that divides the first line into most values. Empty lines, and lines that begin with
 * `#` and are followed by others of another form, are skipped by the callers.
 * @param path name of the file for messages
 * @param maxRows stops after this many rows
 * @throws {MdetrError} naming file and line of a quote that is not closed, or a row that is too long
 */
export const parseCsv = (text: string, path: string, maxRows = Infinity): CsvTable => {
  const delimiter = delimiterOf(text);
  let records: { record: string[]; info: Info }[];
  try {
    records = parse(text, {
      bom: true,
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      max_record_size: MAX_ROW,
      to: Number.isFinite(maxRows) ? maxRows : -1,
    }) as unknown as { record: string[]; info: Info }[];
  } catch (error) {
    const line = (error as CsvError & { lines?: number }).lines;
    throw new MdetrError(`${path}: line ${line ?? 1}: malformed CSV: ${shortText(messageOf(error))}`, { cause: error });
  }
  return { delimiter, rows: records.map(({ record, info }) => ({ values: record, line: info.lines })) };
};

const delimiterOf = (text: string): string => {
  const [first = ''] = text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .split(/\r\n|\n|\r/, 1);
  // Quoted parts may hold any of them.
  const bare = first.replace(/"(?:[^"]|"")*"/g, '');
  const counts = DELIMITERS.map((delimiter) => bare.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
};
