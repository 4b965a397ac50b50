import type { HostTensor } from '../graph/index.ts';

/** average ← average · decay + value · (1 − decay), for every float entry of the `state_dict`, buffers included. */
export const updateAverage = (
  average: ReadonlyMap<string, HostTensor>,
  values: ReadonlyMap<string, HostTensor>,
  decay: number,
): void => {
  for (const [name, target] of average) {
    if (target.dtype !== 'float32') continue;
    const mean = target.data;
    const current = values.get(name)!.data as Float32Array;
    for (let index = 0; index < mean.length; index++)
      mean[index] = mean[index]! * decay + current[index]! * (1 - decay);
  }
};

/** A copy of all entries, for the average to start from. */
export const copyEntries = (values: ReadonlyMap<string, HostTensor>): Map<string, HostTensor> =>
  new Map([...values].map(([name, value]) => [name, { ...value, data: value.data.slice() } as HostTensor]));
