import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readNotebook, runNotebook } from '../support/notebook.ts';
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

describe('the notebook of the examples', () => {
  const path = join(projectRoot, 'examples/notebook/detect.ipynb');
  const commands: readonly (readonly [string, readonly string[]])[] = [
    [process.execPath, []],
    ['deno', ['run', '--allow-all', '--node-modules-dir=manual']],
  ];
  /** Words and numbers of a text; numbers may differ by one pixel between processors. */
  const partsOf = (text: string): (string | number)[] =>
    text.split(/[^\w.]+/).map((word) => (/^\d+$/.test(word) ? Number(word) : word));

  for (const [program, args] of commands) {
    const [name, isThere] = [program === 'deno' ? 'deno' : 'Node', isOnPath(program)];
    it.skipIf(!isThere)(
      `prints in ${name} what is stored in it${isThere ? '' : ` (skipped: ${name} is not on PATH)`}`,
      { timeout: 240_000 },
      () => {
        const stored = readNotebook(path).cells.flatMap(({ cell_type: type, outputs = [] }) =>
          type === 'code' ? [{ text: outputs.flatMap(({ text = [] }) => text).join(''), outputs }] : [],
        );
        const found = runNotebook(path, [program, ...args]);
        expect(found).toHaveLength(stored.length);
        found.forEach(({ text, images }, index) => {
          const [own, expected] = [partsOf(text), partsOf(stored[index]!.text)];
          expect(own).toHaveLength(expected.length);
          own.forEach((part, i) => {
            if (typeof part === 'number') expect(Math.abs(part - Number(expected[i]))).toBeLessThanOrEqual(1);
            else if (!/^[01]\.\d$/.test(part)) expect(part).toBe(expected[i]);
          });
          expect(images).toHaveLength(stored[index]!.outputs.filter(({ data }) => data !== undefined).length);
          for (const image of images)
            expect(Buffer.from(image, 'base64').subarray(0, 3).toString('hex')).toBe('ffd8ff');
        });
        expect(found.at(-1)!.images).toHaveLength(1);
      },
    );
  }
});
