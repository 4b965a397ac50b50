import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearSumAssignment, type Assignment } from './hungarian.ts';

interface ScipyCase {
  readonly kind: string;
  readonly shape: [rows: number, columns: number];
  readonly cost: number[];
  readonly rows: number[];
  readonly columns: number[];
}
const scipyCases = JSON.parse(
  gunzipSync(
    readFileSync(new URL('../../test/fixtures/matching/scipy-assignment.json.gz', import.meta.url)),
  ).toString(),
) as ScipyCase[];

const totalCost = (cost: ArrayLike<number>, columns: number, pairs: Assignment): number =>
  pairs.rows.reduce((sum, row, k) => sum + cost[row * columns + pairs.columns[k]!]!, 0);

/** Smallest cost over all assignments of a small matrix with rows <= columns. */
const bruteForce = (cost: readonly number[][], taken: readonly number[] = []): number => {
  const row = cost[taken.length];
  if (row === undefined) return 0;
  return Math.min(
    ...row.flatMap((value, column) => (taken.includes(column) ? [] : [value + bruteForce(cost, [...taken, column])])),
  );
};
const transpose = (matrix: readonly number[][]): number[][] =>
  matrix[0]!.map((_, column) => matrix.map((row) => row[column]!));

describe('linearSumAssignment', () => {
  it.each(scipyCases)('picks the same pairs as SciPy: $kind $shape', ({ shape, cost, rows, columns }) => {
    const pairs = linearSumAssignment(Float64Array.from(cost), shape[0], shape[1]);
    expect([...pairs.rows]).toEqual(rows);
    expect([...pairs.columns]).toEqual(columns);
  });

  it('is optimal, and uses no row or column twice', () => {
    const matrices = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 })).chain(([rows, columns]) =>
      fc.array(
        fc.array(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -1e3, max: 1e3, noNaN: true })), {
          minLength: columns,
          maxLength: columns,
        }),
        { minLength: rows, maxLength: rows },
      ),
    );
    fc.assert(
      fc.property(matrices, (matrix) => {
        const [rows, columns] = [matrix.length, matrix[0]!.length];
        const cost = Float64Array.from(matrix.flat());
        const pairs = linearSumAssignment(cost, rows, columns);
        expect(pairs.rows).toHaveLength(Math.min(rows, columns));
        expect(new Set(pairs.columns).size).toBe(pairs.columns.length);
        expect([...pairs.rows]).toEqual([...new Set(pairs.rows)].sort((a, b) => a - b));
        const best = bruteForce(rows <= columns ? matrix : transpose(matrix));
        expect(totalCost(cost, columns, pairs)).toBeCloseTo(best, 8);
      }),
      { numRuns: 300 },
    );
  });

  it('rejects invalid costs', () => {
    expect(() => linearSumAssignment(Float64Array.of(1, NaN, 2, 3), 2, 2)).toThrow('row 0, column 1 is NaN');
    expect(() => linearSumAssignment(Float64Array.of(1, 2, 3, Infinity), 2, 2)).toThrow('row 1, column 1 is Infinity');
    expect(() => linearSumAssignment(new Float64Array(5), 2, 2)).toThrow('5 values, expected 2 * 2');
  });
});
