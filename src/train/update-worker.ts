import { parentPort } from 'node:worker_threads';
import { runShare, type CrewMessage } from './update-share.ts';

/** Buffers by number: they are sent once, and are much the same in every step. */
const buffers = new Map<number, SharedArrayBuffer>();

if (parentPort !== null) {
  const port = parentPort;
  port.on('message', ({ added, job }: CrewMessage) => {
    for (const [id, buffer] of added) buffers.set(id, buffer);
    runShare(job, (id) => buffers.get(id)!);
    port.postMessage('done');
  });
}
