import { readFile } from 'node:fs/promises';

/** Numbers of one entry of a run's log, under names with `/`, and when they were logged. */
export interface LoggedMetrics {
  readonly step: number;
  readonly timeMs: number;
  readonly values: readonly (readonly [name: string, value: number])[];
}

type Entry = { readonly kind: string; readonly step: number } & Readonly<Record<string, unknown>>;

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
    const values = numbersOf(entry).flatMap(([name, value]) =>
      typeof value === 'number' && Number.isFinite(value) ? [[name.replace(/[^\w\-. /]/g, '_'), value] as const] : [],
    );
    const timeMs = Math.round(startedMs + ((endedMs - startedMs) * entry.step) / steps);
    return values.length === 0 ? [] : [{ step: entry.step, timeMs, values }];
  });
};

const numbersOf = ({ kind, ...entry }: Entry): (readonly [string, unknown])[] => {
  const under = (prefix: string, values: object): (readonly [string, unknown])[] =>
    Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]);
  const of = (prefix: string, ...names: string[]): (readonly [string, unknown])[] =>
    names.map((name) => [`${prefix}/${name}`, entry[name]]);
  if (kind === 'validation') return under('validation', entry['metrics'] as object);
  if (kind !== 'train') return [];
  return [
    ...under('train', entry['terms'] as object),
    ...of('train', 'loss', 'grad_norm'),
    ...of('rates', 'lr', 'lr_backbone', 'text_encoder_lr'),
    ...of('speed', 'images_per_s'),
  ];
};
