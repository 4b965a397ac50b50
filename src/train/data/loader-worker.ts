import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';
import type { HostTensor } from '../../engine/graph/index.ts';
import { failureOf, type ThreadFailure } from '../../threads/thread-failure.ts';
import { BatchMaker, type BatchMakerSettings, type BatchRequest, type MadeBatch } from './batch-maker.ts';

/** A batch that a worker prepares. */
export interface LoaderRequest extends BatchRequest {
  readonly requestId: number;
}

/** A prepared batch, or the failure of preparing it. */
export type LoaderReply =
  | { readonly requestId: number; readonly made: MadeBatch }
  | { readonly requestId: number; readonly failure: ThreadFailure };

/** Buffers of a batch, which are transferred to the other thread instead of copied. */
const transferable = ({ batch }: MadeBatch): ArrayBuffer[] => {
  const arrays = [...Object.values<HostTensor>(batch.inputs), ...Object.values<HostTensor>(batch.targets.inputs)];
  return [...new Set(arrays.map(({ data }) => data.buffer as ArrayBuffer))];
};

if (parentPort !== null) {
  const port = parentPort;
  sharp.concurrency(1);
  sharp.cache(false);
  const maker = BatchMaker.open(workerData as BatchMakerSettings);
  // A failure to open is reported with the first batch.
  maker.catch(() => undefined);
  let queue = Promise.resolve();
  port.on('message', ({ requestId, ...request }: LoaderRequest) => {
    queue = queue.then(async () => {
      try {
        const made = await (await maker).make(request);
        port.postMessage({ requestId, made } satisfies LoaderReply, transferable(made));
      } catch (error) {
        port.postMessage({ requestId, failure: failureOf(error) } satisfies LoaderReply);
      }
    });
  });
}
