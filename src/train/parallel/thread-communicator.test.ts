import { describe, expect, it } from 'vitest';
import { allReduceTogether, gatherTexts } from './communicator.ts';
import { GroupEnded, makeSharedGroup, ThreadCommunicator } from './thread-communicator.ts';

// The members of these groups take turns on one thread: meetings work there, too, only slowly.
const membersOf = (size: number, values: number): ThreadCommunicator[] => {
  const group = makeSharedGroup(size, values);
  return Array.from({ length: size }, (_, rank) => new ThreadCommunicator(rank, group));
};

describe('a group of threads', () => {
  it.each([1, 2, 3, 7])('sums %i values over all, in rounds where there is too little room', async (length) => {
    const members = membersOf(3, 3);
    const arrays = members.map(({ rank }) => Float32Array.from({ length }, (_, index) => 10 ** rank * (index + 1)));
    await Promise.all(members.map((member, rank) => member.allReduce(arrays[rank]!)));
    for (const array of arrays) expect([...array]).toEqual(Array.from({ length }, (_, index) => 111 * (index + 1)));
  });

  it('hands on what one has', async () => {
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

  it('gathers texts, those that are empty left out', async () => {
    const members = membersOf(3, 2);
    const texts = ['a "☃"', '', 'b'];
    const gathered = await Promise.all(members.map((member, rank) => gatherTexts(member, texts[rank]!)));
    expect(gathered).toEqual(members.map(() => ['a "☃"', 'b']));
    expect(await Promise.all(members.map((member) => gatherTexts(member, '')))).toEqual([[], [], []]);
  });

  it('lets nobody wait for one that has failed', async () => {
    const [first, second] = membersOf(2, 4) as [ThreadCommunicator, ThreadCommunicator];
    const waiting = first.barrier();
    second.leave();
    await expect(waiting).rejects.toThrow(GroupEnded);
  });
});
