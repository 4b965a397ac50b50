import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import { readJsonFile, readJsonFileSync } from './json-file.ts';
import { MAX_JSON_DEPTH, parseJson } from './json-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-json-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const utf16 = (text: string, mark: boolean): Uint8Array => Buffer.from(`${mark ? '\ufeff' : ''}${text}`, 'utf16le');

describe('readJsonFile', () => {
  it('reads UTF-8 with and without a byte order mark', async () => {
    const value = { caption: 'ein Zürcher Hund 🐕' };
    for (const mark of ['', '\ufeff']) {
      const path = file('a.json', mark + JSON.stringify(value));
      expect(await readJsonFile(path)).toEqual(value);
      expect(readJsonFileSync(path)).toEqual(value);
    }
  });

  it.each([
    ['UTF-16 with a mark', utf16('{"lr": 1}', true), 'is UTF-16 text; save it as UTF-8'],
    ['UTF-16 without a mark', utf16('{"lr": 1}', false), 'is UTF-16 text'],
    ['big-endian UTF-16', Buffer.from(utf16('{"lr": 1}', true)).swap16(), 'is UTF-16 text'],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0]), 'is UTF-32 text'],
    ['Latin-1', Buffer.from('{"a": "Z\xfcrich"}', 'latin1'), 'is not UTF-8 text'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n', 'git lfs pull'],
    ['a web page', '<!DOCTYPE html><html></html>', 'is a web page'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), 'is a gzip archive'],
    ['an empty file', ' \n', 'is empty'],
    ['a trailing comma', '{\n"a": 1,\n}', 'is not JSON'],
    ['a key given twice', '{"lr": 1, "b": {"lr": 2},\n"lr": 3}', 'key "lr" occurs twice at position 26 (line 2)'],
    ['a key given twice with an escape', String.raw`{"lr": 1, "l\u0072": 3}`, 'key "lr" occurs twice'],
    ['deep nesting', '['.repeat(100_000) + ']'.repeat(100_000), `nested deeper than ${MAX_JSON_DEPTH} levels`],
  ])('names the file and the reason for %s', async (_, content, message) => {
    const path = file('bad.json', content);
    await expect(readJsonFile(path)).rejects.toThrow(`${path}: `);
    await expect(readJsonFile(path)).rejects.toThrow(message);
    expect(() => readJsonFileSync(path)).toThrow(MdetrError);
  });

  it('does not wait for pipes, and names folders and missing files', async () => {
    const pipe = join(folder, 'pipe.json');
    execFileSync('mkfifo', [pipe]);
    await expect(readJsonFile(pipe)).rejects.toThrow('is a pipe; only regular files are read');
    await expect(readJsonFile(folder)).rejects.toThrow('is a folder; name a file');
    expect(() => readJsonFileSync(join(folder, 'none.json'))).toThrow('there is no such file');
  });
});

describe('parseJson', () => {
  it('returns the same as JSON.parse for valid text', () => {
    const value = { a: [{ b: 'x"\\' }, [], {}, [[1, -2e3], null]], __proto__x: '{"a":1,"a":2}', 'a"': { a: 1 } };
    expect(parseJson(JSON.stringify(value), 'x')).toEqual(value);
  });

  it('cuts the text of the file in the message', () => {
    expect(() => parseJson(`{"a": ${'x'.repeat(5000)}`, 'long.json')).toThrow(/^long\.json: is not JSON: .{1,110}$/s);
  });
});
