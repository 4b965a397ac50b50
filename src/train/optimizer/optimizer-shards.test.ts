import { describe, expect, it } from 'vitest';
import { float32Tensor } from '../../engine/graph/index.ts';
import { makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import type { Moments } from './optimizer.ts';
import { OptimizerShards } from './optimizer-shards.ts';

const lengths = { small: 3, large: 10, middle: 6, tiny: 1, frozen: 2 };
const names = ['small', 'large', 'middle', 'tiny'];

/** The same parameters in two processes; all threads of the group run on one thread here. */
const processes = () => {
  const group = makeSharedGroup(2, 8);
  return [0, 1].map((rank) => {
    const parameters = new Map(
      Object.entries(lengths).map(([name, length]) => [name, float32Tensor([length], new Float32Array(length))]),
    );
    return { parameters, shards: new OptimizerShards(parameters, names, new ThreadCommunicator(rank, group)) };
  });
};

describe('a divided optimizer state', () => {
  it('gives every parameter to one process, in parts of similar size', () => {
    const owned = processes().map(({ shards }) => names.filter((name) => shards.owns(name)));
    expect(owned).toEqual([['large'], ['small', 'middle', 'tiny']]);
    // Of what is not trained any more, one process keeps the moments.
    expect(processes().map(({ shards }) => shards.owns('frozen'))).toEqual([true, false]);
  });

  it('sends the values of the owners to all', async () => {
    const both = processes();
    both.forEach(({ parameters }, rank) => {
      for (const { data } of parameters.values()) (data as Float32Array).fill(rank + 1);
    });
    await Promise.all(both.map(({ shards }) => shards.shareValues(names)));
    for (const { parameters } of both) {
      expect(parameters.get('large')!.data).toEqual(new Float32Array(10).fill(1));
      expect(parameters.get('middle')!.data).toEqual(new Float32Array(6).fill(2));
    }
    expect(both.map(({ parameters }) => parameters.get('frozen')!.data[0])).toEqual([1, 2]);
  });

  it.each([0, 1])(
    'gathers the moments in the first process, those of SGD (%i second moments a value) too',
    async (second) => {
      const both = processes();
      const momentsOf = (name: keyof typeof lengths): Moments => ({
        step: 7,
        first: new Float32Array(lengths[name]).fill(0.5),
        second: new Float32Array(second * lengths[name]).fill(0.25),
      });
      const gathered = await Promise.all(
        both.map(({ shards }) =>
          shards.gatherMoments(
            ['small', 'large'],
            new Map(
              (['small', 'large'] as const).filter((name) => shards.owns(name)).map((name) => [name, momentsOf(name)]),
            ),
          ),
        ),
      );
      expect([...gathered[0]!]).toEqual([
        ['small', momentsOf('small')],
        ['large', momentsOf('large')],
      ]);
      expect(gathered[1]!.size).toBe(0);
    },
  );
});
