import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import { cacheFolder } from '../../files/cache-folder.ts';
import { withDigest, withoutDigest } from '../../files/file-digest.ts';
import { makeFolderSync } from '../../files/make-folder.ts';
import { temporaryPath } from '../../files/temporary-path.ts';

/** Folder of compiled code in the cache folder. */
export const CODE_FOLDER = 'code';

/** Age at which compiled code is removed; it is compiled again when it is missed. */
const REMOVED_AFTER_MS = 30 * 24 * 3_600_000;

/** Beginning and end of a bundle's file: the function that evaluates it. Added at the start, they would need a copy of the whole code. */
export const BUNDLE_WRAPPER = ['(function(require,module,MDETR_BUNDLE_URL,MDETR_IMPORT){', '\n})'] as const;

/** A bundle in CommonJS format, in ASCII, within {@link BUNDLE_WRAPPER}, whose compiled code is kept. */
export interface CachedBundle {
  /** Path of the bundle. */
  readonly path: string;
  /** Name of the file of compiled code; other contents of the bundle must have another one. */
  readonly name: string;
}

/** Evaluates a bundle: parameters of the function that its code is wrapped in. */
type Wrapper = (
  require: NodeJS.Require,
  module: { exports: unknown },
  bundleUrl: string,
  importModule: (specifier: string) => Promise<unknown>,
) => void;

/** A bundle that was evaluated. */
export interface EvaluatedBundle {
  readonly exports: unknown;
  /** Whether V8 took the compiled code of an earlier process. */
  readonly isCached: boolean;
  /** Stores the code that has been compiled so far, for later processes. Without a folder that can be written nothing happens. */
  readonly store: () => void;
}

/**
 * Evaluates a bundle with the code that an earlier process compiled: otherwise compiling it takes a third of the time of a short
 * call. The bundle has `MDETR_BUNDLE_URL` and `MDETR_IMPORT()` for `import.meta.url` and `import()`, which CommonJS code lacks here.
 * Code of another version of V8, or compiled with other flags, is ignored.
 *
 * @param folder folder of the compiled code
 */
export const evaluateBundle = (
  { path, name }: CachedBundle,
  folder: string = join(cacheFolder(), CODE_FOLDER),
): EvaluatedBundle => {
  const file = join(folder, name);
  const cachedData = readCode(file);
  const script = new vm.Script(readFileSync(path, 'latin1'), { filename: path, cachedData });
  const module: { exports: unknown } = { exports: {} };
  (script.runInThisContext() as Wrapper)(createRequire(path), module, pathToFileURL(path).href, importModule);
  return {
    exports: module.exports,
    isCached: cachedData !== undefined && script.cachedDataRejected === false,
    store: () => writeCode(file, script.createCachedData()),
  };
};

/** `import()` for code in a script, which has none of its own without experimental settings of Node. */
const importModule = (specifier: string): Promise<unknown> => import(specifier);

/** Reads compiled code. Code that this user has not written, or that others may change, is not run. */
const readCode = (file: string): Buffer | undefined => {
  try {
    const { uid, mode } = statSync(file);
    if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined;
    return withoutDigest(readFileSync(file)); // V8 checks the size of compiled code, and not its contents.
  } catch {
    return undefined;
  }
};

const writeCode = (file: string, code: Buffer): void => {
  const temporary = temporaryPath(file);
  try {
    makeFolderSync(dirname(file));
    writeFileSync(temporary, withDigest(code), { mode: 0o600 });
    renameSync(temporary, file);
    removeOld(dirname(file));
  } catch {
    // Compiled again at the next start. The folder may be no folder.
    if (existsSync(temporary)) rmSync(temporary);
  }
};

/** Removes the code of other versions that has not been written lately. */
const removeOld = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > REMOVED_AFTER_MS) rmSync(path, { force: true });
  }
};
