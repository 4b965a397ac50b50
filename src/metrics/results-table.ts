import type { Metrics } from './metrics.ts';

/** Results of one or more evaluations that report the same kind of numbers. */
export interface Results {
  /** What was measured, e.g. `refcoco testA`. */
  readonly title: string;
  readonly metrics: Metrics;
  /** Number of samples, if it is worth saying. */
  readonly count?: number;
}

export interface TableOptions {
  /** Digits after the point. */
  readonly digits?: number;
  /** Shows fractions as per cent. */
  readonly percent?: boolean;
}

/**
 * Aligned lines: one column per result, one row per number, numbers right-aligned on the point. A number that a result
 * lacks is a dash.
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

/** Rows of cells as text: first column left-aligned, the others right-aligned, two blanks between, a line under the head. */
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

/** One object with every number at full precision. Numbers that do not exist are null. */
export const resultsJson = (results: readonly Results[]): string => {
  const plain = results.map(({ title, metrics, count }) => ({
    title,
    ...(count !== undefined && { count }),
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
