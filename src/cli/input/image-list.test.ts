import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sortedNames } from './folder-images.ts';
import { ImageList, type ImageListOptions } from './image-list.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-list-'));
  for (const name of ['a', 'a/b', 'empty']) mkdirSync(at(name));
  for (const name of ['a.png', 'a-1.png', 'a/2.JPG', 'a/10.png', 'a/b/x.png', 'a/b.png', 'a/.hidden.png', 'a/note.txt'])
    writeFileSync(at(name), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const namesOf = async (texts: readonly string[], options?: ImageListOptions): Promise<string[]> => {
  const list = await ImageList.open(texts, options);
  const names: string[] = [];
  // Patterns give paths relative to the current folder.
  for await (const images of list.chunks())
    names.push(...images.map(({ name }) => (name.includes('://') ? name : resolve(name))));
  expect(list.count).toBe(names.length);
  return names;
};
const listOf = (name: string, lines: readonly string[]): string => {
  writeFileSync(at(name), `${lines.join('\n')}\n`);
  return `@${at(name)}`;
};

describe('ImageList', () => {
  it('takes the images of a folder in the order of their paths', async () => {
    const all = ['a-1.png', 'a.png', 'a/10.png', 'a/2.JPG', 'a/b.png', 'a/b/x.png'].map(at);
    expect(await namesOf([folder], { recursive: true })).toEqual(all);
    expect(await namesOf([at('a')])).toEqual(['a/10.png', 'a/2.JPG', 'a/b.png'].map(at));
    expect(await namesOf([at('a/*.png')])).toEqual(['a/10.png', 'a/b.png'].map(at));
  });

  it('reads lists whose lines are images, folders, patterns and URLs', async () => {
    const list = listOf('mixed.txt', ['# images', 'a/b.png', '', 'a', 'https://x/y.png', '  none.png\r', 'a/b/*']);
    expect(await namesOf([at('a.png'), list])).toEqual(
      ['a.png', 'a/b.png', 'a/10.png', 'a/2.JPG', 'a/b.png']
        .map(at)
        .concat('https://x/y.png', at('none.png'), at('a/b/x.png')),
    );
  });

  it('divides images into shards, each exactly once, however they are given', async () => {
    const args = [folder, listOf('some.txt', ['a', 'b.png', 'a/b']), at('last.png')];
    const all = await namesOf(args, { recursive: true });
    for (const count of [1, 2, 3, 20]) {
      const parts = await Promise.all(
        Array.from({ length: count }, (_, index) => namesOf(args, { recursive: true, shard: { index, count } })),
      );
      expect(parts.map((_, i) => parts[i % count]![Math.floor(i / count)])).toEqual(parts.map((_, i) => all[i]));
      expect(parts.flat().sort()).toEqual([...all].sort());
    }
  });

  it('reads a long list again instead of holding it', async () => {
    const lines = Array.from({ length: 10_000 }, (_, i) => `${i}.png`);
    const list = await ImageList.open([listOf('long.txt', lines)], { shard: { index: 3, count: 4 } });
    expect(list.inputs).toEqual([at('long.txt')]);
    expect(list.count).toBe(2500);
    for (let pass = 0; pass < 2; pass++) {
      const names: string[] = [];
      for await (const images of list.chunks()) names.push(...images.map(({ name }) => name));
      expect(names).toEqual(lines.filter((_, i) => i % 4 === 3).map(at));
    }
    let paths = 0;
    for await (const path of list.listed!()) expect(path).toBe(at(`${paths++}.png`));
    expect(paths).toBe(10_000);
  });

  it.each([
    ['a folder without images', ['@broken.txt'], 'a.png\nempty', /empty: has no image files; pass --recursive/],
    ['a pattern without images', ['@broken.txt'], 'a.png\nempty/*.png', /no image file matches this pattern/],
    ['standard input twice', ['-', '@broken.txt'], '-', /-: standard input can be read once only/],
    ['standard input as two lists', ['@-', '@-'], '', /@-: standard input can be read once only/],
    ['a list without images', ['@broken.txt'], '# none\n\n', /broken\.txt: lists no images/],
    ['a missing list', ['@none.txt'], '', /none\.txt: cannot be read/],
    ['a folder as a list', ['@a'], '', /a: is a folder/],
  ])('refuses %s before any work', async (_, args, lines, message) => {
    writeFileSync(at('broken.txt'), lines);
    const texts = args.map((text) => (text === '-' || text === '@-' ? text : `@${at(text.slice(1))}`));
    await expect(ImageList.open(texts)).rejects.toThrow(message);
  });
});

it('names of a folder come sorted, also when they are read in several passes', async () => {
  const many = at('many');
  mkdirSync(many);
  const names = Array.from({ length: 100 }, (_, i) => `${(i * 37) % 100}.png`);
  for (const name of names) writeFileSync(join(many, name), '');
  for (const atOnce of [1, 7, 50, 1000]) {
    const found: string[] = [];
    for await (const name of sortedNames(many, false, atOnce)) found.push(name);
    expect(found).toEqual([...names].sort());
  }
});
