import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MAX_RUNNING, RunningBatches } from './running-batches.ts';

const { signal } = new AbortController();

describe('batches in the network', () => {
  it('are taken in their order, whichever ends first, and never run more than two at once', async () => {
    const taken: number[] = [];
    let [running, most] = [0, 0];
    const batches = new RunningBatches<number>(async (results) => {
      await delay(1);
      taken.push(...results);
    });
    for (let batch = 0; batch < 9; batch++) {
      const run = async (): Promise<number[]> => {
        most = Math.max(most, ++running);
        await delay(batch % 2 === 0 ? 4 : 0);
        running--;
        return [2 * batch, 2 * batch + 1];
      };
      await batches.add(2, run, signal);
    }
    await batches.add(0, () => Promise.reject(new Error('never started')), signal);
    await batches.finish(signal);
    expect(taken).toEqual(Array.from({ length: 18 }, (_, i) => i));
    expect(most).toBe(MAX_RUNNING);
  });

  it('report the first failure, after the results before it, and leave nothing unhandled', async () => {
    const taken: number[] = [];
    const batches = new RunningBatches<number>((results) => Promise.resolve(void taken.push(...results)));
    await batches.add(1, () => Promise.resolve([1]), signal);
    const add = async (): Promise<void> => {
      await batches.add(1, () => Promise.reject(new Error('first')), signal);
      await batches.add(1, () => Promise.reject(new Error('second')), signal);
      await batches.finish(signal);
    };
    await expect(add()).rejects.toThrow('first');
    await batches.settled();
    expect(taken).toEqual([1]);
  });
});
