import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requireUnpacked, unpackedPath } from './library-file.ts';

it('libraries of an Electron archive are looked for in the folder beside it', () => {
  expect(unpackedPath('/opt/app/resources/app.asar/node_modules/a.so')).toBe(
    '/opt/app/resources/app.asar.unpacked/node_modules/a.so',
  );
  expect(unpackedPath('C:\\app\\app.asar\\a.dll')).toBe('C:\\app\\app.asar.unpacked\\a.dll');
  for (const path of ['/opt/app.asar.unpacked/a.so', '/opt/app.asarx/a.so', '/opt/a.asar'])
    expect(unpackedPath(path)).toBe(path);
});

it('a library that was not left out of the archive is told from one that is not installed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-asar-'));
  const path = join(folder, 'app.asar.unpacked', 'a.so');
  expect(() => requireUnpacked(path)).toThrow(/a\.so does not exist: .* asarUnpack/);
  mkdirSync(join(folder, 'app.asar.unpacked'));
  writeFileSync(path, '');
  expect(requireUnpacked(path)).toBe(path);
  expect(requireUnpacked('/elsewhere/a.so')).toBe('/elsewhere/a.so');
  rmSync(folder, { recursive: true });
});
