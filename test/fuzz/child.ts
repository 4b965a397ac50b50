import { type Outcome, InputRunner, makeInput } from './inputs.ts';
import { PLANTED_READERS } from './planted.ts';
import type { Reader } from './reader.ts';

/** Task of the process that reads inputs: indices `first` to `end`, of readers in turn. */
export interface FuzzTask {
  readonly seed: number;
  readonly readers: readonly string[];
  readonly first: number;
  readonly end: number;
}

/** Messages of that process. An input begins before it is read, so that one that ends the process is known. */
export type FuzzMessage =
  | { readonly type: 'begin'; readonly reader: string; readonly index: number }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  | { readonly type: 'end' };

const send = (message: FuzzMessage): void => void process.send!(message);

/** Readers by their names. The library is loaded only for its own readers, which takes seconds. */
const readersOf = async (names: readonly string[]): Promise<Reader[]> => {
  const isPlanted = (name: string): boolean => PLANTED_READERS.some((reader) => reader.name === name);
  const all = names.every(isPlanted) ? PLANTED_READERS : (await import('./readers.ts')).READERS;
  return names.map((name) => [...all, ...PLANTED_READERS].find((reader) => reader.name === name)!);
};

const runTask = async ({ seed, readers, first, end }: FuzzTask): Promise<void> => {
  const chosen = await readersOf(readers);
  const seeds = await Promise.all(chosen.map((reader) => reader.seeds()));
  const runner = new InputRunner();
  try {
    // Reading a valid input first keeps the cost of loading modules out of the measurements.
    for (const [i, reader] of chosen.entries()) await runner.run(reader, seeds[i]![0]!, -1);
    for (let index = first; index < end; index++) {
      const which = index % chosen.length;
      const reader = chosen[which]!;
      send({ type: 'begin', reader: reader.name, index });
      const bytes = makeInput(seeds[which]!, { seed, reader: reader.name, index });
      send({ type: 'outcome', outcome: await runner.run(reader, bytes, index) });
      if (index % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    runner.dispose();
  }
  send({ type: 'end' });
  process.disconnect();
};

process.once('message', (task: FuzzTask) => void runTask(task));
