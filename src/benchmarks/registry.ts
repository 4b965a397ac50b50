import { UsageError } from '../errors.ts';
import { findMetric } from '../metrics/metric-definition.ts';
import type { Benchmark } from './benchmark.ts';
import { clevrBenchmark } from './clevr/benchmark.ts';
import { clevrRefBenchmark } from './clevrref/benchmark.ts';
import { cocoBenchmark } from './coco/benchmark.ts';
import { flickrBenchmark } from './flickr/benchmark.ts';
import { gqaBenchmark } from './gqa/benchmark.ts';
import { lvisBenchmark } from './lvis/benchmark.ts';
import { phraseCutBenchmark } from './phrasecut/benchmark.ts';
import { photosBenchmark } from './photos/benchmark.ts';
import { phrasesBenchmark } from './phrases/benchmark.ts';
import { refexpBenchmark } from './refexp/benchmark.ts';
import { scenesBenchmark } from './scenes/benchmark.ts';

/** Benchmarks by name, in the order of help and docs. Where several measure a dataset, the first one is preferred. */
const registered = new Map<string, Benchmark>(
  [
    flickrBenchmark,
    refexpBenchmark,
    clevrRefBenchmark,
    phraseCutBenchmark,
    gqaBenchmark,
    clevrBenchmark,
    cocoBenchmark,
    lvisBenchmark,
    phrasesBenchmark,
    scenesBenchmark,
    photosBenchmark,
  ].map((benchmark) => [benchmark.name, benchmark]),
);

/**
 * Adds a benchmark. `mdetr evaluate` then knows its options, and validation during training knows its datasets.
 *
 * @returns a function that removes it again
 * @throws {UsageError} when the name is taken, or an option is declared differently by another benchmark
 */
export const registerBenchmark = (benchmark: Benchmark): (() => void) => {
  if (registered.has(benchmark.name)) throw new UsageError(`benchmark "${benchmark.name}" is registered already`);
  for (const [key, { flag }] of Object.entries(benchmark.options))
    for (const { name, options } of registered.values())
      if (options[key] !== undefined && options[key].flag !== flag)
        throw new UsageError(`option "${key}" of benchmark "${benchmark.name}" differs from the one of "${name}"`);
  registered.set(benchmark.name, benchmark);
  return () => void registered.delete(benchmark.name);
};

/** All registered benchmarks. */
export const allBenchmarks = (): readonly Benchmark[] => [...registered.values()];

/** The benchmark of this name. @throws {UsageError} listing the names when there is none */
export const benchmarkNamed = (name: string): Benchmark => {
  const benchmark = registered.get(name);
  if (benchmark === undefined)
    throw new UsageError(`there is no benchmark "${name}"; there are ${[...registered.keys()].join(', ')}`);
  return benchmark;
};

/** Names of the benchmarks that can measure a validation set without files of the dataset's authors. */
export const validationTasks = (): readonly string[] =>
  allBenchmarks()
    .filter(({ validation, groundTruth }) => validation !== undefined && groundTruth?.isRequired !== true)
    .map(({ name }) => name);

/**
 * Name of a validation metric with the identifier in place of the title that older logs contain:
 * `val/phrase Recall@1` becomes `val/phrase_recall_at_1`. Other names stay as they are.
 */
export const currentValidationName = (name: string): string => {
  const parts = name.split('/');
  for (let start = 0; start < parts.length; start++) {
    const title = parts.slice(start).join('/');
    for (const { metrics } of registered.values()) {
      const found = findMetric(metrics, title);
      if (found !== undefined) return [...parts.slice(0, start), found.id].join('/');
    }
  }
  return name;
};
