import { describe, expect, it } from 'vitest';
import { allReduceTogether, gatherBytes, gatherStrings } from './communicator.ts';
import { GroupEnded } from './group-ended.ts';
import { makeSharedGroup, ThreadCommunicator } from './thread-communicator.ts';

// All threads of these groups run on one thread here: all-reduce rounds work, only slowly.
const membersOf = (size: number, values: number): ThreadCommunicator[] => {
  const group = makeSharedGroup(size, values);
  return Array.from({ length: size }, (_, rank) => new ThreadCommunicator(rank, group));
};

describe('a group of threads', () => {
  it.each([1, 2, 3, 7])(
    'sums %i values over all threads, in several rounds when they exceed the memory of one',
    async (length) => {
      const members = membersOf(3, 3);
      const arrays = members.map(({ rank }) => Float32Array.from({ length }, (_, index) => 10 ** rank * (index + 1)));
      await Promise.all(members.map((member, rank) => member.allReduce(arrays[rank]!)));
      for (const array of arrays) expect([...array]).toEqual(Array.from({ length }, (_, index) => 111 * (index + 1)));
    },
  );

  it('broadcasts the values of one thread', async () => {
    const members = membersOf(2, 4);
    const arrays = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    await Promise.all(members.map((member, rank) => member.broadcast(arrays[rank]!, 1)));
    expect(arrays).toEqual([Float32Array.of(3, 4), Float32Array.of(3, 4)]);
  });

  it('sums many arrays at once', async () => {
    const members = membersOf(2, 4);
    const lengths = [3, 0, 5, 1];
    const lists = members.map(({ rank }) => lengths.map((length) => new Float32Array(length).fill(rank + 1)));
    await Promise.all(members.map((member, rank) => allReduceTogether(member, lists[rank]!)));
    for (const list of lists) expect(list).toEqual(lengths.map((length) => new Float32Array(length).fill(3)));
  });

  it('gathers strings without the empty ones', async () => {
    const members = membersOf(3, 2);
    const texts = ['a "☃"', '', 'b'];
    const gathered = await Promise.all(members.map((member, rank) => gatherStrings(member, texts[rank]!)));
    expect(gathered).toEqual(members.map(() => ['a "☃"', 'b']));
    expect(await Promise.all(members.map((member) => gatherStrings(member, '')))).toEqual([[], [], []]);
  });

  it.each([0, 1, 2, 3, 4, 1000])('gathers %i bytes of one process and others of another', async (length) => {
    const members = membersOf(2, 64);
    const lists = [Uint8Array.from({ length }, (_, index) => 251 * index), Uint8Array.of(255, 0, 254, 0)];
    const gathered = await Promise.all(members.map((member, rank) => gatherBytes(member, lists[rank]!)));
    expect(gathered).toEqual([lists, lists]);
  });

  it('ends the wait of all threads when one has failed', async () => {
    const [first, second] = membersOf(2, 4) as [ThreadCommunicator, ThreadCommunicator];
    const waiting = first.barrier();
    second.leave();
    await expect(waiting).rejects.toThrow(GroupEnded);
  });
});
