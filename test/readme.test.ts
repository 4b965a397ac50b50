import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

it("the README's library snippet runs as it stands", () => {
  const snippet = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-readme-'));
  try {
    const file = join(folder, 'snippet.mjs');
    const checked = `${snippet.replace("from 'mdetr'", `from ${JSON.stringify(join(root, 'dist/index.js'))}`)}
if (!Array.isArray(detections) || typeof answer.answer !== 'string' || best.box.length !== 4 || best.mask.size[0] !== 320) process.exit(3);`;
    writeFileSync(file, checked);
    execFileSync(process.execPath, [file], { cwd: root, env: { ...process.env, MDETR_CACHE: join(folder, 'cache') } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("the README's first command runs as it stands, after npm ci", () => {
  const command = /```sh\nnpm ci && npx (mdetr detect [^\n]+)\n```/.exec(readme)![1]!;
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-readme-'));
  try {
    const args = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!).slice(1);
    const out = join(folder, args.at(-1)!);
    const result = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...args.slice(0, -1), out], {
      cwd: root,
      env: { ...process.env, MDETR_CACHE: join(folder, 'cache') },
      encoding: 'utf8',
    });
    expect(result.status, result.stderr).toBe(0);
    expect(readFileSync(out).length).toBeGreaterThan(10_000);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('every file that the README and the docs link to is there', () => {
  for (const [, target] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
    expect(() => readFileSync(join(root, target!)), target).not.toThrow();
});
