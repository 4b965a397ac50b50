import { performance } from 'node:perf_hooks';

/** Time in milliseconds for which a batch of a small network runs at most. */
const SMALL_NETWORK_MS = 250;
/** Number of batches of a small network that run at once. */
export const MAX_RUNNING = 3;

/**
 * Batches in the network, whose results are taken in their order. The next batch of a small network starts while one runs,
 * since resizing its images and writing results would otherwise take as long as the network, which waits in that time. A
 * large network runs one batch at a time: it waits for nothing, and a second batch would double its memory.
 */
export class RunningBatches<R> {
  private readonly running: { readonly results: Promise<readonly R[]>; readonly startedMs: number }[] = [];
  private lastMs = Infinity;

  /**
   * @param take uses the results of a batch; called for one batch after another
   * @param atOnce number of batches of a small network that run at once
   */
  constructor(
    private readonly take: (results: readonly R[], signal: AbortSignal) => Promise<void>,
    private readonly atOnce = MAX_RUNNING,
  ) {}

  /** Starts a batch of a number of images, and takes the results of earlier ones if too many are running. */
  async add(count: number, start: () => Promise<readonly R[]>, signal: AbortSignal): Promise<void> {
    if (count === 0) return;
    const results = start();
    // A failure is reported when its results are taken.
    results.catch(() => undefined);
    this.running.push({ results, startedMs: performance.now() });
    const limit = this.lastMs < SMALL_NETWORK_MS ? this.atOnce : 1;
    while (this.running.length >= limit) await this.takeFirst(signal);
  }

  /** Takes the results of all batches. */
  async finish(signal: AbortSignal): Promise<void> {
    while (this.running.length > 0) await this.takeFirst(signal);
  }

  /** Waits until nothing runs, without taking results. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.running.map(({ results }) => results));
  }

  private async takeFirst(signal: AbortSignal): Promise<void> {
    const { results, startedMs } = this.running[0]!;
    const found = await results;
    this.lastMs = performance.now() - startedMs;
    this.running.shift();
    await this.take(found, signal);
  }
}
