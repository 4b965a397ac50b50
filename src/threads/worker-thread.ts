import { Worker, type WorkerOptions } from 'node:worker_threads';
import { tsxFile, workerModule } from './worker-module.ts';

/** A thread inherits `--input-type` of `node --input-type=module -e …`, with which Node runs no files. */
const WITHOUT_INPUT_TYPE: WorkerOptions = process.execArgv.some((argument) => argument.startsWith('--input-type'))
  ? { execArgv: [] }
  : {};

/**
 * Starts a worker thread with the module `name`, relative to `parentUrl` and without extension (`./dataset-worker`).
 *
 * A thread that runs a TypeScript source first registers tsx: in Node 20, worker threads inherit neither the parent's
 * loader nor `execArgv: ['--import', 'tsx']`.
 */
export const startWorker = (parentUrl: string, name: string, options: WorkerOptions = {}): Worker => {
  const { url, isTypeScript } = workerModule(parentUrl, name);
  if (!isTypeScript) return new Worker(url, { ...WITHOUT_INPUT_TYPE, ...options });
  const loader = JSON.stringify(tsxFile(parentUrl, 'dist/esm/api/index.mjs'));
  const source = `import(${loader}).then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); })`;
  return new Worker(source, { ...options, eval: true });
};
