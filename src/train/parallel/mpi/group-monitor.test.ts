import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Communicator } from '../communicator.ts';
import { GroupEnded } from '../group-ended.ts';
import { GroupMonitor } from './group-monitor.ts';
import { linesOf } from './monitor-protocol.ts';

/** Communicators of several ranks on one thread. */
const communicators = (size: number): Communicator[] => {
  let waiting: { readonly values: Float32Array; readonly done: () => void }[] = [];
  const allReduce = (values: Float32Array): Promise<void> =>
    new Promise((resolve) => {
      waiting.push({ values, done: resolve });
      if (waiting.length < size) return;
      const all = waiting;
      waiting = [];
      const sums = values.map((_, i) => all.reduce((sum, each) => sum + each.values[i]!, 0));
      for (const each of all) {
        each.values.set(sums);
        each.done();
      }
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    packedLength: 1,
    allReduce,
    allReduceAll: () => Promise.reject(new Error('not used')),
    broadcast: () => Promise.reject(new Error('not used')),
    barrier: () => allReduce(new Float32Array(1)),
  }));
};

const errorOf = (monitor: GroupMonitor): unknown => {
  try {
    monitor.check();
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('GroupMonitor', () => {
  it('tells all processes of the failure of one, which the lowest reports', async () => {
    const group = communicators(3);
    const monitors = await Promise.all(group.map((communicator) => GroupMonitor.start(communicator)));
    expect(monitors.map(errorOf)).toEqual([undefined, undefined, undefined]);
    const own = await monitors[2]!.fail(new Error('the disk is full'));
    while (errorOf(monitors[0]!) === undefined || errorOf(monitors[1]!) === undefined) await setTimeout(5);
    const errors = [errorOf(monitors[0]!), errorOf(monitors[1]!), own].filter((error) => error instanceof GroupEnded);
    expect(errors).toHaveLength(3);
    for (const error of errors) {
      expect(error.message).toMatch(/^process 2 of 3 \(counted from 0\) on \S+ has failed: the disk is full$/);
    }
    expect(errors.map(({ isReported }) => isReported)).toEqual([false, true, true]);
    await Promise.all([monitors[0]!, monitors[1]!].map((monitor) => monitor.fail(new Error('follows'))));
  });

  it('ends in good order without a failure', async () => {
    const group = communicators(2);
    const monitors = await Promise.all(group.map((communicator) => GroupMonitor.start(communicator)));
    await Promise.all(monitors.map((monitor, rank) => monitor.leave(group[rank]!)));
    expect(monitors.map(errorOf)).toEqual([undefined, undefined]);
  });
});

describe('linesOf', () => {
  it('joins chunks and refuses endless lines', () => {
    const lines: string[] = [];
    const receive = linesOf((line) => lines.push(line));
    for (const chunk of ['a', 'b\nc', '\n\nd']) receive(chunk);
    expect(lines).toEqual(['ab', 'c', '']);
    expect(() => receive('x'.repeat(200_000))).toThrow(/too long/);
  });
});
