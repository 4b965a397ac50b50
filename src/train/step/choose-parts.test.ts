import { describe, expect, it } from 'vitest';
import { singleProcess } from '../parallel/communicator.ts';
import { makeSharedGroup, ThreadCommunicator } from '../parallel/thread-communicator.ts';
import { candidateParts, chooseParts, choiceText, type PartsChoice } from './choose-parts.ts';

const idle = (): number => 0.02;
/** A machine on which a batch takes the given times, one after another, by the number of parts. */
const machine = (times: Readonly<Record<number, readonly number[]>>): ((parts: number) => Promise<number>) => {
  const runs: Record<number, number> = {};
  return (parts) => {
    const list = times[parts]!;
    const run = (runs[parts] = (runs[parts] ?? -1) + 1);
    return Promise.resolve(list[run % list.length]!);
  };
};
const choose = (times: Readonly<Record<number, readonly number[]>>, others = idle): Promise<PartsChoice> =>
  chooseParts(
    Object.keys(times)
      .map(Number)
      .filter((parts) => parts > 1),
    machine(times),
    singleProcess,
    others,
  );

describe('the number of parts', () => {
  it('is the one that takes the least time', async () => {
    const choice = await choose({ 1: [100, 102, 99], 2: [90, 91, 88], 4: [80, 81, 79] });
    expect(choice).toMatchObject({ parts: 4, isBusy: false });
    expect(choice.ratio).toBeCloseTo(0.8, 1);
    expect(choiceText(choice)).toMatch(/^batches are computed in 4 parts side by side, in 0\.(79|80|81) of the time/);
  });

  it('is 1 where no division wins, or wins by less than the noise of the runs', async () => {
    for (const times of [
      { 1: [100], 2: [100] },
      { 1: [100], 2: [120] },
      { 1: [100], 2: [98.5] },
      { 1: [100, 100, 100], 2: [60, 130, 70, 140] },
    ]) {
      const choice = await choose(times);
      expect(choice).toEqual({ parts: 1, ratio: 1, isBusy: false });
      expect(choiceText(choice)).toBeUndefined();
    }
  });

  it('is 1 while other programs use the processor', async () => {
    const choice = await choose({ 1: [100], 2: [50] }, () => 0.3);
    expect(choice).toEqual({ parts: 1, ratio: 1, isBusy: true });
    expect(choiceText(choice)).toContain('other programs use the processor');
  });

  it('does not count the first run of each, in which memory is allocated', async () => {
    const first = { 1: [1, 100, 100, 100, 100, 100, 100], 2: [900, 80, 80, 80, 80, 80, 80] };
    expect(await choose(first)).toMatchObject({ parts: 2 });
  });

  it('is the same in all processes, by their mean', async () => {
    const group = makeSharedGroup(2, 1024);
    const times = [
      { 1: [100], 2: [70], 4: [80] },
      { 1: [100], 2: [95], 4: [75] },
    ];
    const choices = await Promise.all(
      times.map((own, rank) => chooseParts([2, 4], machine(own), new ThreadCommunicator(rank, group), idle)),
    );
    expect(choices[0]).toEqual(choices[1]);
    expect(choices[0]).toMatchObject({ parts: 4 });
  });
});

describe('numbers of parts that are compared', () => {
  it('are powers of two up to the threads and images of every process', async () => {
    expect(await candidateParts(2, 8, singleProcess)).toEqual([2]);
    expect(await candidateParts(16, 5, singleProcess)).toEqual([2, 4]);
    expect(await candidateParts(1, 8, singleProcess)).toEqual([]);
    const group = makeSharedGroup(2, 1024);
    const found = await Promise.all(
      [8, 3].map((threads, rank) => candidateParts(threads, 8, new ThreadCommunicator(rank, group))),
    );
    expect(found).toEqual([[2], [2]]);
  });
});
