import { alignColumns } from '../../src/metrics/results-table.ts';
import type { Row } from './comparison.ts';

/** Prints every comparison with its largest difference and tolerance; returns whether all are within. */
export const printRows = (rows: readonly Row[]): boolean => {
  const cells = rows.flatMap((row) => [...row.cells.values()]);
  const shown = (value: number): string => (value === 0 ? '0' : value.toExponential(1));
  process.stdout.write(
    alignColumns([
      ['case', 'quantity', 'values', 'largest difference', 'tolerance', ''],
      ...cells.map((cell) => [
        cell.row,
        cell.column,
        String(cell.count),
        shown(cell.worst),
        `${cell.tolerance.limit} ${cell.tolerance.kind}`,
        cell.passes ? 'ok' : `FAILED at ${cell.where}`,
      ]),
    ]),
  );
  const failed = cells.filter((cell) => !cell.passes).length;
  process.stdout.write(`\n${cells.length - failed} of ${cells.length} within their tolerances\n`);
  return failed === 0 && cells.length > 0;
};
