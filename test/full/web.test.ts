import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, MDETR, type DetectionResult, type RawImage } from '../../src/index.ts';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { ISOLATION_HEADERS } from '../support/static-server.ts';
import { boxDifference, CAPTIONS, IMAGES, OPTIONS } from '../support/web-comparison.ts';
import { openWebPage, STRICT_POLICY, type WebPage } from '../support/web-page.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** An image as JSON: its pixels in base64. */
const sent = ({ width, height, data }: RawImage) => ({ width, height, base64: Buffer.from(data).toString('base64') });

/** Source of a function that reads such an image back in a page. */
const PIXELS = `({ width, height, base64 }) => ({
  width, height, channels: 3, data: Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)) })`;

describe.skipIf(chromiumPath === undefined)(`mdetr/web in Chromium${chromiumNote}`, { timeout: 120_000 }, () => {
  let browser: Browser;
  let node: MDETR;
  let web: WebPage;
  beforeAll(async () => {
    [browser, node] = await Promise.all([launchChromium(), MDETR.fromPretrained('default')]);
    web = await openWebPage(browser, ISOLATION_HEADERS);
    await web.call(
      `async ({ MDETR }) => { window.model = await MDETR.fromPretrained('default', { device: 'wasm' }); }`,
    );
  }, 120_000);
  afterAll(async () => {
    await web.close();
    await Promise.all([browser.close(), node.dispose()]);
  });

  it('has the boxes and spans of Node for ten images: the same pixels, and PNG files that the browser decodes', async () => {
    let [pixels, files] = [0, 0];
    for (const path of IMAGES) {
      const image = await decodeImage(join(root, path));
      const expected = await node.detect(image, CAPTIONS, OPTIONS);
      const mine = await web.call<DetectionResult[]>(
        `(_, [image, captions, options]) => model.detect((${PIXELS})(image), captions, options)`,
        [sent(image), CAPTIONS, OPTIONS],
      );
      pixels = Math.max(pixels, boxDifference(mine, expected));
      const decoded = await web.call<DetectionResult[]>(
        '(_, [url, captions, options]) => model.detect(url, captions, options)',
        [`/${path}`, CAPTIONS, OPTIONS],
      );
      expect(decoded[0]!.image).toBe(`/${path}`);
      files = Math.max(files, boxDifference(decoded, expected));
    }
    process.stdout.write(`largest difference to Node: ${pixels} px with its pixels, ${files} px with PNG files\n`);
    expect(pixels).toBeLessThan(1e-2);
    expect(files).toBeLessThan(1e-2);
  });

  it('decodes JPEG nearly as Node does: boxes within a pixel', async () => {
    let [difference, boxes] = [0, 0];
    for (const path of IMAGES) {
      const jpeg = await sharp(join(root, path)).jpeg({ quality: 90 }).toBuffer();
      const image = await decodeImage(jpeg);
      const args = [jpeg.toString('base64'), CAPTIONS, OPTIONS];
      const [mine, mean] = await web.call<[DetectionResult[], number]>(
        `async ({ decodeImage }, [base64, captions, options, theirs]) => {
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          const { data } = await decodeImage(bytes);
          const other = (${PIXELS})(theirs).data;
          const sum = data.reduce((total, value, at) => total + Math.abs(value - other[at]), 0);
          return [await model.detect(new Blob([bytes]), captions, options), sum / data.length];
        }`,
        [...args, sent(image)],
      );
      difference = Math.max(difference, mean);
      boxes = Math.max(boxes, boxDifference(mine, await node.detect(image, CAPTIONS, OPTIONS)));
    }
    process.stdout.write(
      `JPEG: mean difference of pixels up to ${difference.toFixed(3)} levels, boxes up to ${boxes} px\n`,
    );
    expect(difference).toBeLessThan(1);
    expect(boxes).toBeLessThan(1);
  });

  it('keeps the colors of transparent pixels, ignores color profiles and applies EXIF orientation', async () => {
    const data = Uint8Array.from({ length: 16 * 8 * 4 }, (_, index) => (index * 37) & 255);
    const transparent = await sharp(data, { raw: { width: 16, height: 8, channels: 4 } })
      .png()
      .toBuffer();
    const image = await sharp(join(root, IMAGES[0]!)).resize(64, 48).png().toBuffer();
    const turned = await sharp(image).withMetadata({ orientation: 6 }).png().toBuffer();
    const [jpeg, webp] = [
      await sharp(image).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
      await sharp(image).withMetadata({ orientation: 6 }).webp({ lossless: true }).toBuffer(),
    ];
    const profiled = await sharp(image).withIccProfile('p3').png().toBuffer();
    for (const file of [transparent, turned, profiled, jpeg, webp])
      for (const orientation of ['exif', 'stored'] as const) {
        // Chromium ignores the orientation of WebP.
        if (file === webp && orientation === 'exif') continue;
        const { width, height, data: pixels } = await decodeImage(file, { orientation });
        const mine = await web.call<{ width: number; height: number; data: number[] }>(
          `async ({ decodeImage }, [base64, options]) => {
            const image = await decodeImage(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), options);
            return { ...image, data: [...image.data] };
          }`,
          [file.toString('base64'), { orientation }],
        );
        expect([mine.width, mine.height]).toEqual([width, height]);
        const largest = mine.data.reduce((most, value, at) => Math.max(most, Math.abs(value - pixels[at]!)), 0);
        expect(largest).toBeLessThanOrEqual(file === jpeg ? 2 : 0);
      }
  });

  it('refers, answers, predicts masks and keeps encoded images as Node does', async () => {
    const path = IMAGES[0]!;
    const image = await decodeImage(join(root, path));
    const mine = await web.call<{
      best: { query: number };
      answer: string;
      masked: DetectionResult;
      streamed: DetectionResult[];
      tokens: string[];
    }>(
      `async (_, [url, caption, options]) => {
        const scene = await model.encodeImage(url);
        const { best } = await scene.refer(caption, options);
        const { answer } = await scene.ask('How many cubes are there?');
        const masked = await scene.detect(caption, { ...options, masks: true });
        const streamed = [];
        for await (const result of model.detectStream([{ image: url, text: caption }], options)) streamed.push(result);
        const outputs = await model.predict([{ image: url, text: caption }]);
        return { best, answer, masked, streamed, tokens: outputs.encoding(0).tokens };
      }`,
      [`/${path}`, CAPTIONS[0], OPTIONS],
    );
    expect(mine.best.query).toBe((await node.refer(image, CAPTIONS[0]!, OPTIONS)).best!.query);
    expect(mine.answer).toBe((await node.ask(image, 'How many cubes are there?')).answer);
    const masked = await node.detect(image, CAPTIONS[0]!, { ...OPTIONS, masks: true });
    boxDifference([mine.masked], [masked]);
    expect(mine.masked.detections.map(({ mask }) => mask?.size)).toEqual(
      masked.detections.map(({ mask }) => mask?.size),
    );
    boxDifference(mine.streamed, [masked]);
    expect(mine.tokens).toEqual((await node.predict([{ image, text: CAPTIONS[0]! }])).encoding(0).tokens);
  });

  it('takes elements, canvases, bitmaps and pixel data as images', async () => {
    const counts = await web.call<number[]>(
      `async (_, [url, caption]) => {
        const element = new Image();
        element.src = url;
        await element.decode();
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [element.naturalWidth, element.naturalHeight];
        const context = canvas.getContext('2d');
        context.drawImage(element, 0, 0);
        const data = context.getImageData(0, 0, canvas.width, canvas.height);
        const images = [url, element, canvas, data, await createImageBitmap(canvas), await (await fetch(url)).blob()];
        const counts = [];
        for (const image of images) counts.push((await model.detect(image, caption)).detections.length);
        return counts;
      }`,
      [`/${IMAGES[0]!}`, CAPTIONS[0]],
    );
    expect(counts).toEqual(counts.map(() => (counts[0]! > 0 ? counts[0] : -1)));
  });

  it('waits for an image element that is still loading', async () => {
    const width = await web.call<number>(
      `async () => (await model.detect(Object.assign(new Image(), { src: '/examples/scene.png' }), 'a cube')).width`,
    );
    expect(width).toBe(480);
  });

  it('runs on no more threads than the machine has cores', async () => {
    const [threads, cores, reason] = await web.call<[number, number, string]>(
      `async ({ MDETR }) => {
        const other = await MDETR.fromPretrained('default', { device: 'wasm', threads: 1000 });
        await other.dispose();
        return [other.threads, navigator.hardwareConcurrency, other.reason];
      }`,
    );
    expect(threads).toBe(cores);
    expect(reason).toMatch(cores > 1 ? /instead of 1000 threads/ : /One thread/);
  });

  it('names what it runs on, and why not on something better', async () => {
    const here = await web.call('() => ({ device: model.device, threads: model.threads, reason: model.reason })');
    expect(here).toEqual({ device: 'wasm', threads: expect.any(Number), reason: '' });
    const plain = await openWebPage(browser);
    const there = await plain.call<{ threads: number; reason: string }>(
      `async ({ MDETR }) => {
        const model = await MDETR.fromPretrained();
        return { device: model.device, threads: model.threads, reason: model.reason };
      }`,
    );
    expect(there).toMatchObject({ device: 'wasm', threads: 1 });
    expect(there.reason).toMatch(/^No WebGPU: .*One thread: the page is not cross-origin isolated/);
    await plain.close();
  });

  it('says what is wrong', async () => {
    const failure = (source: string, args?: unknown): Promise<string> =>
      web.call<string>(
        `async (mdetr, args) => {
        try { await (${source})(mdetr, args); return 'nothing'; } catch (error) { return error.name + ': ' + error.message; }
      }`,
        args,
      );
    const load = 'async ({ MDETR }, [name, options]) => void (await MDETR.fromPretrained(name, options))';
    expect(await failure(load, ['/nowhere', {}])).toMatch(/^MdetrError: .*\/nowhere\/: has no config\.json/);
    expect(await failure(load, ['default', { device: 'webgl' }])).toMatch(/^UsageError: .*device/);
    expect(await failure(load, ['default', { threshold: 1 }])).toMatch(/^UsageError: .*threshold/);
    expect(await failure(load, ['default', { sha256: '0'.repeat(64), cache: false }])).toMatch(
      /SHA-256 .* is expected/,
    );
    expect(await failure(load, ['default', { dtype: 'float16' }])).toMatch(/model folder, which is run in float32/);
    expect(await failure(load, ['default', { assets: '/elsewhere' }])).toMatch(/worker of mdetr cannot be started/);
    expect(await failure('() => model.detect("/nothing.png", "a")')).toMatch(/nothing\.png: cannot be fetched .*404/);
    expect(await failure('() => model.detect("/package.json", "a")')).toMatch(
      /package\.json: is JSON text, not an image/,
    );
    expect(await failure('() => model.detect(7, "a")')).toMatch(/image: an image is a URL/);
    expect(await failure('() => model.detect(document.body, "a")')).toMatch(/image: an image .* not a HTMLBodyElement/);
    expect(await failure('() => model.detect(() => 1, "a")')).toMatch(/^MdetrError: the arguments cannot be sent/);
    for (const [kind, element] of [
      ['HTMLImageElement', 'Object.assign(new Image(), { src: "/nothing.png" })'],
      ['HTMLImageElement', 'new Image()'],
      ['HTMLVideoElement', 'document.createElement("video")'],
      ['HTMLCanvasElement', 'Object.assign(document.createElement("canvas"), { width: 0 })'],
    ])
      expect(await failure(`() => model.detect(${element!}, "a")`)).toMatch(
        new RegExp(`^MdetrError: image: the ${kind!} cannot be drawn`),
      );
    expect(await failure('() => model.detect("/examples/scene.png", "")')).toMatch(/^MdetrError: the text is empty/);
    const official = JSON.stringify({ backbone: 'resnet101', text_encoder_type: 'roberta-base' });
    const tokenizer = readFileSync(join(root, 'models/default/tokenizer.json'), 'utf8');
    web.server.setText('/official/config.json', official, 'application/json');
    web.server.setText('/official/tokenizer.json', tokenizer, 'application/json');
    expect(await failure(load, ['/official', {}])).toMatch(/MiB in float32; a page prepares up to .* "mdetr export"/);
  });

  it('keeps weights, checks them, and evicts them by name', async () => {
    const { server } = web;
    const load = async (): Promise<string[]> => {
      server.requests.length = 0;
      await web.call(`async ({ MDETR }) => {
        const model = await MDETR.fromPretrained('/models/default/', { device: 'wasm' });
        await model.detect('/examples/scene.png', 'a cube');
        await model.dispose();
      }`);
      return server.requests.filter((path) => path.endsWith('.safetensors'));
    };
    const weights = '/models/default/model.safetensors';
    await web.call('({ removeCachedWeights }) => removeCachedWeights()');
    expect(await load()).toEqual([weights]);
    expect(await load()).toEqual([`HEAD ${weights}`]);
    const cached = await web.call<{ url: string; bytes: number }[]>('({ cachedWeights }) => cachedWeights()');
    expect(cached).toEqual([{ url: server.url(weights), bytes: readFileSync(join(root, weights)).byteLength }]);
    await web.call(`async () => {
      const store = await caches.open('mdetr-weights-v1');
      const [request] = await store.keys();
      const response = await store.match(request);
      const bytes = new Uint8Array(await response.arrayBuffer());
      bytes[bytes.length - 1] ^= 1;
      await store.put(request, new Response(bytes, { headers: response.headers }));
    }`);
    expect(await load()).toEqual([`HEAD ${weights}`, weights]);
    expect(await web.call('({ removeCachedWeights }) => removeCachedWeights("other")')).toBe(0);
    expect(await web.call('({ removeCachedWeights }) => removeCachedWeights("default")')).toBe(cached[0]!.bytes);
    expect(await web.call('({ cachedWeights }) => cachedWeights()')).toEqual([]);
  });

  it('runs without a worker, too, and under a strict Content-Security-Policy', async () => {
    const strict = await openWebPage(browser, { 'Content-Security-Policy': STRICT_POLICY });
    for (const worker of [true, false]) {
      const found = await strict.call<number>(
        `async ({ MDETR }, worker) => {
          const model = await MDETR.fromPretrained('default', { worker });
          const { detections } = await model.detect('/examples/scene.png', 'a red cube and a green ball');
          await model.dispose();
          return detections.length;
        }`,
        worker,
      );
      expect(found).toBeGreaterThan(0);
    }
    expect(strict.messages.filter((text) => text.includes('Content Security Policy'))).toEqual([]);
    await strict.close();
  });

  it('draws on a canvas in the colors of the phrases', async () => {
    const colors = await web.call<{ size: number[]; box: number[]; phrase: number[] }>(
      `async ({ drawDetections, nameDetections, MDETR }, url) => {
        const result = await model.detect(url, 'a green ball', { masks: true });
        const canvas = document.createElement('canvas');
        const image = await createImageBitmap(await (await fetch(url)).blob());
        drawDetections(canvas, image, result, { labels: false });
        const [x, y] = result.detections[0].box;
        const [phrase] = nameDetections(result.detections, result.caption).phrases;
        const rgb = phrase.color.rgb;
        // The line of the left side is two pixels wide, at a fraction of a pixel.
        const { data } = canvas.getContext('2d').getImageData(Math.round(x) - 2, Math.round(y) + 20, 6, 1);
        const pixels = [0, 1, 2, 3, 4, 5].map((k) => [...data.slice(4 * k, 4 * k + 3)]);
        const farthest = (pixel) => Math.max(...pixel.map((value, k) => Math.abs(value - rgb[k])));
        const [box] = pixels.sort((a, b) => farthest(a) - farthest(b));
        return { size: [canvas.width, canvas.height], box, phrase: rgb };
      }`,
      `/${IMAGES[0]!}`,
    );
    const { width, height } = await decodeImage(join(root, IMAGES[0]!));
    expect(colors.size).toEqual([width, height]);
    for (const channel of [0, 1, 2]) expect(Math.abs(colors.box[channel]! - colors.phrase[channel]!)).toBeLessThan(60);
  });
});
