import { expect, it, vi } from 'vitest';
import { unlessAborted } from './unless-aborted.ts';

it('gives the result of the work, or the reason of the signal as soon as it is aborted', async () => {
  const stop = new AbortController();
  await expect(unlessAborted(stop.signal, () => Promise.resolve(7))).resolves.toBe(7);
  await expect(unlessAborted(stop.signal, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  let fail!: (error: Error) => void;
  const endless = unlessAborted(stop.signal, () => new Promise<never>((_, reject) => (fail = reject)));
  stop.abort(new Error('stopped'));
  await expect(endless).rejects.toThrow('stopped');
  // Nobody waits for it any more: an error of the work must not end the process.
  fail(new Error('later'));
  const work = vi.fn(() => Promise.resolve(1));
  await expect(unlessAborted(stop.signal, work)).rejects.toThrow('stopped');
  expect(work).not.toHaveBeenCalled();
});
