/**
 * Writes the tables of benchmarks and their metrics in docs/metrics.md from the registry.
 *
 *     npm run docs:benchmarks             writes them
 *     npm run docs:benchmarks -- --check  exit status 1 if they are out of date
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { benchmarkTables } from '../../src/benchmarks/benchmark-table.ts';
import { allBenchmarks } from '../../src/benchmarks/registry.ts';

const START = '<!-- Tables of benchmarks, written by `npm run docs:benchmarks`: edit the benchmarks. -->';
const END = '<!-- End of the tables of benchmarks. -->';

/** A document with the tables between its markers replaced. @throws {Error} when the markers are missing */
export const withBenchmarkTables = (text: string): string => {
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`the markers of the tables are missing: ${START}`);
  return `${text.slice(0, start + START.length)}\n\n${benchmarkTables(allBenchmarks())}\n${text.slice(end)}`;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../../docs/metrics.md', import.meta.url));
  const text = readFileSync(path, 'utf8');
  const current = withBenchmarkTables(text);
  if (text === current) console.log('docs/metrics.md: the tables of benchmarks are current');
  else if (process.argv.includes('--check')) {
    console.error('docs/metrics.md: the tables of benchmarks are out of date: run `npm run docs:benchmarks`');
    process.exitCode = 1;
  } else writeFileSync(path, current);
}
