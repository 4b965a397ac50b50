import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, MDETR, type DetectionResult, type ImageSource } from '../../src/index.ts';
import { createHandler, type ServerHandler } from '../../src/server/handler.ts';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { CommandLine, scene } from '../support/run-mdetr.ts';
import { ISOLATION_HEADERS, StaticServer } from '../support/static-server.ts';
import { openWebPage, type WebPage } from '../support/web-page.ts';

/**
 * One image in every kind of input, on every surface: the boxes are those of its path in the library. The table of
 * docs/output.md has the same rows.
 */

const CAPTION = 'a red cube and a green ball';
/** Low, so that there are more boxes to compare. */
const THRESHOLD = 0.05;
const bytes = readFileSync(scene);
const base64 = bytes.toString('base64');
const dataUri = `data:image/png;base64,${base64}`;
const fileUrl = pathToFileURL(scene);

/** Boxes, scores and spans of a result, which are compared. */
const boxesOf = ({ detections }: Pick<DetectionResult, 'detections'>) =>
  detections.map(({ box, score, spans }) => ({
    box: box.map((side) => Number(side.toPrecision(6))),
    score: Number(score.toPrecision(6)),
    spans: spans.map(({ start, end }) => [start, end]),
  }));

let web: StaticServer;
let expected: ReturnType<typeof boxesOf>;
let model: MDETR;
beforeAll(async () => {
  [web, model] = await Promise.all([StaticServer.start({ '/': dirname(scene) }), MDETR.fromPretrained('default')]);
  expected = boxesOf(await model.detect(scene, CAPTION, { threshold: THRESHOLD }));
  expect(expected.length).toBeGreaterThan(1);
}, 120_000);
afterAll(async () => {
  await Promise.all([web.close(), model.dispose()]);
});

const imageUrl = (): string => web.url(`/${basename(scene)}`);

const LIBRARY: Readonly<Record<string, () => ImageSource | Promise<ImageSource>>> = {
  path: () => scene,
  'file: URL': () => fileUrl.href,
  'URL object': () => fileUrl,
  'data URI': () => dataUri,
  'http URL': imageUrl,
  Uint8Array: () => new Uint8Array(bytes),
  Buffer: () => bytes,
  ArrayBuffer: () => new Uint8Array(bytes).buffer,
  Blob: () => new Blob([new Uint8Array(bytes)]),
  'web stream': () => new Blob([new Uint8Array(bytes)]).stream(),
  'Node stream': () => Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]),
  'sharp pipeline': () => sharp(scene),
  'object with toBuffer()': () => ({ toBuffer: () => Promise.resolve(bytes) }),
  pixels: () => decodeImage(scene),
};

describe('the library', { timeout: 60_000 }, () => {
  it.each(Object.keys(LIBRARY))('finds the same boxes in an image as %s', async (kind) => {
    const image = await LIBRARY[kind]!();
    expect(boxesOf(await model.detect(image, CAPTION, { threshold: THRESHOLD, decode: { urls: 'any' } }))).toEqual(
      expected,
    );
  });
});

describe('the command line', { timeout: 120_000 }, () => {
  it('finds the same boxes in a path, URLs, standard input, a folder, a pattern and lists', async () => {
    const cli = new CommandLine();
    try {
      const { copyFileSync, mkdirSync, writeFileSync } = await import('node:fs');
      mkdirSync(cli.file('photos/below'), { recursive: true });
      copyFileSync(scene, cli.file('photos/a.png'));
      copyFileSync(scene, cli.file('photos/below/b.png'));
      writeFileSync(cli.file('list.txt'), `\uFEFF${scene}\r\n# a comment\r\n${fileUrl.href}\r\n`);
      const images = [scene, fileUrl.href, dataUri, imageUrl(), '-', 'photos', 'photos/**/b.*', '@list.txt'];
      const args = [
        'detect',
        ...images,
        '--caption',
        CAPTION,
        '--model',
        'default',
        '--threshold',
        String(THRESHOLD),
        '--json',
        '--recursive',
        '--allow-private-urls',
      ];
      const { status, stdout, stderr } = await cli.start(args, (child) => child.stdin!.end(bytes));
      expect(status, stderr).toBe(0);
      const results = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as DetectionResult);
      const names = [
        scene,
        fileUrl.href,
        'data URI',
        imageUrl(),
        'stdin',
        'photos/a.png',
        'photos/below/b.png',
        'photos/below/b.png',
        scene,
        fileUrl.href,
      ];
      expect(results.map(({ image }) => image)).toEqual(names);
      for (const result of results) expect(boxesOf(result), result.image).toEqual(expected);
    } finally {
      cli.remove();
    }
  });
});

