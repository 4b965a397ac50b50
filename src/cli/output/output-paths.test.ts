import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MdetrError, UsageError } from '../../errors.ts';
import { OutputRule } from '../../files/output-rule.ts';
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
  it('keeps braces, dollar signs and percent signs of an image name', async () => {
    const image = "$& $' {text} 100%.jpg";
    const paths = await DrawingPaths.plan(at('drawn/{image}-{text}.png'), [image], 1, new OutputRule());
    expect(await paths.pathFor(image, 0)).toBe(at("drawn/$& $' {text} 100%-1.png"));
  });

  it('replaces files of a folder or pattern only with --overwrite, and an image never', async () => {
    writeFileSync(at('drawn/old.png'), 'drawing');
    const plan = (out: string, images: string[], overwrite?: boolean) =>
      DrawingPaths.plan(at(out), images, 1, new OutputRule({ inputs: images, overwrite }));
    await expect(plan('drawn', ['old.jpg'])).rejects.toThrow(/old\.png exists; pass --overwrite/);
    await expect(plan('drawn/{image}.png', ['old.jpg'])).rejects.toThrow(UsageError);
    await expect(plan('drawn', ['old.jpg'], true)).resolves.toBeDefined();
    await expect(plan('.', [at('photo.png')], true)).rejects.toThrow(/is an input of this call/);
  });

  it('gives one result the given path', async () => {
    const paths = await DrawingPaths.plan(at('out.png'), ['photo.png'], 1, new OutputRule());
    expect(await paths.pathFor('photo.png', 0)).toBe(at('out.png'));
  });

  it('names files in a folder after the images, with the caption index only for several captions', async () => {
    const one = await DrawingPaths.plan(at('drawn'), ['a.jpg', 'x/a.jpeg', 'b.jpg'], 1, new OutputRule());
    expect(await one.pathFor('a.jpg', 0)).toBe(at('drawn/a.png'));
    expect(await one.pathFor('x/a.jpeg', 0)).toBe(at('drawn/a_2.png'));
    expect(await one.pathFor('b.jpg', 0)).toBe(at('drawn/b.png'));
    const two = await DrawingPaths.plan(at('made/later/'), ['a.jpg'], 2, new OutputRule());
    expect(await two.pathFor('a.jpg', 1)).toBe(at('made/later/a-2.png'));
  });

  it('fills a pattern', async () => {
    const paths = await DrawingPaths.plan(at('drawn/{text}_{image}.webp'), ['a.jpg', 'b.jpg'], 2, new OutputRule());
    expect(await paths.pathFor('b.jpg', 1)).toBe(at('drawn/2_b.webp'));
  });

  it.each([
    [
      'one path for several results',
      () => DrawingPaths.plan(at('out.png'), ['a.jpg'], 2, new OutputRule()),
      UsageError,
      /folder.*pattern/,
    ],
    ['an unknown format', () => DrawingPaths.plan(at('out.txt'), ['a.jpg'], 1, new OutputRule()), UsageError, /\.png/],
    [
      'the image itself',
      () => DrawingPaths.plan(at('photo.png'), [at('./photo.png')], 1, new OutputRule({ inputs: [at('./photo.png')] })),
      UsageError,
      /is an input of this call/,
    ],
    [
      'a missing folder',
      () => DrawingPaths.plan(at('no/out.png'), ['a.jpg'], 1, new OutputRule()),
      MdetrError,
      /folder .*no does not exist/,
    ],
    [
      'a file as a folder',
      () => DrawingPaths.plan(`${at('photo.png')}/`, ['a.jpg'], 1, new OutputRule()),
      MdetrError,
      /photo\.png/,
    ],
  ])('refuses %s', async (_, plan, kind, message) => {
    await expect(plan()).rejects.toThrow(kind);
    await expect(plan()).rejects.toThrow(message);
  });
});
