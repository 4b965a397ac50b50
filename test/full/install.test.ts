import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, scene } from '../support/run-mdetr.ts';

/** Settings of this checkout's npm do not belong to the projects that are installed here. */
const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^ONNXRUNTIME_|^MDETR_|^NODE_OPTIONS$|^VITEST/i.test(name)),
);

const run = (folder: string, command: string, args: readonly string[], env = {}): SpawnSyncReturns<string> =>
  spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...environment, ...env },
    maxBuffer: 2 ** 26,
    shell: process.platform === 'win32',
  });

const hasRegistry = ((): boolean => {
  const answer = run(tmpdir(), 'npm', ['view', 'is-number', 'version']);
  if (answer.status !== 0) process.stderr.write('the npm registry cannot be reached: installation is not tested\n');
  return answer.status === 0;
})();

const megabytes = (folder: string, isCounted: (path: string) => boolean): number => {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (!isCounted(path) || entry.isSymbolicLink()) continue;
    bytes += entry.isDirectory() ? megabytes(path, isCounted) * 2 ** 20 : statSync(path).size;
  }
  return bytes / 2 ** 20;
};

const caption = 'a large green sphere and the small purple cylinder';
const detectArgs = ['detect', 'scene.png', '--caption', caption, '--json'];

describe.skipIf(!hasRegistry)('the packed package', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-install-'));
  const cache = join(folder, 'cache');
  let tarball = '';

  beforeAll(() => {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: projectRoot });
    tarball = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
    );
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  }, 300_000);

  const project = (name: string, packageJson: object): string => {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...packageJson }));
    cpSync(scene, join(path, 'scene.png'));
    return path;
  };

  const expectDetections = (result: SpawnSyncReturns<string>): void => {
    expect(result.status, result.stderr).toBe(0);
    const { detections } = JSON.parse(result.stdout) as { detections: { score: number }[] };
    expect(detections).toHaveLength(2);
  };

  it('is small, and contains neither source maps nor sources', () => {
    expect(statSync(tarball).size / 2 ** 20).toBeLessThan(40);
    const files = run(folder, 'tar', ['-tzf', tarball]).stdout.split('\n');
    expect(files.length).toBeGreaterThan(100);
    const isExample = (file: string): boolean => file.startsWith('package/examples/');
    const unwanted = files.filter((file) => /\.map$|(?<!\.d)\.tsx?$|^package\/(src|test|bench)\//.test(file));
    expect(unwanted.filter((file) => !isExample(file))).toEqual([]);
    expect(unwanted).not.toContainEqual(expect.stringMatching(/\.map$/));
  });

  it.each(['10', '11'])('installs with npm %s into an ESM project and detects on the native library', (version) => {
    const path = project(`esm-npm-${version}`, { type: 'module' });
    const installed = run(path, 'npx', ['--yes', `npm@${version}`, 'install', tarball]);
    expect(installed.status, installed.stderr).toBe(0);
    const isOwn = (file: string): boolean => !file.includes('onnxruntime-node');
    // 30 MB are the WebAssembly builds for Node and browsers, 18 MB the models, 18 MB libvips. npm 10 also installs sharp's
    // WebAssembly build.
    expect(megabytes(join(path, 'node_modules'), isOwn)).toBeLessThan(version === '10' ? 110 : 100);
    expectDetections(run(path, 'npx', ['mdetr', ...detectArgs], { MDETR_CACHE: cache }));
    const isNative = existsSync(join(path, 'node_modules/onnxruntime-node')) || existsSync(join(cache, 'onnxruntime'));
    expect(isNative || process.platform === 'darwin').toBe(true);
    writeFileSync(
      join(path, 'use.js'),
      `import { MDETR } from 'mdetr';
       const model = await MDETR.fromPretrained();
       console.log(JSON.stringify(await model.detect('scene.png', ${JSON.stringify(caption)})));
       await model.dispose();`,
    );
    expectDetections(run(path, 'node', ['use.js'], { MDETR_CACHE: cache }));
  });

  it('works from a CommonJS project', () => {
    const path = project('cjs', {});
    const installed = run(path, 'npm', ['install', tarball]);
    expect(installed.status, installed.stderr).toBe(0);
    writeFileSync(
      join(path, 'use.cjs'),
      `const { MDETR } = require('mdetr');
       MDETR.fromPretrained().then(async (model) => {
         console.log(JSON.stringify(await model.detect('scene.png', ${JSON.stringify(caption)})));
         await model.dispose();
       });`,
    );
    expectDetections(run(path, 'node', ['use.cjs'], { MDETR_CACHE: cache }));
  });

  it('works with pnpm', () => {
    const path = project('pnpm', { type: 'module' });
    const installed = run(path, 'npx', ['--yes', 'pnpm@10', 'add', tarball]);
    expect(installed.status, installed.stderr + installed.stdout).toBe(0);
    expectDetections(run(path, 'npx', ['--yes', 'pnpm@10', 'exec', 'mdetr', ...detectArgs], { MDETR_CACHE: cache }));
  });

  it('runs on WebAssembly where the native library can neither be found nor fetched', () => {
    const path = join(folder, 'esm-npm-10');
    const result = run(path, 'npx', ['mdetr', ...detectArgs], {
      MDETR_CACHE: join(folder, 'offline'),
      MDETR_OFFLINE: '1',
    });
    expectDetections(result);
    if (!existsSync(join(path, 'node_modules/onnxruntime-node'))) expect(result.stderr).toContain('using WebAssembly');
  });

  describe('inside a bundle', () => {
    const native = ['sharp', 'onnxruntime-node', 'koffi'];
    const bundlers: readonly (readonly [
      name: string,
      file: string,
      build: (path: string) => SpawnSyncReturns<string>,
    ])[] = [
      [
        'esbuild, ESM',
        'esm.mjs',
        (path) =>
          run(path, 'npx', [
            'esbuild',
            'app.js',
            '--bundle',
            '--platform=node',
            '--format=esm',
            '--outfile=out/esm.mjs',
            // Dependencies in CommonJS format call require, which modules lack.
            `--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);`,
            ...native.map((name) => `--external:${name}`),
          ]),
      ],
      [
        'esbuild, CommonJS',
        'cjs.cjs',
        (path) =>
          run(path, 'npx', [
            'esbuild',
            'app.js',
            '--bundle',
            '--platform=node',
            '--format=cjs',
            '--outfile=out/cjs.cjs',
            ...native.map((name) => `--external:${name}`),
          ]),
      ],
      ['webpack', 'webpack.cjs', (path) => run(path, 'npx', ['webpack', '--config', 'webpack.config.cjs'])],
    ];
    let path = '';

    beforeAll(() => {
      path = project('bundles', { type: 'module' });
      const installed = run(path, 'npm', ['install', tarball, 'esbuild', 'webpack', 'webpack-cli']);
      expect(installed.status, installed.stderr).toBe(0);
      writeFileSync(
        join(path, 'app.js'),
        `import { MDETR } from 'mdetr';
         MDETR.fromPretrained().then(async (model) => {
           console.log(JSON.stringify(await model.detect('scene.png', ${JSON.stringify(caption)})));
           await model.dispose();
         }).catch((error) => { console.error(error.message); process.exitCode = 1; });`,
      );
      writeFileSync(
        join(path, 'webpack.config.cjs'),
        `module.exports = {
           mode: 'production', target: 'node20', entry: './app.js',
           output: { path: __dirname + '/out', filename: 'webpack.cjs' },
           externals: ${JSON.stringify(Object.fromEntries(native.map((name) => [name, `commonjs ${name}`])))},
         };`,
      );
    }, 300_000);

    it.each(bundlers)('of %s the default model is found, or the error says which folder to copy', (_, file, build) => {
      const built = build(path);
      expect(built.status, built.stderr + built.stdout).toBe(0);
      expectDetections(run(path, 'node', [join('out', file)], { MDETR_CACHE: cache }));
      const moved = join(folder, `moved-${file}`);
      mkdirSync(moved);
      cpSync(join(path, 'out'), moved, { recursive: true });
      cpSync(join(path, 'node_modules'), join(moved, 'node_modules'), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (source) => !source.endsWith(join('node_modules', 'mdetr')),
      });
      cpSync(scene, join(moved, 'scene.png'));
      // webpack writes the address of the build's modules into the bundle: elsewhere they are not there.
      const [installed, hidden] = [join(path, 'node_modules/mdetr'), join(path, 'node_modules/hidden')];
      renameSync(installed, hidden);
      const missing = run(moved, 'node', [file], { MDETR_CACHE: cache });
      renameSync(hidden, installed);
      expect(missing.status).toBe(1);
      expect(missing.stderr).toContain('copy node_modules/mdetr/models/default to models/default beside the bundle');
      cpSync(join(path, 'node_modules/mdetr/models'), join(moved, 'models'), { recursive: true });
      expectDetections(run(moved, 'node', [file], { MDETR_CACHE: cache }));
    });
  });
});
