import type { Metrics } from './metrics.ts';

/** Metrics of one evaluation: a column of the table. */
export interface Results {
  /** Heading of the column, e.g. `refcoco testA`. */
  readonly title: string;
  /** Metrics by name. */
  readonly metrics: Metrics;
  /** Number of samples, if it should be shown. */
  readonly count?: number;
}

/** Layout of a table of results. */
export interface TableOptions {
  /** Digits after the decimal point. Default 4. */
  readonly digits?: number;
  /** Shows fractions as percentages. */
  readonly percent?: boolean;
}

/**
 * Formats results as a table with aligned columns: one column for each result, one row for each metric. A missing metric
 * is a dash.
 */
export const resultsTable = (results: readonly Results[], options: TableOptions = {}): string => {
  const names = [...new Set(results.flatMap(({ metrics }) => Object.keys(metrics)))];
  const rows = [
    ['', ...results.map(({ title }) => title)],
    ...names.map((name) => [name, ...results.map(({ metrics }) => shown(metrics[name], options))]),
    ...(results.some(({ count }) => count !== undefined)
      ? [['samples', ...results.map(({ count }) => (count === undefined ? '-' : String(count)))]]
      : []),
  ];
  return alignColumns(rows);
};

/** Formats rows of cells: first column left-aligned, the others right-aligned, a line below the first row. */
export const alignColumns = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return `${lines.join('\n')}\n`;
};

/** Formats results as JSON with full precision. NaN and infinite values are null. */
export const resultsJson = (results: readonly Results[]): string => {
  const plain = results.map(({ title, metrics, count }) => ({
    title,
    count,
    metrics: Object.fromEntries(
      Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
    ),
  }));
  return `${JSON.stringify({ results: plain }, null, 2)}\n`;
};

const shown = (value: number | undefined, { digits = 4, percent = false }: TableOptions): string => {
  if (value === undefined || Number.isNaN(value)) return '-';
  return percent ? (value * 100).toFixed(Math.max(0, digits - 2)) : value.toFixed(digits);
};
