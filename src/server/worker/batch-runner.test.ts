import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import type { InferenceCore } from '../../inference/core.ts';
import { BatchRunner } from './batch-runner.ts';
import { sharedClockMs } from './clock.ts';
import type { WorkerRequest, WorkReport } from './messages.ts';

const request = (imageDigest: string): WorkerRequest => ({
  task: 'detect',
  model: 'default',
  texts: ['a cube'],
  options: {},
  image: new Uint8Array(1),
  imageDigest,
  imageName: 'a.png',
});

describe('a request that waited longer than its limit', () => {
  it('is given up before its batch, unless it waited for no other or has no limit', async () => {
    let release!: () => void;
    const isFirstOver = new Promise<void>((resolve) => (release = resolve));
    const reports: WorkReport[] = [];
    // Every batch fails, so that a request that ran is told from one that did not.
    const core = {
      source: { config: {}, tokenizer: { encode: () => [] } },
      prepare: () => Promise.resolve({ resized: { width: 1, height: 1 } }),
      encodePrepared: async () => {
        await isFirstOver;
        throw new MdetrError('it ran');
      },
    } as unknown as InferenceCore;
    const limits = { batchSize: 1, maxPixels: 1e6, imageCacheBytes: 0 };
    const runner = new BatchRunner(new Map([['default', core]]), limits, (report) => reports.push(report));
    const acceptedMs = sharedClockMs() - 60_000;
    const all = runner.accept(1, request('first'), { acceptedMs, maxWaitMs: 1000 });
    // Until the batch of the first one runs.
    await new Promise((resolve) => setImmediate(resolve));
    await runner.accept(2, request('late'), { acceptedMs, maxWaitMs: 1000 });
    await runner.accept(3, request('retried'), { acceptedMs, maxWaitMs: Infinity });
    await runner.accept(4, request('in time'), { acceptedMs, maxWaitMs: 3_600_000 });
    release();
    await all;
    expect(reports.map((report) => [report.kind, 'id' in report && report.id])).toEqual([
      ['failed', 1],
      ['expired', 2],
      ['failed', 3],
      ['failed', 4],
    ]);
    expect(reports).toContainEqual({ kind: 'expired', id: 2, waitMs: expect.any(Number) as number });
    const [, expired] = reports;
    expect(expired?.kind === 'expired' && expired.waitMs).toBeGreaterThan(59_000);
  });
});

describe('a request without the bytes of its image', () => {
  /** A runner with an empty cache, whose network fails with the first byte of the image that it gets. */
  const emptyRunner = () => {
    const reports: WorkReport[] = [];
    const core = {
      source: { config: {}, tokenizer: { encode: () => [] } },
      prepare: ({ image }: { image: Uint8Array }) => Promise.reject(new MdetrError(`byte ${image.join()}`)),
    } as unknown as InferenceCore;
    const limits = { batchSize: 1, maxPixels: 1e6, imageCacheBytes: 1e6 };
    return { reports, runner: new BatchRunner(new Map([['default', core]]), limits, (report) => reports.push(report)) };
  };
  const noBytes = { ...request('dropped'), image: undefined };
  const limit = { acceptedMs: 0, maxWaitMs: Infinity };

  it('asks for them when the features were dropped, and uses what it gets', async () => {
    const { reports, runner } = emptyRunner();
    const accepted = runner.accept(7, noBytes, limit);
    expect(reports).toEqual([{ kind: 'missing-image', id: 7 }]);
    runner.provide(7, Uint8Array.of(42));
    await accepted;
    expect(reports[1]).toEqual({ kind: 'failed', id: 7, problem: 'invalid-image', detail: 'byte 42' });
  });

  it('is forgotten when it is canceled meanwhile', () => {
    const { reports, runner } = emptyRunner();
    void runner.accept(7, noBytes, limit);
    runner.cancel(7);
    runner.provide(7, Uint8Array.of(42));
    expect(reports).toEqual([{ kind: 'missing-image', id: 7 }]);
  });
});
