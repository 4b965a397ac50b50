/**
 * Bundles the command line in place: all commands as `dist/cli/full.js` and the modules that they share, and those that look at
 * images once more as `short.js`, with fewer modules since fewer commands share them. `main.js` loads one or the other. A process
 * then reads a few files instead of 400, which is most of the time that a small call takes.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { SHORT_COMMANDS } from '../../src/cli/start/frugal-start.ts';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Loads the bundle that has the called command. */
const LAUNCHER = `#!/usr/bin/env node
const command = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
// The query goes along: with another one, the program runs again in the same process.
await import((${JSON.stringify(SHORT_COMMANDS)}.includes(command) ? './short.js' : './full.js') + new URL(import.meta.url).search);
`;

/**
 * Bundles `main.js` in `folder`, which has the layout of the compiled sources.
 *
 * @returns names of the written files
 */
export const bundleCommandLine = async (folder = dist): Promise<readonly string[]> => {
  const outdir = join(folder, 'cli');
  const main = join(outdir, 'main.js');
  const plugins = [keepPackages(outdir), keepModuleUrls(outdir)];
  const options = {
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Names stay readable in stack traces.
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  } as const satisfies BuildOptions;
  const { metafile: short } = await build({
    ...options,
    entryPoints: { short: main },
    splitting: true,
    chunkNames: 'short-[hash]',
    plugins: [leaveOutOtherCommands, ...plugins],
  });
  const { metafile: full } = await build({
    ...options,
    entryPoints: { full: main },
    splitting: true,
    chunkNames: 'shared-[hash]',
    plugins,
  });
  const written = [short, full].flatMap(({ outputs }) => Object.keys(outputs)).map((path) => basename(path));
  writeFileSync(main, LAUNCHER);
  written.push(basename(main));
  // Nothing else imports the command line's own modules.
  for (const name of readdirSync(outdir))
    if (!written.includes(name)) rmSync(join(outdir, name), { recursive: true, force: true });
  return written;
};

/** Leaves the commands out that are not in the short bundle, where nothing calls them. */
const leaveOutOtherCommands: Plugin = {
  name: 'leave-out-other-commands',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/(commands\/[^/]+|completion)\.js$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && !SHORT_COMMANDS.includes(basename(path, '.js'))
        ? { path, namespace: 'left-out' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents: `throw new Error('internal: ${path} is not in the bundle of short commands');`,
    }));
  },
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