const SERVICE: Readonly<Record<string, () => BodyInit>> = {
  'file of a form': () => {
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(bytes)]), 'scene.png');
    form.set('caption', CAPTION);
    form.set('threshold', String(THRESHOLD));
    return form;
  },
  'base64 text': () => JSON.stringify({ image: base64, caption: CAPTION, threshold: THRESHOLD }),
  'data URI': () => JSON.stringify({ image: dataUri, caption: CAPTION, threshold: THRESHOLD }),
};

describe('the service', { timeout: 120_000 }, () => {
  let handler: ServerHandler;
  beforeAll(async () => {
    handler = createHandler({ threads: 1 });
    await handler.ready();
  }, 120_000);
  afterAll(() => handler.close());

  it.each(Object.keys(SERVICE))('finds the same boxes in an image as %s', async (kind) => {
    const body = SERVICE[kind]!();
    const headers: Record<string, string> = typeof body === 'string' ? { 'Content-Type': 'application/json' } : {};
    const response = await handler(new Request('http://localhost/v1/detect', { method: 'POST', body, headers }));
    expect(response.status).toBe(200);
    expect(boxesOf((await response.json()) as DetectionResult)).toEqual(expected);
  });
});

/** Sources of expressions in a page, with `bytes` and `bitmap` of the image. */
const BROWSER: Readonly<Record<string, string>> = {
  'relative URL': "'/examples/scene.png'",
  'URL object': `new URL('/examples/scene.png', location.href)`,
  'data URI': `dataUri`,
  Uint8Array: 'bytes',
  ArrayBuffer: 'bytes.buffer',
  Blob: 'new Blob([bytes])',
  'web stream': 'new Blob([bytes]).stream()',
  'object with toBuffer()': '({ toBuffer: async () => bytes })',
  pixels: 'await mdetr.decodeImage(bytes)',
  ImageBitmap: 'bitmap',
  ImageData: 'drawn.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height)',
  canvas: 'drawn',
  'img element': '(image.src = "/examples/scene.png", await image.decode(), image)',
};

describe.skipIf(chromiumPath === undefined)(`the browser${chromiumNote}`, { timeout: 120_000 }, () => {
  let browser: Browser;
  let page: WebPage;
  beforeAll(async () => {
    browser = await launchChromium();
    page = await openWebPage(browser, ISOLATION_HEADERS);
    await page.call(
      `async (mdetr) => { window.model = await mdetr.MDETR.fromPretrained('default', { device: 'wasm' }); }`,
    );
  }, 120_000);
  afterAll(async () => {
    await page.close();
    await browser.close();
  });

  it.each(Object.keys(BROWSER))('finds the same boxes in an image as %s', async (kind) => {
    const found = await page.call<DetectionResult>(
      `async (mdetr, [dataUri, caption, options]) => {
        const bytes = new Uint8Array(await (await fetch(dataUri)).arrayBuffer());
        const bitmap = await createImageBitmap(new Blob([bytes]));
        const drawn = document.createElement('canvas');
        [drawn.width, drawn.height] = [bitmap.width, bitmap.height];
        drawn.getContext('2d').drawImage(bitmap, 0, 0);
        const image = new Image();
        return model.detect(${BROWSER[kind]!}, caption, options);
      }`,
      [dataUri, CAPTION, { threshold: THRESHOLD }],
    );
    const mine = boxesOf(found);
    expect(mine.map(({ spans }) => spans)).toEqual(expected.map(({ spans }) => spans));
    for (const [index, { box }] of mine.entries())
      box.forEach((side, at) => expect(Math.abs(side - expected[index]!.box[at]!)).toBeLessThan(0.01));
  });
});
