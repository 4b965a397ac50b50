import { addTo, applyUpdate, piecesOf, sumOfSquares, type Update } from './update-pass.ts';

/** An array in shared memory, as threads tell each other. */
export interface SharedRange {
  readonly buffer: number;
  readonly offset: number;
  readonly length: number;
}

type Ranges = 'values' | 'gradient' | 'first' | 'second' | 'average';

/** An update whose arrays are ranges of shared memory. */
export type SharedUpdate = Omit<Update, Ranges> & {
  readonly [K in Exclude<Ranges, 'average'>]: SharedRange;
} & { readonly average: SharedRange | undefined };

/** Work that several threads share. */
export type PoolTask = {
  /** One number: the next piece that nobody has taken. */
  readonly next: Int32Array;
} & (
  | {
      readonly kind: 'norm';
      readonly arrays: readonly SharedRange[];
      /** One for each piece. */ readonly sums: Float64Array;
    }
  | { readonly kind: 'add'; readonly sums: readonly SharedRange[]; readonly values: readonly SharedRange[] }
  | { readonly kind: 'update'; readonly updates: readonly SharedUpdate[] }
);

/** What a thread is sent: memory that it does not know yet, by number, and work. */
export interface PoolMessage {
  readonly added: readonly (readonly [id: number, memory: WebAssembly.Memory | SharedArrayBuffer])[];
  readonly job: PoolTask;
}

/** Takes pieces and works on them until there are none left. */
export const runShare = (job: PoolTask, bufferOf: (id: number) => SharedArrayBuffer): void => {
  const open = ({ buffer, offset, length }: SharedRange): Float32Array =>
    new Float32Array(bufferOf(buffer), offset, length);
  if (job.kind === 'norm') {
    const arrays = job.arrays.map(open);
    for (const [index, { array, start, end }] of taken(job.next, arrays))
      job.sums[index] = sumOfSquares(arrays[array]!, start, end);
    return;
  }
  if (job.kind === 'add') {
    const [sums, values] = [job.sums.map(open), job.values.map(open)];
    for (const [, { array, start, end }] of taken(job.next, sums)) addTo(sums[array]!, values[array]!, start, end);
    return;
  }
  const updates = job.updates.map((update) => ({
    ...update,
    values: open(update.values),
    gradient: open(update.gradient),
    first: open(update.first),
    second: open(update.second),
    average: update.average === undefined ? undefined : open(update.average),
  }));
  const lengths = updates.map(({ values }) => values);
  for (const [, { array, start, end }] of taken(job.next, lengths)) applyUpdate(updates[array]!, start, end);
};

function* taken(next: Int32Array, arrays: readonly Float32Array[]) {
  const pieces = piecesOf(arrays.map(({ length }) => length));
  for (let index = Atomics.add(next, 0, 1); index < pieces.length; index = Atomics.add(next, 0, 1))
    yield [index, pieces[index]!] as const;
}
