import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: process.env['MDETR_TEST_FULL'] === '1' ? [] : ['test/full/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two workers: the machines that run this have two cores, and ONNX Runtime uses both.
    pool: 'forks',
    // The built command line, which tests also call in-process, is loaded by Node itself.
    server: { deps: { external: [/\/dist\//] } },
    maxWorkers: 2,
  },
});
