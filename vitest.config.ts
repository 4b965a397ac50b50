import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { globSync } from 'tinyglobby';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Whether `dist/` is newer than every source file. Then workers run its modules, which start faster than TypeScript. */
const isBuilt = (): boolean => {
  const built = statSync(`${root}dist/index.js`, { throwIfNoEntry: false });
  return (
    built !== undefined &&
    globSync('src/**/*.ts', { cwd: root, ignore: '**/*.test.ts' }).every(
      (path) => statSync(root + path).mtimeMs <= built.mtimeMs,
    )
  );
};

/**
 * Tests of pure functions, whose files share one module registry: loading modules anew for each of them takes longer than
 * the tests. Files that change process-wide state, or measure it, are listed in `ISOLATED`.
 */
const SHARED_FOLDERS = [
  'benchmarks',
  'checkpoints',
  'data',
  'datasets',
  'drawing',
  'engine/graph',
  'engine/onnx',
  'engine/ops',
  'geometry',
  'losses',
  'matching',
  'metrics',
  'models',
  'names',
  'nn',
  'options',
  'postprocess',
  'random',
  'results',
  'scenes',
  'text',
].map((folder) => `src/${folder}/**/*.test.ts`);
const ISOLATED = [
  'src/checkpoints/pickle/pickle.test.ts',
  'src/checkpoints/safetensors/safetensors.test.ts',
  'src/data/annotation-index/**',
  'src/data/format/row-checks.test.ts',
  'src/data/images/node/**',
  'src/datasets/flickr30k/flickr30k.test.ts',
  'src/scenes/dataset/**',
];
const SHARED = globSync(SHARED_FOLDERS, { cwd: root, ignore: ISOLATED });

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: isBuilt() ? { MDETR_COMPILED: `${root}dist` } : {},
    // Two workers: the machines that run this have two cores, and ONNX Runtime uses both.
    pool: 'forks',
    maxWorkers: 2,
    // The built command line, which tests also call in-process, is loaded by Node itself.
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        test: {
          name: 'isolated',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...SHARED, ...(process.env['MDETR_TEST_FULL'] === '1' ? [] : ['test/full/**'])],
        },
      },
      { extends: true, test: { name: 'shared', isolate: false, include: SHARED } },
    ],
  },
});
