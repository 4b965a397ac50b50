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
 * Parses CSV. The delimiter is the one that divides the first line into most values, or the one that Excel's `sep=;` states.
 * Empty lines, and comments (`# …`) before the table, are skipped. Where commas do not separate values, they are decimal commas.
 * @param path name of the file for messages
 * @param maxRows stops after this many rows
 * @throws {MdetrError} naming file and line of a quote that is not closed, or a row that is too long
 */
export const parseCsv = (text: string, path: string, maxRows = Infinity): CsvTable => {
  const { skippedLines, stated } = preambleOf(text);
  // Quotes in comments are no quotes; their lines stay, because messages count them.
  const table = textAfter(text.replace(/^\uFEFF/, ''), skippedLines);
  const delimiter = stated ?? delimiterOf(/^.*/.exec(table)![0]);
  let records: { record: string[]; info: Info }[];
  try {
    records = parse('\n'.repeat(skippedLines) + table, {
      delimiter,
      // The line ends before the table are not its own.
      record_delimiter: skippedLines > 0 ? ['\r\n', '\n', '\r'] : undefined,
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
  const valueOf = (text: string): string => (/^[+-]?\d+,\d+$/.test(text) ? text.replace(',', '.') : text);
  return {
    delimiter,
    rows: records.map(({ record, info }) => ({
      values: delimiter === ',' ? record : record.map(valueOf),
      line: info.lines,
    })),
  };
};

const textAfter = (text: string, lines: number): string => {
  const ends = /\r\n|\n|\r/g;
  for (let i = 0; i < lines; i++) if (ends.exec(text) === null) return '';
  return text.slice(ends.lastIndex);
};

/** Number of lines before the table, and the delimiter that Excel's `sep=;` states. */
const preambleOf = (text: string): { readonly skippedLines: number; readonly stated: string | undefined } => {
  let stated: string | undefined;
  let skippedLines = 0;
  for (const line of text
    .replace(/^\uFEFF/, '')
    .slice(0, MAX_ROW)
    .split(/\r\n|\n|\r/)) {
    const separator = /^"?sep=(.)"?$/i.exec(line.trim())?.[1];
    // VIA's header begins with `#`, too, but without a blank, and it is divided into values.
    const isComment = /^#(?:\s|$)/.test(line) || (line.startsWith('#') && delimiterCount(line) === 1);
    if (separator !== undefined) stated ??= DELIMITERS.find((delimiter) => delimiter === separator);
    else if (!isComment && line.trim() !== '') break;
    skippedLines++;
  }
  return { skippedLines, stated };
};

const delimiterCount = (line: string): number =>
  Math.max(...DELIMITERS.map((delimiter) => line.split(delimiter).length));

const delimiterOf = (first: string): string => {
  // Quoted parts may hold any of them.
  const bare = first.replace(/"(?:[^"]|"")*"/g, '');
  const counts = DELIMITERS.map((delimiter) => bare.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
};
