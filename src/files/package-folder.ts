import { existsSync, readFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MdetrError } from '../errors.ts';

/** Address of this module; undefined inside a bundle in CommonJS format. */
const moduleUrl = import.meta.url as string | undefined;

/**
 * Loads dependencies and their files, also from inside a bundle: from the bundle's folder, or the
 * working folder. Made by the default import, because webpack replaces the function `createRequire`.
 */
export const packageRequire: NodeJS.Require = Module.createRequire(moduleUrl ?? join(process.cwd(), 'index.js'));

const isPackage = (folder: string): boolean => {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }).name === 'mdetr';
  } catch {
    return false;
  }
};

/** Folders that may hold `path`, most likely first. */
const candidates = function* (path: string): Generator<string> {
  const here = moduleUrl === undefined ? undefined : dirname(fileURLToPath(moduleUrl));
  if (here !== undefined && isPackage(join(here, '../..'))) yield join(here, '../..');
  // Bundled: the package may be installed beside the bundle, or its files copied there.
  for (const from of [packageRequire, Module.createRequire(join(process.cwd(), 'index.js'))]) {
    try {
      yield dirname(from.resolve('mdetr/package.json'));
    } catch {
      // Not installed there.
    }
  }
  for (const folder of [here, process.argv[1] === undefined ? undefined : dirname(process.argv[1])])
    if (folder !== undefined && existsSync(join(folder, path))) yield folder;
};

/**
 * Path of a file or folder that the package ships, such as `models/default`. From inside a bundle it is looked for in an
 * installed `mdetr`, then beside the bundle.
 *
 * @returns undefined if there is none
 */
export const findPackageFile = (path: string): string | undefined => {
  for (const folder of candidates(path)) if (existsSync(join(folder, path))) return join(folder, path);
  return undefined;
};

/** Like {@link findPackageFile}. @throws {MdetrError} saying how a bundle gets the file */
export const requirePackageFile = (path: string): string => {
  const found = findPackageFile(path);
  if (found === undefined)
    throw new MdetrError(
      `${path} of the package mdetr cannot be found from this bundle: exclude mdetr from bundling ` +
        `(esbuild --external:mdetr, webpack externals, Next.js serverExternalPackages), or copy node_modules/mdetr/${path} to ${path} beside the bundle`,
    );
  return found;
};

let version: string | undefined;

/** Version of this package. */
export const packageVersion = (): string =>
  (version ??= (JSON.parse(readFileSync(requirePackageFile('package.json'), 'utf8')) as { version: string }).version);
