import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareMetrics, compareRandom } from './metrics.ts';
import { Difference } from './difference.ts';

const fixture = (path: string): string => fileURLToPath(new URL(`../../test/fixtures/${path}`, import.meta.url));
const cases = compareMetrics(fixture('reference/evaluators'));
const random = compareRandom(fixture('evaluation'));

describe('metrics against the reference implementations', () => {
  it('covers every evaluator', () => {
    expect(cases).toHaveLength(14);
    expect(random).toHaveLength(9);
  });

  it.each([...cases, ...random])('$metric ($count values)', ({ count, largestDifference, tolerance }) => {
    expect(count).toBeGreaterThan(0);
    expect(largestDifference).toBeLessThanOrEqual(tolerance);
  });
});

describe('Difference', () => {
  it('counts a missing, superfluous or NaN value as an infinite difference', () => {
    expect(new Difference('x').addList([1], [1, 2]).comparison.largestDifference).toBe(Infinity);
    expect(new Difference('x').addList([1, 2], [1]).comparison.largestDifference).toBe(Infinity);
    expect(new Difference('x').addRecord({ a: 1, b: 2 }, { a: 1 }).comparison.largestDifference).toBe(Infinity);
    expect(new Difference('x').add(NaN, 1).comparison.largestDifference).toBe(Infinity);
    expect(new Difference('x').add(1, 1.5).add(1, 1).comparison).toMatchObject({ count: 2, largestDifference: 0.5 });
  });
});
