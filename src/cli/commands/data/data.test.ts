import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dataCommand } from '../data.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-data-'));
  mkdirSync(join(folder, 'images'));
  const image = sharp({ create: { width: 40, height: 30, channels: 3, background: '#338' } });
  await image.png().toFile(join(folder, 'images', 'a.png'));
  file = write('a.json', [{ caption: 'a dog' }, { caption: 'two cats' }]);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const write = (name: string, rows: object[]): string => {
  const path = join(folder, name);
  const images = rows.map((row, id) => ({ id, file_name: 'a.png', width: 40, height: 30, ...row }));
  const annotations = rows.map((_, image_id) => ({
    id: image_id,
    image_id,
    bbox: [image_id * 20, 0, 9, 9],
    tokens_positive: [[0, 5]],
  }));
  writeFileSync(path, JSON.stringify({ images, annotations }));
  return path;
};

/** Runs `mdetr data …` and returns its output. */
const run = async (...args: string[]): Promise<string> => {
  let printed = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const command = dataCommand();
    for (const each of [command, ...command.commands])
      each.exitOverride().configureOutput({ writeErr: () => undefined });
    await command.parseAsync(args, { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return printed;
};

describe('mdetr data', () => {
  it('check names the words that a model has never seen', async () => {
    const red = write('red.json', [{ caption: 'a red cube' }]);
    expect(await run('check', file, '--model', 'default')).toMatch(/2 of 4 words are new to default: cats, dog\n/);
    expect(await run('check', red, '--model', 'default')).toMatch(/all 3 words of the captions are known to default\n/);
  });

  it('index prints the counts of the file and the path of the index', async () => {
    expect(await run('index', file)).toMatch(/a\.json: 2 rows, 2 annotations; .*a\.json\.mdetr-index, 4\.2 kB\n$/);
    expect(existsSync(`${file}.mdetr-index`)).toBe(true);
  });

  it('combine writes the combined captions', async () => {
    const out = join(folder, 'mixed.json');
    expect(await run('combine', file, '--out', out)).toBe(
      `${out}: 2 captions of 1 images combined into 1, with 2 boxes; left out: 0 captions of 0 excluded images, 0 invalid rows\n`,
    );
    expect(JSON.parse(readFileSync(out, 'utf8')).images[0].caption).toBe('two cats. a dog.');
    const guard = join(folder, 'val.txt');
    writeFileSync(guard, 'a.png\n');
    expect(await run('combine', file, '--out', out, '--exclude', guard)).toContain(
      'left out: 2 captions of 1 excluded images',
    );
    await expect(run('combine', file, '--out', out, '--merge-boxes', '0')).rejects.toThrow(
      'off, or a number above 0 and up to 1',
    );
    await expect(run('combine', join(folder, 'no.json'), '--out', out)).rejects.toThrow('no such annotation file');
  });

  it('check prints counts, and fails if there are errors', async () => {
    const images = join(folder, 'images');
    const fine = await run('check', file, '--images', images);
    expect(fine).toMatch(/ rows +2 \(2 usable\)\n/);
    expect(fine).toContain('no problems found');
    expect(JSON.parse(await run('check', file, '--json'))).toMatchObject({
      files: [{ rows: 2, findings: [] }],
      shared: [],
    });
    const bad = write('bad.json', [{ caption: 'abc' }, { file_name: 'b.png', caption: 'fine text' }]);
    await expect(run('check', bad, '--images', images)).rejects.toThrow('2 errors');
    await expect(run('check', file, write('val.json', [{ caption: 'the same' }]))).rejects.toThrow(/^1 error$/);
  });

  it('show writes the page', async () => {
    const out = join(folder, 'page.html');
    expect(await run('show', file, '--images', join(folder, 'images'), '--out', out)).toBe(`${out}: 2 rows\n`);
    expect(readFileSync(out, 'utf8')).toContain('<mark style="background:hsl(10 90% 82%)">a dog</mark>');
    await run('show', file, '--images', join(folder, 'images'), '--out', out, '--rows', '1');
    expect(readFileSync(out, 'utf8')).not.toContain('a dog');
    await expect(run('show', file, '--images', folder, '--out', out, '--rows', '2')).rejects.toThrow('has rows 0 to 1');
  });
});
