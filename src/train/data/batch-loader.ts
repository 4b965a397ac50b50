import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { restoredError } from '../../threads/thread-failure.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import { BatchMaker, type BatchMakerSettings, type BatchRequest, type MadeBatch } from './batch-maker.ts';
import type { LoaderReply, LoaderRequest } from './loader-worker.ts';

/** Batches that a worker may be ahead of the step, the one that it works on among them. */
const aheadPerWorker = 2;

/** Official is 5; more than half the cores would take from the step what they give. */
export const defaultWorkers = (): number => Math.min(5, Math.max(1, Math.floor(availableParallelism() / 2)));

/**
 * Makes batches ahead of the step, on worker threads, and hands them out in the order of their requests: what comes out
 * does not depend on the number of workers. Without workers batches are made when they are asked for.
 */
export class BatchLoader {
  private readonly workers: Worker[] = [];
  private readonly waiting = new Map<
    number,
    { resolve: (made: MadeBatch) => void; reject: (error: unknown) => void }
  >();
  private maker: Promise<BatchMaker> | undefined;
  private tickets = 0;

  constructor(
    private readonly settings: BatchMakerSettings,
    workers: number = defaultWorkers(),
  ) {
    for (let k = 0; k < workers; k++) {
      const worker = startWorker(import.meta.url, './loader-worker', { workerData: settings });
      worker.on('message', (reply: LoaderReply) => this.receive(reply));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', (code) => this.fail(new Error(`internal: a data thread ended with code ${code}`)));
      this.workers.push(worker);
    }
  }

  /** The batches of these requests, in order. Stopping early leaves nothing behind but work that nobody collects. */
  async *batches(requests: Iterable<BatchRequest>): AsyncGenerator<MadeBatch> {
    const pending: Promise<MadeBatch>[] = [];
    const source = requests[Symbol.iterator]();
    const depth = Math.max(1, this.workers.length * aheadPerWorker);
    for (;;) {
      while (pending.length < depth) {
        const next = source.next();
        if (next.done === true) break;
        const made = this.make(next.value);
        // Failures are told when it is the batch's turn.
        made.catch(() => undefined);
        pending.push(made);
        if (this.workers.length === 0) break;
      }
      const first = pending.shift();
      if (first === undefined) return;
      yield await first;
    }
  }

  async close(): Promise<void> {
    for (const worker of this.workers) worker.removeAllListeners('exit');
    await Promise.all(this.workers.map((worker) => worker.terminate()));
    if (this.maker !== undefined) (await this.maker).close();
  }

  private async make(request: BatchRequest): Promise<MadeBatch> {
    const requestId = this.tickets++;
    const worker = this.workers[requestId % this.workers.length];
    if (worker === undefined) return (await (this.maker ??= BatchMaker.open(this.settings))).make(request);
    return new Promise((resolve, reject) => {
      this.waiting.set(requestId, { resolve, reject });
      worker.postMessage({ requestId, ...request } satisfies LoaderRequest);
    });
  }

  private receive(reply: LoaderReply): void {
    const { ticket: requestId } = reply;
    const waiting = this.waiting.get(requestId);
    this.waiting.delete(requestId);
    if ('made' in reply) waiting?.resolve(reply.made);
    else waiting?.reject(restoredError(reply.failure));
  }

  private fail(error: unknown): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
