import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { withBenchmarkTables } from '../../scripts/docs/benchmark-table.ts';
import { UsageError } from '../errors.ts';
import { findMetric } from '../metrics/metric-definition.ts';
import type { Benchmark } from './benchmark.ts';
import { flagOption, integerOption, settingsOf } from './benchmark-options.ts';
import { benchmarkList, benchmarkTables } from './benchmark-table.ts';
import {
  allBenchmarks,
  benchmarkNamed,
  currentValidationName,
  registerBenchmark,
  validationTasks,
} from './registry.ts';

const custom: Benchmark = {
  name: 'counting',
  description: 'number of objects in an image',
  annotations: 'annotation file with counts',
  options: { tolerance: integerOption({ flag: '--tolerance <n>', description: 'accepted difference' }, 0, 0) },
  metrics: [{ id: 'count_accuracy', title: 'count accuracy', description: 'fraction of correct counts' }],
  bestMetric: () => 'count_accuracy',
  evaluate: () => Promise.resolve([]),
};

let remove = (): void => undefined;
afterEach(() => remove());

describe('the registry of benchmarks', () => {
  it('lists a registered benchmark with its options and metrics', () => {
    remove = registerBenchmark(custom);
    expect(benchmarkNamed('counting')).toBe(custom);
    expect(benchmarkList(allBenchmarks())).toMatch(
      /^counting +number of objects in an image\n +needs --annotations FILE/m,
    );
    expect(benchmarkTables(allBenchmarks())).toContain('| `count_accuracy` | `count accuracy` |');
    expect(currentValidationName('val/count accuracy')).toBe('val/count_accuracy');
    remove();
    expect(() => benchmarkNamed('counting')).toThrow(/there is no benchmark "counting"; there are flickr, refexp/);
  });

  it('rejects a name that is taken, and an option that differs from another benchmark', () => {
    expect(() => registerBenchmark({ ...custom, name: 'coco' })).toThrow(UsageError);
    const masks = flagOption({ flag: '--with-masks', description: 'masks' });
    expect(() => registerBenchmark({ ...custom, options: { masks } })).toThrow(/option "masks" .* differs/);
  });

  it('knows which benchmarks can measure a validation set without further files', () => {
    expect(validationTasks()).toEqual(['refexp', 'clevrref', 'gqa', 'clevr', 'coco', 'phrases']);
  });

  it('has identifiers without spaces for all metrics, each with one title', () => {
    for (const { name, metrics } of allBenchmarks())
      for (const { id, title } of metrics) {
        expect(id, name).toMatch(/^[a-z0-9_*/]+$/);
        expect(findMetric(metrics, title)?.id, name).toBe(id);
      }
  });
});

it.each([
  ['val/bbox_AP50', 'val/box_ap_50'],
  ['flickr/merged/Recall@1_all', 'flickr/merged/recall_at_1'],
  ['refexp/refcoco+_Precision@5', 'refexp/refcoco+/precision_at_5'],
  ['phrasecut/cum_mask_iou', 'phrasecut/cumulative_mask_iou'],
  ['scenes/phrase Recall@1', 'scenes/phrase_recall_at_1'],
  ['clevr_question/question/count', 'clevr_question/question/count'],
  ['val/box_ap_50', 'val/box_ap_50'],
  ['mean', 'mean'],
])('%s of an older log is %s', (old, current) => expect(currentValidationName(old)).toBe(current));

it('docs/metrics.md has the current tables', () => {
  const text = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  expect(withBenchmarkTables(text)).toBe(text);
});

it('settings have defaults, and wrong values are refused by name', () => {
  expect(settingsOf(custom.options)).toEqual({ tolerance: 0 });
  expect(() => settingsOf(custom.options, { tolerance: -1 })).toThrow(/^tolerance: /);
});
