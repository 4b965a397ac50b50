/**
 * Bundles the command line in place: all commands as `dist/cli/full.js` and the modules that they share, and those that look at
 * images once more as `short.cjs`, one file in CommonJS format with the code of their dependencies, which is run from V8's code
 * cache. `main.js` starts one or the other. A process then reads a few files instead of 400, which is most of the time that a small
 * call takes.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { addLicenses } from './bundle-dependencies.ts';
import { BUNDLE_WRAPPER } from '../../src/cli/start/code-cache.ts';
import { SHORT_COMMANDS } from '../../src/cli/start/frugal-start.ts';

/** Largest code of a character in ASCII. */
const MAX_ASCII = 127;

/** Large bundled dependencies that most calls do not need: files of their own, beside the installed `undici`. */
const RARE_PACKAGES = ['opentype'];
const rareFile = (name: string): string => `short-${name}`;

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/**
 * Bundles `main.js` in `folder`, which has the layout of the compiled sources.
 *
 * @returns names of the written files
 */
export const bundleCommandLine = async (folder = dist): Promise<readonly string[]> => {
  const outdir = join(folder, 'cli');
  const main = join(outdir, 'main.js');
  const options = {
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    // Names stay readable in stack traces.
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  } as const satisfies BuildOptions;
  const { metafile: short } = await build({
    ...options,
    entryPoints: { short: main },
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    plugins: [leaveOutOtherCommands, bundleSharp, keepLazyPackages(outdir), keepModuleUrls(outdir, 'MDETR_BUNDLE_URL')],
  });
  const packageFiles = Object.keys(short.inputs).filter((path) => path.includes('node_modules/'));
  addLicenses(
    join(folder, 'bundled'),
    packageFiles.map((path) => resolve(path)),
  );
  const { metafile: rare } = await build({
    ...options,
    entryPoints: Object.fromEntries(
      RARE_PACKAGES.map((name) => [rareFile(name), join(folder, 'bundled', `${name}.js`)]),
    ),
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
  });
  const { metafile: full } = await build({
    ...options,
    entryPoints: { full: main },
    format: 'esm',
    splitting: true,
    chunkNames: 'shared-[hash]',
    plugins: [keepPackages(outdir), keepModuleUrls(outdir, 'import.meta.url')],
  });
  const path = join(outdir, 'short.cjs');
  writeFileSync(path, BUNDLE_WRAPPER.join(readFileSync(path, 'utf8').replaceAll(/\bimport\(/g, 'MDETR_IMPORT(')));
  const code = readFileSync(path);
  // It is read as such, which is faster. The bundler escapes other characters but in regular expressions and raw strings.
  const other = code.findIndex((byte) => byte > MAX_ASCII);
  if (other >= 0)
    throw new Error(`the bundle is not ASCII: ${code.toString('utf8', Math.max(0, other - 40), other + 4)}`);
  const digest = createHash('sha256').update(code).digest('hex').slice(0, 16);
  const { metafile: launcher } = await build({
    ...options,
    entryPoints: { main: join(outdir, 'start/launch.js') },
    format: 'esm',
    allowOverwrite: true,
    define: { SHORT_BUNDLE_DIGEST: JSON.stringify(digest) },
  });
  const written = [short, rare, full, launcher]
    .flatMap(({ outputs }) => Object.keys(outputs))
    .map((path) => basename(path));
  // Nothing else imports the command line's own modules.
  for (const name of readdirSync(outdir))
    if (!written.includes(name)) rmSync(join(outdir, name), { recursive: true, force: true });
  return written;
};

/** Leaves imports of bundled and installed packages alone that the code of a call asks for when it needs them. */
const keepLazyPackages = (outdir: string): Plugin => ({
  name: 'keep-lazy-packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ kind, path }) =>
      (kind === 'dynamic-import' && !path.startsWith('node:')) || path === 'undici'
        ? { path, external: true }
        : undefined,
    );
    onResolve({ filter: /^\.{1,2}\/(.*\/)?bundled\// }, ({ path, resolveDir, kind }) => {
      if (kind === 'dynamic-import')
        return { path: relative(outdir, join(resolveDir, path)).replaceAll('\\', '/'), external: true };
      const name = basename(path, '.js');
      return RARE_PACKAGES.includes(name) ? { path: `./${rareFile(name)}.cjs`, external: true } : undefined;
    });
  },
});

const sharpFolder = dirname(dirname(createRequire(import.meta.url).resolve('sharp')));
const sharpVersion = (JSON.parse(readFileSync(join(sharpFolder, 'package.json'), 'utf8')) as { version: string })
  .version;

/** Folder of the sharp that is installed with the package, and its version. */
const INSTALLED_SHARP = `
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const entry = require.resolve('sharp');
exports.url = pathToFileURL(entry).href;
exports.version = JSON.parse(readFileSync(join(dirname(dirname(entry)), 'package.json'), 'utf8')).version;`;

/** The bundled code of sharp is run with the native library of the same version only. */
const BUNDLED_OR_INSTALLED_SHARP = `
module.exports = require('installed-sharp').version === ${JSON.stringify(sharpVersion)}
  ? require(${JSON.stringify(join(sharpFolder, 'dist/index.mjs'))}).default
  : module.require('sharp');`;

/**
 * Bundles the code of sharp, which consists of 60 files with its dependencies and takes ten times as long to load as its native
 * library. The library itself is found from the folder of the installed package.
 */
const bundleSharp: Plugin = {
  name: 'bundle-sharp',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(installed-)?sharp$/ }, ({ path, kind }) =>
      kind === 'require-resolve' ? { path, external: true } : { path, namespace: 'sharp' },
    );
    onLoad({ filter: /./, namespace: 'sharp' }, ({ path }) => ({
      contents: path === 'sharp' ? BUNDLED_OR_INSTALLED_SHARP : INSTALLED_SHARP,
      resolveDir: sharpFolder,
    }));
    onLoad({ filter: /[\\/]sharp[\\/]dist[\\/]\w+\.mjs$/ }, ({ path }) => {
      const code = readFileSync(path, 'utf8');
      if (!code.includes('import.meta.url')) return undefined;
      return {
        contents: `import { url as installedSharpUrl } from 'installed-sharp';${code.replaceAll('import.meta.url', 'installedSharpUrl')}`,
      };
    });
  },
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
const keepModuleUrls = (outdir: string, url: string): Plugin => ({
  name: 'keep-module-urls',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
      if (path.includes('node_modules')) return undefined;
      const code = readFileSync(path, 'utf8');
      if (!code.includes('import.meta.url')) return undefined;
      const own = JSON.stringify(relative(outdir, path).replaceAll('\\', '/'));
      return {
        contents: code.replaceAll('import.meta.url', `new URL(${own}, ${url}).href`),
        resolveDir: dirname(path),
      };
    });
  },
});
