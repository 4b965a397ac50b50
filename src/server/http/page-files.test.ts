import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PageFiles } from './page-files.ts';

it('answers with the files of the page and nothing else, under a strict policy', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-page-'));
  try {
    mkdirSync(join(folder, 'assets'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html>');
    writeFileSync(join(folder, 'assets/page.js'), 'export {};');
    writeFileSync(join(folder, '..', 'outside.txt'), 'secret');
    const names = ['index.html', 'assets/page.js'];
    const page = new PageFiles(new Map(names.map((name) => [name, join(folder, name)])));
    const index = await page.answer('/');
    expect(String(index.body)).toBe('<!doctype html>');
    expect(index.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = index.headers['content-security-policy']!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
    expect((await page.answer('/assets/page.js')).headers['content-type']).toMatch(/^text\/javascript/);
    const known = index.headers['etag']!;
    expect((await page.answer('/', known)).status).toBe(304);
    expect((await page.answer('/', '"other"')).status).toBe(200);
    for (const path of ['/assets', '/../outside.txt', '/assets/../index.html', '/nothing', ''])
      expect(page.has(path), path).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
