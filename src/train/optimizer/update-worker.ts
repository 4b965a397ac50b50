import { parentPort } from 'node:worker_threads';
import { adoptMemory } from '../../threads/shared-memory.ts';
import { runTask, type PoolMessage } from './update-chunk.ts';

/** Buffers by index. Each is sent once; they are mostly the same in every step. */
const buffers = new Map<number, SharedArrayBuffer>();

if (parentPort !== null) {
  const port = parentPort;
  port.on('message', ({ added, task }: PoolMessage) => {
    for (const [id, memory] of added)
      buffers.set(id, memory instanceof SharedArrayBuffer ? memory : adoptMemory(memory));
    runTask(buffers.get(task)!, (id) => buffers.get(id)!);
    port.postMessage('done');
  });
}
