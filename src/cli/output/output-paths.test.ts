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

const plan = (out: string, images: readonly string[], captions: number, rule = new OutputRule()) =>
  DrawingPaths.plan(
    out,
    {
      count: images.length,
      // eslint-disable-next-line @typescript-eslint/require-await
      async *names() {
        yield* images;
      },
    },
    captions,
    rule,
  );

const at = (name: string): string => join(folder, name);

describe('DrawingPaths', () => {
  it('keeps braces, dollar signs and percent signs of an image name', async () => {
    const image = "$& $' {text} 100%.jpg";
    const paths = await plan(at('drawn/{image}-{text}.png'), [image], 1);
    expect(paths.next(image)[0]).toBe(at("drawn/$& $' {text} 100%-1.png"));
  });

  it('replaces files of a folder or pattern only with --overwrite, and an image never', async () => {
    writeFileSync(at('drawn/old.png'), 'drawing');
    const withRule = (out: string, images: string[], overwrite?: boolean) =>
      plan(at(out), images, 1, new OutputRule({ inputs: images, overwrite }));
    await expect(withRule('drawn', ['old.jpg'])).rejects.toThrow(/old\.png exists; pass --overwrite/);
    await expect(withRule('drawn/{image}.png', ['old.jpg'])).rejects.toThrow(UsageError);
    await expect(withRule('drawn', ['old.jpg'], true)).resolves.toBeDefined();
    await expect(withRule('.', [at('photo.png')], true)).rejects.toThrow(/is an input of this call/);
  });

  it('gives one result the given path', async () => {
    const paths = await plan(at('out.png'), ['photo.png'], 1);
    expect(paths.next('photo.png')[0]).toBe(at('out.png'));
  });

  it('names files in a folder after the images, with the caption index only for several captions', async () => {
    const one = await plan(at('drawn'), ['a.jpg', 'x/a.jpeg', 'b.jpg'], 1);
    expect(one.next('a.jpg')[0]).toBe(at('drawn/a.png'));
    expect(one.next('x/a.jpeg')[0]).toBe(at('drawn/a_2.png'));
    expect(one.next('b.jpg')[0]).toBe(at('drawn/b.png'));
    const two = await plan(at('made/later/'), ['a.jpg'], 2);
    expect(two.next('a.jpg')[1]).toBe(at('made/later/a-2.png'));
  });

  it('fills a pattern', async () => {
    const paths = await plan(at('drawn/{text}_{image}.webp'), ['a.jpg', 'b.jpg'], 2);
    expect(paths.next('b.jpg')[1]).toBe(at('drawn/2_b.webp'));
  });

  it.each([
    ['one path for several results', () => plan(at('out.png'), ['a.jpg'], 2), UsageError, /folder.*pattern/],
    ['an unknown format', () => plan(at('out.txt'), ['a.jpg'], 1), UsageError, /\.png/],
    [
      'the image itself',
      () => plan(at('photo.png'), [at('./photo.png')], 1, new OutputRule({ inputs: [at('./photo.png')] })),
      UsageError,
      /is an input of this call/,
    ],
    ['a missing folder', () => plan(at('no/out.png'), ['a.jpg'], 1), MdetrError, /folder .*no does not exist/],
    ['a file as a folder', () => plan(`${at('photo.png')}/`, ['a.jpg'], 1), MdetrError, /photo\.png/],
  ])('refuses %s', async (_, planned, kind, message) => {
    await expect(planned()).rejects.toThrow(kind);
    await expect(planned()).rejects.toThrow(message);
  });
});
