import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Not a literal at its use: bundlers would look for the development dependency. */
const TSX = ['tsx', 'package.json'].join('/');

/** `src/`, or `dist/` in the built package. */
const SOURCES = new URL('..', import.meta.url).href;

/** Module that a worker thread or process runs. */
export interface WorkerModule {
  readonly url: URL;
  /** Whether Node needs tsx to load it. */
  readonly isTypeScript: boolean;
}

/**
 * Finds the module `name`, relative to `parentUrl` and without extension (`./dataset-worker`).
 *
 * Run from TypeScript sources (tests, benchmarks), it is the source file, unless `MDETR_COMPILED` names the folder of an
 * up-to-date build: compiled modules start in a third of the time. The test runner sets it.
 */
export const workerModule = (parentUrl: string, name: string): WorkerModule => {
  if (!parentUrl.endsWith('.ts')) return { url: new URL(`${name}.js`, parentUrl), isTypeScript: false };
  const compiled = process.env['MDETR_COMPILED'];
  if (compiled === undefined || !parentUrl.startsWith(SOURCES))
    return { url: new URL(`${name}.ts`, parentUrl), isTypeScript: true };
  const inSources = new URL(`${name}.js`, parentUrl).href.slice(SOURCES.length);
  return { url: new URL(inSources, pathToFileURL(`${compiled}/`)), isTypeScript: false };
};

/** A file of the installed tsx, as URL. */
export const tsxFile = (parentUrl: string, path: string): string => {
  const tsx = pathToFileURL(createRequire(parentUrl).resolve(TSX));
  return new URL(path, tsx).href;
};

/** Path of a worker's module with the options with which `child_process.fork` loads it. */
export const forkArguments = (
  parentUrl: string,
  name: string,
): { readonly path: string; readonly execArgv: readonly string[] } => {
  const { url, isTypeScript } = workerModule(parentUrl, name);
  return {
    path: fileURLToPath(url),
    execArgv: isTypeScript ? ['--import', tsxFile(parentUrl, 'dist/loader.mjs')] : [],
  };
};
