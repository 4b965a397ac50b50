import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { buildWeb } from './web.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-web-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Maximum size of the code that a page loads for inference besides ONNX Runtime, compressed. */
const MAX_GZIP_BYTES = 150_000;

describe("the browser's part of the package", () => {
  it('is small: an import of the schema library by its namespace, which is not shaken, would double it', async () => {
    const files = await buildWeb(join(folder, 'web'));
    const bytes = [...files.values()].reduce((sum, code) => sum + gzipSync(code).byteLength, 0);
    expect(bytes).toBeLessThan(MAX_GZIP_BYTES);
    expect([...files.keys()].some((path) => path.endsWith('worker.js'))).toBe(true);
    for (const code of files.values()) expect(code).not.toMatch(/from ?["']node:|require\(["']node:/);
  });

  it('leaves a sentence in place of an entry for Node, which no bundler resolves', async () => {
    const entry = join(folder, 'web/needs-node.js');
    const failed = build({ entryPoints: [entry], bundle: true, write: false, logLevel: 'silent' });
    await expect(failed).rejects.toThrow(/This entry of mdetr needs Node\.js: in a browser, import .{1,2}mdetr\/web/);
  });
});
