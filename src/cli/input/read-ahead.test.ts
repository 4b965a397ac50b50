import { expect, it } from 'vitest';
import { ReadAhead } from './read-ahead.ts';

it('reads a number of values ahead, and gives them in the order in which they were begun', async () => {
  const ends: ((value: number) => void)[] = [];
  let begun = 0;
  const ahead = new ReadAhead(() => {
    const own = begun++;
    return new Promise<number>((resolve) => (ends[own] = resolve));
  }, 2);
  ahead.fill();
  expect(begun).toBe(2);
  const first = ahead.next();
  expect(begun).toBe(3);
  ends[1]!(1);
  ends[0]!(0);
  expect(await first).toBe(0);
  expect(await ahead.next()).toBe(1);
  expect(begun).toBe(4);
});

it('reports a failure with the value that it belongs to', async () => {
  let begun = 0;
  const ahead = new ReadAhead(() => (begun++ === 1 ? Promise.reject(new Error('broken')) : Promise.resolve(begun)), 3);
  expect(await ahead.next()).toBe(1);
  await expect(ahead.next()).rejects.toThrow('broken');
  expect(await ahead.next()).toBe(3);
});
