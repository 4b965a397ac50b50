import { parentPort, workerData } from 'node:worker_threads';
import sharp from 'sharp';
import { messageOf, MdetrError } from '../../errors.ts';
import { makeDatasetItem, type DatasetItem } from './dataset-item.ts';
import type { DatasetSettings } from './dataset-settings.ts';

export interface WorkerStart {
  readonly folder: string;
  readonly settings: DatasetSettings;
}

/** Reply of a worker. Errors lose their class between threads, so `isUserError` tells whether it was an `MdetrError`. */
export type WorkerReply =
  { readonly item: DatasetItem } | { readonly failure: { readonly message: string; readonly isUserError: boolean } };

if (parentPort !== null) {
  const port = parentPort;
  const { folder, settings } = workerData as WorkerStart;
  sharp.concurrency(1);
  sharp.cache(false);
  let queue = Promise.resolve();
  port.on('message', (index: number) => {
    queue = queue.then(async () => {
      try {
        port.postMessage({ item: await makeDatasetItem(folder, settings, index) } satisfies WorkerReply);
      } catch (error) {
        const failure = { message: messageOf(error), isUserError: error instanceof MdetrError };
        port.postMessage({ failure } satisfies WorkerReply);
      }
    });
  });
}
