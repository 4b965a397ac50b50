import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, exportModel, MDETR, type DetectionResult } from '../../src/index.ts';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { ISOLATION_HEADERS } from '../support/static-server.ts';
import { boxDifference, CAPTIONS, IMAGES, OPTIONS } from '../support/web-comparison.ts';
import { openWebPage } from '../support/web-page.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Switches by which Chromium offers WebGPU on SwiftShader, its Vulkan driver in software. */
const SOFTWARE_WEBGPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

const LOAD = `async ({ MDETR }, [name, options]) => {
  window.model = await MDETR.fromPretrained(name, options);
  return { device: model.device, threads: model.threads, reason: model.reason };
}`;
const DETECT = '(_, [url, captions, options]) => model.detect(url, captions, options)';
const DISPOSE = '() => model.dispose()';

describe.skipIf(chromiumPath === undefined)(`mdetr/web in Chromium${chromiumNote}`, { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-web-'));
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs exported folders of every layout, and refuses changed files', async () => {
    const web = await openWebPage(browser, ISOLATION_HEADERS, { '/exported/': folder });
    for (const [name, layout, dtype] of [
      ['parts', 'parts', 'float32'],
      ['hub', 'hub', 'float32'],
      ['half', 'parts', 'float16'],
    ] as const) {
      const path = join(folder, name);
      await exportModel('default', path, { layout, dtype });
      const node = await MDETR.fromPretrained(path);
      await web.call(LOAD, [`/exported/${name}`, { device: 'wasm' }]);
      expect(await web.call('() => Promise.resolve(model.dtype)')).toBe(dtype);
      let largest = 0;
      for (const image of IMAGES.slice(0, name === 'parts' ? 10 : 2)) {
        const mine = await web.call<DetectionResult[]>(DETECT, [`/${image}`, CAPTIONS, OPTIONS]);
        const theirs = await node.detect(await decodeImage(join(root, image)), CAPTIONS, OPTIONS);
        largest = Math.max(largest, boxDifference(mine, theirs));
      }
      process.stdout.write(`exported as ${name}: boxes differ from Node's by up to ${largest} px\n`);
      expect(largest).toBeLessThan(1e-2);
      await web.call(DISPOSE);
      await node.dispose();
    }
    const manifest = readFileSync(join(folder, 'parts/export.json'), 'utf8');
    const changed = manifest.replace(
      /("sha256": ")(.)/,
      (_, start: string, digit: string) => start + (digit === 'a' ? 'b' : 'a'),
    );
    web.server.setText('/exported/parts/export.json', changed, 'application/json');
    await expect(web.call(LOAD, ['/exported/parts', {}])).rejects.toThrow(/has the SHA-256 .* is expected/);
    web.server.setText('/exported/parts/export.json', '{', 'application/json');
    await expect(web.call(LOAD, ['/exported/parts', {}])).rejects.toThrow(/export\.json: is not JSON/);
    await web.close();
  });

  it('frees its memory: ten loads and disposals end near the size after the second to fourth', async () => {
    const web = await openWebPage(browser, ISOLATION_HEADERS);
    const sizes: number[] = [];
    for (let cycle = 0; cycle < 10; cycle++) {
      await web.call(LOAD, ['default', { device: 'wasm' }]);
      await web.call(DETECT, [`/${IMAGES[0]!}`, CAPTIONS[0], OPTIONS]);
      await web.call(DISPOSE);
      // The memory of an ended worker is returned a little later.
      let least = Infinity;
      for (let sample = 0; sample < 5; sample++) {
        await web.page.requestGC();
        await new Promise((resolve) => setTimeout(resolve, 300));
        least = Math.min(least, await largestRendererBytes(browser));
      }
      sizes.push(least);
    }
    process.stdout.write(
      `renderer after each cycle: ${sizes.map((size) => Math.round(size / 2 ** 20)).join(', ')} MiB\n`,
    );
    // A leak shows after each of the last cycles, the noise of a garbage collector after one: also after the second.
    const [, early] = sizes.slice(1, 4).toSorted((a, b) => a - b);
    expect(Math.min(...sizes.slice(-3))).toBeLessThan(1.1 * early!);
    await web.close();
  });

  it('runs on WebGPU, where there is an adapter', async ({ skip }) => {
    const gpu = await launchChromium(SOFTWARE_WEBGPU);
    try {
      const web = await openWebPage(gpu, ISOLATION_HEADERS);
      const hasAdapter = await web.call<boolean>('async () => (await navigator.gpu?.requestAdapter()) != null');
      if (!hasAdapter) skip('this Chromium has no WebGPU adapter');
      expect(await web.call(LOAD, ['default', { device: 'webgpu' }])).toMatchObject({ device: 'webgpu' });
      const mine = await web.call<DetectionResult>(DETECT, [`/${IMAGES[0]!}`, CAPTIONS[0], {}]);
      const node = await MDETR.fromPretrained('default');
      const difference = boxDifference([mine], [await node.detect(join(root, IMAGES[0]!), CAPTIONS[0]!)]);
      process.stdout.write(`WebGPU: boxes differ from Node's by up to ${difference} px\n`);
      expect(difference).toBeLessThan(0.1);
      await node.dispose();
      await web.call(DISPOSE);
    } finally {
      await gpu.close();
    }
  });
});

/** Resident memory of the largest renderer process. */
const largestRendererBytes = async (browser: Browser): Promise<number> => {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const sizes = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]) * 1024);
  return Math.max(...sizes);
};
