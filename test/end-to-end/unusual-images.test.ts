import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandLine, expectRefusal, scene } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

const plain = (width: number, height: number): Sharp =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 60, b: 20 } } });

/** Animation of three frames, stacked vertically. */
const frames = (): Sharp =>
  sharp(Buffer.alloc(30 * 60 * 3, 99), { raw: { width: 30, height: 60, channels: 3, pageHeight: 20 } });

const images: readonly (readonly [name: string, file: string, make: () => Sharp, size: [number, number]])[] = [
  ['1 x 1 pixel', 'one.png', () => plain(1, 1).png(), [1, 1]],
  ['280 x 1 pixels', 'strip.png', () => plain(280, 1).png(), [280, 1]],
  ['CMYK', 'cmyk.jpg', () => sharp(scene).toColourspace('cmyk').jpeg(), [480, 320]],
  ['16 bit with alpha', 'deep.png', () => sharp(scene).ensureAlpha(0.5).toColourspace('rgb16').png(), [480, 320]],
  ['grayscale', 'gray.png', () => sharp(scene).toColourspace('b-w').png(), [480, 320]],
  ['rotated by EXIF', 'rotated.jpg', () => sharp(scene).jpeg().withMetadata({ orientation: 6 }), [320, 480]],
  ['animated', 'frames.gif', () => frames().gif(), [30, 20]],
  ['progressive', 'progressive.jpg', () => sharp(scene).jpeg({ progressive: true }), [480, 320]],
  ['AVIF', 'new.avif', () => plain(64, 48).avif(), [64, 48]],
];

describe('detect', () => {
  it.each(images)('reads an image that is %s', async (_, file, make, [width, height]) => {
    await make().toFile(cli.file(file));
    const [line] = await cli.json('detect', file, '--caption', 'a cube', '--masks', '--out', `${file}.png`);
    expect(line).toMatchObject({ width, height });
  });

  it('ignores the EXIF orientation with --no-orient', async () => {
    await sharp(scene).jpeg().withMetadata({ orientation: 6 }).toFile(cli.file('sideways.jpg'));
    const [line] = await cli.json('detect', 'sideways.jpg', '--caption', 'a cube', '--no-orient');
    expect(line).toMatchObject({ width: 480, height: 320 });
  });

  it('refuses an image that is too narrow by name; --skip-broken skips it', async () => {
    await plain(900, 1).png().toFile(cli.file('thread.png'));
    expectRefusal(
      await cli.call('detect', 'thread.png', '--caption', 'a cube', '--model', 'default'),
      1,
      /thread\.png: .*900x1.* too narrow/,
    );
    const result = await cli.call(
      'detect',
      'thread.png',
      scene,
      '--caption',
      'a cube',
      '--skip-broken',
      '--json',
      '--model',
      'default',
    );
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout.trim().split('\n')).toHaveLength(1);
    expect(result.stderr).toMatch(/1 of 2 images were broken and skipped/);
  });

  it('limits the pixels of an image with --max-pixels', async () => {
    expect((await cli.call('detect', scene, '--caption', 'a cube', '--max-pixels', '0.1')).stderr).toMatch(
      /limit is 0\.1 mill/,
    );
    expect((await cli.call('detect', scene, '--caption', 'a cube', '--max-pixels', '1')).status).toBe(0);
  });
});
