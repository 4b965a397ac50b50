import { UsageError } from '../../errors.ts';
import { withoutEndSlash } from './option-values.ts';

/** A part of the images of a call: every `count`-th one, beginning with that of `index`. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

const MAX_SHARDS = 99_999;

/** Variables of schedulers that number the parts of a job from 0 (Slurm: from its smallest task). */
const SCHEDULERS: readonly (readonly [index: string, count: string, first?: string])[] = [
  ['SLURM_ARRAY_TASK_ID', 'SLURM_ARRAY_TASK_COUNT', 'SLURM_ARRAY_TASK_MIN'],
  ['JOB_COMPLETION_INDEX', 'JOB_COMPLETIONS'],
  ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'],
  ['PMI_RANK', 'PMI_SIZE'],
];

/**
 * Parses `--shard`: `3/16` is the fourth of sixteen parts; `auto` reads the variables of a Slurm array, an indexed job of
 * Kubernetes (with JOB_COMPLETIONS set) or MPI.
 *
 * @throws {UsageError} if it is malformed, or no scheduler is there
 */
export const parseShard = (
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Shard => {
  if (text === 'auto') return scheduledShard(environment);
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  return checked(Number(index ?? NaN), Number(count ?? NaN), `--shard ${text.slice(0, 100)}`);
};

const scheduledShard = (environment: Readonly<Record<string, string | undefined>>): Shard => {
  for (const [indexName, countName, firstName] of SCHEDULERS) {
    const index = environment[indexName];
    if (index === undefined || index === '') continue;
    const count = environment[countName];
    if (count === undefined || count === '')
      throw new UsageError(`--shard auto: ${indexName} is set, but ${countName} is not; set it, or give --shard I/N`);
    const first = Number((firstName === undefined ? undefined : environment[firstName]) ?? 0);
    return checked(Number(index) - first, Number(count), `--shard auto (${indexName}, ${countName})`);
  }
  throw new UsageError('--shard auto: no scheduler has numbered this process; give --shard I/N');
};

const checked = (index: number, count: number, where: string): Shard => {
  const isValid =
    Number.isInteger(index) &&
    Number.isInteger(count) &&
    count >= 1 &&
    count <= MAX_SHARDS &&
    index >= 0 &&
    index < count;
  if (!isValid)
    throw new UsageError(`${where}: write I/N, the part from 0 to N-1 and the number of parts up to ${MAX_SHARDS}`);
  return { index, count };
};

/** Path of the results of a shard: `found.jsonl` becomes `found.00003-of-00016.jsonl`. */
export const shardPath = (path: string, { index, count }: Shard): string => {
  const bare = withoutEndSlash(path);
  const [, stem, extension = ''] = /^(.*?[^\\/])(\.[^.\\/]*)?$/s.exec(bare) ?? [undefined, bare];
  return `${stem}.${digits(index)}-of-${digits(count)}${extension}`;
};

const digits = (value: number): string => String(value).padStart(5, '0');
