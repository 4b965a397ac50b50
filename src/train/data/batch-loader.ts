import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { restoredError } from '../../threads/thread-failure.ts';
import { startWorker } from '../../threads/worker-thread.ts';
import { BatchMaker, type BatchMakerSettings, type BatchRequest, type MadeBatch } from './batch-maker.ts';
import type { LoaderReply, LoaderRequest } from './loader-worker.ts';

/** Batches that are requested from each worker at a time. */
const REQUESTS_PER_WORKER = 2;

/** Default number of workers: 5 as in the official code, at most half the cores, so that the step keeps the others. */
export const defaultWorkers = (): number => Math.min(5, Math.max(1, Math.floor(availableParallelism() / 2)));

/**
 * Makes batches on worker threads, ahead of the step, and yields them in the order of their requests: the result does not
 * depend on the number of workers. Without workers a batch is made when it is requested.
 */
export class BatchLoader {
  private readonly workers: Worker[] = [];
  private readonly waiting = new Map<
    number,
    { resolve: (made: MadeBatch) => void; reject: (error: unknown) => void }
  >();
  private maker: Promise<BatchMaker> | undefined;
  private nextRequestId = 0;

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

  /** Yields the batches of the requests in order. A consumer may stop early; batches in the making are dropped. */
  async *batches(requests: Iterable<BatchRequest>): AsyncGenerator<MadeBatch> {
    const pending: Promise<MadeBatch>[] = [];
    const source = requests[Symbol.iterator]();
    const depth = Math.max(1, this.workers.length * REQUESTS_PER_WORKER);
    for (;;) {
      while (pending.length < depth) {
        const next = source.next();
        if (next.done === true) break;
        const made = this.make(next.value);
        // A failure is thrown when it is the batch's turn.
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
    const requestId = this.nextRequestId++;
    const worker = this.workers[requestId % this.workers.length];
    if (worker === undefined) return (await (this.maker ??= BatchMaker.open(this.settings))).make(request);
    return new Promise((resolve, reject) => {
      this.waiting.set(requestId, { resolve, reject });
      worker.postMessage({ requestId, ...request } satisfies LoaderRequest);
    });
  }

  private receive(reply: LoaderReply): void {
    const { requestId } = reply;
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
