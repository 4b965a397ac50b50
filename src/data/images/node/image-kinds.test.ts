import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyServer, serve } from '../../../../test/support/faulty-server.ts';
import type { ImageSource } from '../image-source.ts';
import { decodeImage } from './decode-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-kinds-'));
const path = join(folder, 'image.png');
let server: FaultyServer;
beforeAll(async () => {
  const noise = Uint8Array.from({ length: 20 * 12 * 3 }, (_, i) => (i * 37) % 251);
  await sharp(noise, { raw: { width: 20, height: 12, channels: 3 } })
    .png()
    .toFile(path);
  server = await FaultyServer.start();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const bytesOf = (): Buffer => readFileSync(path);
const KINDS: readonly (readonly [name: string, source: () => ImageSource | Promise<ImageSource>])[] = [
  ['a path', () => path],
  ['a file: URL', () => pathToFileURL(path).href],
  ['a URL object', () => pathToFileURL(path)],
  ['an http URL', () => server.on('/image', serve(bytesOf()))],
  ['a data URI', () => `data:image/png;base64,${bytesOf().toString('base64')}`],
  ['a Buffer', bytesOf],
  ['a Uint8Array', () => new Uint8Array(bytesOf())],
  ['an ArrayBuffer', () => new Uint8Array(bytesOf()).buffer],
  ['a Blob', () => new Blob([new Uint8Array(bytesOf())])],
  ['a web stream', () => new Blob([new Uint8Array(bytesOf())]).stream()],
  ['a Node stream', () => Readable.from([bytesOf().subarray(0, 50), bytesOf().subarray(50)])],
  ['a sharp pipeline', () => sharp(path)],
  ['an object with toBuffer()', () => ({ toBuffer: () => Promise.resolve(bytesOf()) })],
  [
    'pixels',
    async () => {
      const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
      return { data, width: info.width, height: info.height, channels: 3 };
    },
  ],
];

describe('decodeImage', () => {
  it.each(KINDS)('gives the same pixels for %s', async (_, source) => {
    const expected = await decodeImage(path);
    const image = await decodeImage(await source(), { urls: 'any' });
    expect([image.width, image.height]).toEqual([20, 12]);
    expect(Buffer.from(image.data).equals(Buffer.from(expected.data))).toBe(true);
  });

  it('fetches URLs only when that is allowed, and then from public addresses only', async () => {
    const url = server.on('/image', serve(bytesOf()));
    await expect(decodeImage(url)).rejects.toThrow(/URLs are not fetched unless that is allowed \(--allow-urls/);
    await expect(decodeImage(new URL(url), { urls: 'public' })).rejects.toThrow('an address of this machine');
  });

  it.each([
    ['data:image/png;base64', 'it has no comma'],
    ['data:image/png;base64,####', 'its base64 text is broken'],
    ['data:image/png,%zz', 'a percent escape is broken'],
    ['data:image/png;base64,AAAA', 'has only zero bytes'],
    ['file://elsewhere/image.png', 'is not the URL of a file'],
  ])('names what is wrong with %s', async (source, message) => {
    await expect(decodeImage(source)).rejects.toThrow(message);
  });

  it('refuses other values, larger sources, and streams that fail', async () => {
    for (const value of [7, null, {}, [], true])
      await expect(decodeImage(value as unknown as string)).rejects.toThrow('an image is a path,');
    const large = Readable.from([Buffer.alloc(600), Buffer.alloc(600)]);
    await expect(decodeImage(large, { maxBytes: 1000 })).rejects.toThrow('the limit for image files is 1000');
    await expect(decodeImage(new Blob([Buffer.alloc(2000)]), { maxBytes: 1000 })).rejects.toThrow('has 2000 bytes');
    const broken = new Readable({ read() { this.destroy(new Error('cable pulled')); } }); // prettier-ignore
    await expect(decodeImage(broken)).rejects.toThrow('the stream failed (cable pulled)');
    await expect(decodeImage(Readable.from(['text']))).rejects.toThrow('gives no bytes');
  });
});
