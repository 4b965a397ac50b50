import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MdetrError, UsageError } from '../../errors.ts';
import { DrawingPaths } from './output-paths.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-paths-'));
  mkdirSync(join(folder, 'drawn'));
  writeFileSync(join(folder, 'photo.png'), 'x');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

describe('DrawingPaths', () => {
  it('gives one result the given path', async () => {
    const paths = await DrawingPaths.plan(at('out.png'), ['photo.png'], 1);
    expect(await paths.pathFor('photo.png', 0)).toBe(at('out.png'));
  });

  it('names files in a folder after the images, with the caption index only for several captions', async () => {
    const one = await DrawingPaths.plan(at('drawn'), ['a.jpg', 'x/a.jpeg', 'b.jpg'], 1);
    expect(await one.pathFor('a.jpg', 0)).toBe(at('drawn/a.png'));
    expect(await one.pathFor('x/a.jpeg', 0)).toBe(at('drawn/a_2.png'));
    expect(await one.pathFor('b.jpg', 0)).toBe(at('drawn/b.png'));
    const two = await DrawingPaths.plan(at('made/later/'), ['a.jpg'], 2);
    expect(await two.pathFor('a.jpg', 1)).toBe(at('made/later/a-2.png'));
  });

  it('fills a pattern', async () => {
    const paths = await DrawingPaths.plan(at('drawn/{text}_{image}.webp'), ['a.jpg', 'b.jpg'], 2);
    expect(await paths.pathFor('b.jpg', 1)).toBe(at('drawn/2_b.webp'));
  });

  it.each([
    [
      'one path for several results',
      () => DrawingPaths.plan(at('out.png'), ['a.jpg'], 2),
      UsageError,
      /folder.*pattern/,
    ],
    ['an unknown format', () => DrawingPaths.plan(at('out.txt'), ['a.jpg'], 1), UsageError, /\.png/],
    ['the image itself', () => DrawingPaths.plan(at('photo.png'), [at('./photo.png')], 1), UsageError, /one of the/],
    [
      'a missing folder',
      () => DrawingPaths.plan(at('no/out.png'), ['a.jpg'], 1),
      MdetrError,
      /folder .*no does not exist/,
    ],
    ['a file as a folder', () => DrawingPaths.plan(`${at('photo.png')}/`, ['a.jpg'], 1), MdetrError, /photo\.png/],
  ])('refuses %s', async (_, plan, kind, message) => {
    await expect(plan()).rejects.toThrow(kind);
    await expect(plan()).rejects.toThrow(message);
  });
});
