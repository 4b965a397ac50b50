import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the module `name` (without ending, as in './dataset-worker') that stands beside `parentUrl` on a thread.
 *
 * Built code needs nothing special. From TypeScript sources (tests, benchmarks) the thread first registers tsx: neither
 * the parent's loader nor `execArgv: ['--import', 'tsx']` reaches worker threads in Node 20.
 */
export const startWorker = (parentUrl: string, name: string, options: WorkerOptions = {}): Worker => {
  if (!parentUrl.endsWith('.ts')) return new Worker(new URL(`${name}.js`, parentUrl), options);
  const tsx = pathToFileURL(createRequire(parentUrl).resolve('tsx/package.json'));
  const loader = JSON.stringify(new URL('dist/esm/api/index.mjs', tsx).href);
  const module = JSON.stringify(new URL(`${name}.ts`, parentUrl).href);
  const source = `import(${loader}).then(({ register }) => { register(); return import(${module}); })`;
  return new Worker(source, { ...options, eval: true });
};
