/**
 * Bundles the command line in place: `dist/cli/main.js` and the modules that its commands share. A process then reads a few
 * files instead of 400, which is most of the time that a small call takes.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/**
 * Bundles `main.js` in `folder`, which has the layout of the compiled sources.
 *
 * @returns names of the written files
 */
export const bundleCommandLine = async (folder = dist): Promise<readonly string[]> => {
  const outdir = join(folder, 'cli');
  const { metafile } = await build({
    entryPoints: [join(outdir, 'main.js')],
    outdir,
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Names stay readable in stack traces.
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    plugins: [keepPackages(outdir), keepModuleUrls(outdir)],
  });
  const written = Object.keys(metafile.outputs).map((path) => basename(path));
  // Nothing else imports the command line's own modules.
  for (const name of readdirSync(outdir))
    if (!written.includes(name)) rmSync(join(outdir, name), { recursive: true, force: true });
  return written;
};

/** Leaves imports of packages as they are: those that are installed, and those in `dist/bundled/`. */
const keepPackages = (outdir: string): Plugin => ({
  name: 'keep-packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path, external: true },
    );
    onResolve({ filter: /^\.{1,2}\/(.*\/)?bundled\// }, ({ path, resolveDir }) => ({
      path: relative(outdir, join(resolveDir, path)).replaceAll('\\', '/'),
      external: true,
    }));
  },
});

/** Lets `import.meta.url` name the file that it is written in: workers and files of the package are found beside that. */
const keepModuleUrls = (outdir: string): Plugin => ({
  name: 'keep-module-urls',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
      if (path.includes('node_modules')) return undefined;
      const code = readFileSync(path, 'utf8');
      if (!code.includes('import.meta.url')) return undefined;
      const own = JSON.stringify(relative(outdir, path).replaceAll('\\', '/'));
      return {
        contents: code.replaceAll('import.meta.url', `new URL(${own}, import.meta.url).href`),
        resolveDir: dirname(path),
      };
    });
  },
});
