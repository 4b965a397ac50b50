import { readFileSync, realpathSync } from 'node:fs';
import { expect, it } from 'vitest';
import { float32Tensor, input, makeProgram } from '../../graph/index.ts';
import { relu } from '../../ops/index.ts';
import { releaseCodePages } from './code-pages.ts';
import { functionOfLibc } from './libc.ts';
import { findNativeLibrary } from './library-file.ts';
import { NativeRuntime } from './native-runtime.ts';

const path = findNativeLibrary();
const isGlibc = functionOfLibc('int getpagesize()') !== undefined;

/** Resident kilobytes of the library's code. */
const residentCode = (): number => {
  const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[\da-f]+-[\da-f]+ )/m);
  const code = entries.filter((entry) => / r-xp /.test(entry) && entry.includes(realpathSync(path!)));
  return code.reduce((sum, entry) => sum + Number(/^Rss:\s+(\d+)/m.exec(entry)![1]), 0);
};

it.skipIf(path === undefined || !isGlibc)(
  'gives code back to the system, which runs on (skipped without glibc)',
  async ({ skip }) => {
    const runtime = new NativeRuntime({ threads: 1 });
    const program = makeProgram('relu', { y: relu(input('x', [2])) });
    const session = await runtime.load(program);
    const run = async (): Promise<unknown> =>
      (await session.run({ x: float32Tensor([2], new Float32Array([-1, 2])) })).y!.data;
    await run();
    const before = residentCode();
    if (before === 0) skip('the kernel does not tell resident sizes');
    releaseCodePages(path!);
    expect(residentCode()).toBeLessThan(before);
    expect(await run()).toEqual(new Float32Array([0, 2]));
    await session.dispose();
  },
);

it('ignores libraries that are not loaded', () => {
  expect(() => releaseCodePages(import.meta.filename)).not.toThrow();
});
