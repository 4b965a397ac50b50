import { parentPort } from 'node:worker_threads';
import { adoptMemory } from '../../threads/shared-memory.ts';
import { runShare, type PoolMessage } from './update-chunk.ts';

/** Buffers by number: they are sent once, and are much the same in every step. */
const buffers = new Map<number, SharedArrayBuffer>();

if (parentPort !== null) {
  const port = parentPort;
  port.on('message', ({ added, job }: PoolMessage) => {
    for (const [id, memory] of added)
      buffers.set(id, memory instanceof SharedArrayBuffer ? memory : adoptMemory(memory));
    runShare(job, (id) => buffers.get(id)!);
    port.postMessage('done');
  });
}
