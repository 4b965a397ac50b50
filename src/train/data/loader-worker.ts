import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';
import type { HostTensor } from '../../engine/graph/index.ts';
import { failureOf, type ThreadFailure } from '../../threads/thread-failure.ts';
import { BatchMaker, type BatchMakerSettings, type BatchRequest, type MadeBatch } from './batch-maker.ts';

export interface LoaderRequest extends BatchRequest {
  readonly requestId: number;
}

export type LoaderReply =
  { readonly ticket: number; readonly made: MadeBatch } | { readonly ticket: number; readonly failure: ThreadFailure };

/** The memory of a batch, which goes over to the other thread instead of being copied. */
const transferable = ({ batch }: MadeBatch): ArrayBuffer[] => {
  const arrays = [...Object.values<HostTensor>(batch.inputs), ...Object.values<HostTensor>(batch.targets.inputs)];
  return [...new Set(arrays.map(({ data }) => data.buffer as ArrayBuffer))];
};

if (parentPort !== null) {
  const port = parentPort;
  sharp.concurrency(1);
  sharp.cache(false);
  const maker = BatchMaker.open(workerData as BatchMakerSettings);
  // A failure to open is told with the first batch.
  maker.catch(() => undefined);
  let queue = Promise.resolve();
  port.on('message', ({ requestId, ...request }: LoaderRequest) => {
    queue = queue.then(async () => {
      try {
        const made = await (await maker).make(request);
        port.postMessage({ ticket: requestId, made } satisfies LoaderReply, transferable(made));
      } catch (error) {
        port.postMessage({ ticket: requestId, failure: failureOf(error) } satisfies LoaderReply);
      }
    });
  });
}
