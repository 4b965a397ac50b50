import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { JsonSections } from './json-sections.ts';

const folder = await mkdtemp(join(tmpdir(), 'sections-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

it('joins arrays that grew side by side, larger than one chunk, and leaves no other file', async () => {
  const path = join(folder, 'a.json');
  const file = await JsonSections.create(path, ['rows', 'boxes', 'none']);
  const rows = Array.from({ length: 3000 }, (_, i) => ({ id: i, text: `é"\\ ${'x'.repeat(i % 300)}` }));
  for (const row of rows) {
    await file.append('rows', row);
    if (row.id % 3 === 0) await file.append('boxes', [row.id]);
  }
  await file.finish({ info: { a: 1 }, rows: [], none: [], boxes: [], last: 'z' });
  const read: unknown = JSON.parse(await readFile(path, 'utf8'));
  const boxes = rows.filter(({ id }) => id % 3 === 0).map(({ id }) => [id]);
  expect(read).toEqual({ info: { a: 1 }, rows, none: [], boxes, last: 'z' });
  expect(await readdir(folder)).toEqual(['a.json']);
});

it('leaves no file when discarded, and names a file that cannot be written', async () => {
  const file = await JsonSections.create(join(folder, 'b.json'), ['rows']);
  await file.append('rows', 1);
  await file.discard();
  expect(await readdir(folder)).toEqual(['a.json']);
  await expect(JsonSections.create(join(folder, 'no', 'c.json'), ['rows'])).rejects.toThrow(
    /c\.json.*there is no such file or folder/,
  );
});
