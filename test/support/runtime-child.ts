/** Runs a small program with the runtime of MDETR_RUNTIME, on a worker thread with `THREAD=worker`. Prints "done". */
import { isMainThread } from 'node:worker_threads';
import { createRuntime } from '../../src/engine/runtime/create-runtime.ts';
import { input, makeProgram } from '../../src/engine/graph/index.ts';
import { add } from '../../src/engine/ops/index.ts';
import { startWorker } from '../../src/threads/worker-thread.ts';

const run = async (): Promise<void> => {
  const runtime = await createRuntime({ threads: 1 });
  const x = input('x', [4]);
  const session = await runtime.load(makeProgram('sum', { y: add(x, x) }));
  await session.run({ x: { dtype: 'float32', shape: [4], data: new Float32Array(4) } });
  await session.dispose();
  process.stdout.write('done\n');
};

const fail = (error: unknown): void => {
  process.stdout.write(`${String(error)}\n`);
  process.exitCode = 1;
};

if (process.env['THREAD'] === 'worker' && isMainThread)
  startWorker(import.meta.url, './runtime-child').on('error', fail);
else run().catch(fail);
