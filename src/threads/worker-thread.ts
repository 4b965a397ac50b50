import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** Not a literal at its use: bundlers would look for the development dependency. */
const TSX = ['tsx', 'package.json'].join('/');

/**
 * Starts a worker thread with the module `name`, relative to `parentUrl` and without extension (`./dataset-worker`).
 *
 * Run from TypeScript sources (tests, benchmarks), the thread first registers tsx: in Node 20, worker threads inherit
 * neither the parent's loader nor `execArgv: ['--import', 'tsx']`.
 */
export const startWorker = (parentUrl: string, name: string, options: WorkerOptions = {}): Worker => {
  if (!parentUrl.endsWith('.ts')) return new Worker(new URL(`${name}.js`, parentUrl), options);
  const tsx = pathToFileURL(createRequire(parentUrl).resolve(TSX));
  const loader = JSON.stringify(new URL('dist/esm/api/index.mjs', tsx).href);
  const module = JSON.stringify(new URL(`${name}.ts`, parentUrl).href);
  const source = `import(${loader}).then(({ register }) => { register(); return import(${module}); })`;
  return new Worker(source, { ...options, eval: true });
};
