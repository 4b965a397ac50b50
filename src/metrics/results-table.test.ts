import { describe, expect, it } from 'vitest';
import { resultsJson, resultsTable, type Results } from './results-table.ts';

const results: readonly Results[] = [
  { title: 'testA', metrics: { 'Precision@1': 0.87654321, AP: -1 }, count: 1975 },
  { title: 'testB', metrics: { 'Precision@1': 1, broken: NaN } },
];

describe('results', () => {
  it('are aligned in a table', () => {
    expect(resultsTable(results).split('\n')).toEqual([
      '               testA   testB',
      '-----------  -------  ------',
      'Precision@1   0.8765  1.0000',
      'AP           -1.0000       -',
      'broken             -       -',
      'samples         1975       -',
      '',
    ]);
    expect(resultsTable([results[1]!], { percent: true })).toContain('Precision@1  100.00');
  });

  it('have full precision in JSON', () => {
    expect(JSON.parse(resultsJson(results))).toEqual({
      results: [
        { title: 'testA', count: 1975, metrics: { 'Precision@1': 0.87654321, AP: -1 } },
        { title: 'testB', metrics: { 'Precision@1': 1, broken: null } },
      ],
    });
  });
});
