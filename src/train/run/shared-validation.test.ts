import { describe, expect, it } from 'vitest';
import { unshared } from '../../benchmarks/work-sharing.ts';
import { makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import { SharedValidation, ValidationStopped } from './shared-validation.ts';

const membersOf = (size: number): SharedValidation[] => {
  const group = makeSharedGroup(size, 1024);
  return Array.from({ length: size }, (_, rank) => new SharedValidation(new ThreadCommunicator(rank, group)));
};

const collect = async <Result>(results: AsyncIterable<Result>): Promise<Result[]> => {
  const all: Result[] = [];
  for await (const result of results) all.push(result);
  return all;
};

describe('a shared validation', () => {
  it.each([0, 1, 3, 25])(
    'computes each of %i units once, and gives all of them to all processes in order',
    async (count) => {
      const computed: number[] = [];
      const compute = (index: number) => {
        computed.push(index);
        // What JSON cannot hold.
        return Promise.resolve({ index, scores: Float32Array.of(index, NaN, -0), none: undefined });
      };
      const expected = await collect(unshared.each(count, compute));
      computed.length = 0;
      const found = await Promise.all(membersOf(3).map((member) => collect(member.each(count, compute))));
      expect(found).toEqual([expected, expected, expected]);
      expect(computed.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
    },
  );

  it('stops in all processes when one is told to', async () => {
    const stop = new AbortController();
    let computed = 0;
    const compute = () => {
      if (++computed === 3) stop.abort();
      return Promise.resolve(0);
    };
    const [first, second] = membersOf(2);
    const ends = await Promise.allSettled([
      collect(first!.each(1000, compute, stop.signal)),
      collect(second!.each(1000, compute)),
    ]);
    for (const end of ends)
      expect(end).toMatchObject({ status: 'rejected', reason: expect.any(ValidationStopped) as unknown });
    expect(computed).toBeLessThan(50);
  });
});
