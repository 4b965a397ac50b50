import { readFile } from 'node:fs/promises';
import { trainingScalars, validationScalars, type LogEntry } from '../run-log.ts';

/** Numbers of one entry of a run's log, under names with `/`, and when they were logged. */
export interface LoggedMetrics {
  readonly step: number;
  readonly timeMs: number;
  readonly values: readonly (readonly [name: string, value: number])[];
}

type Entry =
  | ({ readonly kind: 'train' } & LogEntry)
  | { readonly kind: 'validation'; readonly step: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'skipped_row'; readonly step: number };

/**
 * Metrics of `log.jsonl` for the formats of other programs, in the order of the log. The log has no times; those of entries are
 * spread between start and end by step. Names have letters, digits, `_`, `-`, `.`, blanks and `/` only.
 */
export const loggedMetrics = async (path: string, startedMs: number, endedMs: number): Promise<LoggedMetrics[]> => {
  const entries = (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Entry);
  const steps = Math.max(1, ...entries.map(({ step }) => step));
  return entries.flatMap((entry) => {
    const values = Object.entries(scalarsOf(entry)).flatMap(([name, value]) =>
      typeof value === 'number' && Number.isFinite(value) ? [[name.replace(/[^\w\-. /]/g, '_'), value] as const] : [],
    );
    const timeMs = Math.round(startedMs + ((endedMs - startedMs) * entry.step) / steps);
    return values.length === 0 ? [] : [{ step: entry.step, timeMs, values }];
  });
};

const scalarsOf = (entry: Entry): Readonly<Record<string, unknown>> =>
  entry.kind === 'train' ? trainingScalars(entry) : entry.kind === 'validation' ? validationScalars(entry.metrics) : {};
