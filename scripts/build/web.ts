/** Bundles the browser's part of the package into `dist/web/`, and the page into `dist/page/`. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Small files of the embedded model by name; its weights are a file of their own. */
const defaultModelFiles = (): Record<string, string> => {
  const folder = join(root, 'models/default');
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
};

/** Options of both bundles. */
const browserBundle = () =>
  ({
    bundle: true,
    // A page does not load what only runs without a worker.
    splitting: true,
    chunkNames: 'shared-[hash]',
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { DEFAULT_MODEL_FILES: JSON.stringify(defaultModelFiles()) },
  }) as const satisfies BuildOptions;

/** The import of ONNX Runtime by a URL that is known at run time, as the minifier writes it. */
const RUNTIME_IMPORT = /import\((\w+\.module)\)/;

/**
 * Writes `dist/web/mdetr.js` (the entry), `worker.js` (the Web Worker) and the modules that they share. Names in
 * `new URL(…, import.meta.url)` stay as they are, for the bundler of the page.
 *
 * @returns the written files with their code
 */
export const buildWeb = async (outdir = join(root, 'dist/web')): Promise<ReadonlyMap<string, string>> => {
  const { outputFiles } = await build({
    entryPoints: { mdetr: join(root, 'src/web/index.ts'), worker: join(root, 'src/web/worker.ts') },
    outdir,
    write: false,
    ...browserBundle(),
  });
  const files = new Map(outputFiles.map(({ path, text }) => [path, leaveRuntimeImport(text)]));
  if (![...files.values()].some((code) => code.includes('webpackIgnore')))
    throw new Error('the import of ONNX Runtime was not found in the bundle');
  mkdirSync(outdir, { recursive: true });
  for (const name of readdirSync(outdir)) if (name.endsWith('.js')) rmSync(join(outdir, name));
  for (const [path, code] of files) writeFileSync(path, code);
  writeFileSync(join(outdir, 'needs-node.js'), NEEDS_NODE);
  return files;
};

/** Images that the page offers as examples, below `examples/`. */
const EXAMPLE_IMAGES = ['scene.png', 'scenes/scene1.png', 'scenes/scene3.png', 'coffee.jpg'];

/** Writes the page to `dist/page/`: static files, which load the rest of the package by relative addresses. */
export const buildPage = async (outdir = join(root, 'dist/page')): Promise<void> => {
  const source = join(root, 'src/page');
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: { page: join(source, 'main.ts') },
    outdir,
    ...browserBundle(),
  });
  for (const name of ['index.html', 'style.css', 'icon.svg']) copyFileSync(join(source, name), join(outdir, name));
  mkdirSync(join(outdir, 'images'), { recursive: true });
  for (const name of EXAMPLE_IMAGES) copyFileSync(join(root, 'examples', name), join(outdir, 'images', basename(name)));
};

/** Puts back the comments by which bundlers leave an import alone; the minifier drops them. */
const leaveRuntimeImport = (code: string): string =>
  code.replace(RUNTIME_IMPORT, 'import(/* @vite-ignore */ /* webpackIgnore: true */ $1)');

/** Module that `exports` gives to browsers in place of an entry for Node: no bundler can resolve what it imports. */
const NEEDS_NODE = `export * from 'This entry of mdetr needs Node.js: in a browser, import "mdetr/web"';\n`;
