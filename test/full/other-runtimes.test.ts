import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { projectRoot, scene } from '../support/run-mdetr.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-other-runtimes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = join(folder, 'detect.mjs');
writeFileSync(
  script,
  `const { MDETR } = await import(${JSON.stringify(pathToFileURL(join(projectRoot, 'dist/index.js')).href)});
   const model = await MDETR.fromPretrained();
   const { detections } = await model.detect(${JSON.stringify(scene)}, 'a large green sphere and the small purple cylinder');
   console.log(JSON.stringify(detections.map(({ box }) => box.map(Math.round))));
   await model.dispose();`,
);

/** JavaScript runtimes besides Node, with the arguments that run a script with all permissions. */
const runtimes: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['bun', []],
  ['deno', ['run', '--allow-all', '--node-modules-dir=manual']],
];

const isOnPath = (name: string): boolean => spawnSync(name, ['--version']).status === 0;

describe('the library in other runtimes', () => {
  for (const [name, args] of runtimes) {
    const isThere = isOnPath(name);
    it.skipIf(!isThere)(
      `detects in ${name}${isThere ? '' : ` (skipped: ${name} is not on PATH)`}`,
      { timeout: 240_000 },
      () => {
        const run = (command: string, before: readonly string[]) =>
          spawnSync(command, [...before, script], { cwd: projectRoot, encoding: 'utf8' });
        const expected = run(process.execPath, []);
        expect(expected.status, expected.stderr).toBe(0);
        const result = run(name, args);
        expect(result.status, result.stderr).toBe(0);
        const lastLine = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1)!);
        expect(lastLine(result.stdout)).toEqual(lastLine(expected.stdout));
        expect(lastLine(result.stdout)).toHaveLength(2);
      },
    );
  }
});
