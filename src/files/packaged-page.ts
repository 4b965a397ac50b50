import { readdirSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { findPackageFile } from './package-folder.ts';

/**
 * Folders of the package that make the page, by the folder in which the page expects them. The page loads its worker, ONNX
 * Runtime and the embedded models by addresses relative to itself.
 */
const FOLDERS: Readonly<Record<string, string>> = {
  '': 'dist/page',
  'dist/web': 'dist/web',
  'dist/ort': 'dist/ort',
  'models/default': 'models/default',
  'models/photos': 'models/photos',
};

/** Files in these folders that the page does not load: declarations, and what only Node runs. */
const isUnused = (name: string): boolean => /\.d\.ts$|^ort\.node\.|^ort-wasm-simd-threaded\.mjs$/.test(name);

/** Files of the page by their path in it, such as `index.html`; undefined where the package was built without it. */
export const packagedPage = (): ReadonlyMap<string, string> | undefined => {
  if (findPackageFile(join('dist/page', 'index.html')) === undefined) return undefined;
  const files = new Map<string, string>();
  for (const [prefix, packaged] of Object.entries(FOLDERS)) {
    const folder = findPackageFile(packaged);
    if (folder === undefined) return undefined;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      if (!isUnused(name) && statSync(path).isFile())
        files.set([...(prefix === '' ? [] : [prefix]), ...name.split(sep)].join('/'), path);
    }
  }
  return files;
};
