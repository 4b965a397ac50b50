import type { HostTensor } from '../../engine/graph/index.ts';
import { sharedBeside } from './shared-values.ts';
import { averagePass } from './update-pass.ts';

/**
 * Updates a moving average: average ← average · decay + value · (1 − decay) for every float entry of the `state_dict`,
 * buffers included.
 *
 * @param isDone entries that have been updated already
 */
export const updateAverage = (
  average: ReadonlyMap<string, HostTensor>,
  values: ReadonlyMap<string, HostTensor>,
  decay: number,
  isDone: (name: string) => boolean = () => false,
): void => {
  for (const [name, target] of average) {
    if (target.dtype !== 'float32' || isDone(name)) continue;
    averagePass(target.data, values.get(name)!.data as Float32Array, decay);
  }
};

/** Copies all entries: the initial value of a moving average. */
export const copyEntries = (values: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> =>
  new Map(Array.from(values, ([name, value]) => [name, copyOf(value)]));

const copyOf = (value: HostTensor): HostTensor => {
  if (value.dtype !== 'float32') return { ...value, data: value.data.slice() } as HostTensor;
  const data = sharedBeside(value.data);
  data.set(value.data);
  return { ...value, data };
};
