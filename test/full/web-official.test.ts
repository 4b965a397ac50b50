import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, exportModel, MDETR, type DetectionResult } from '../../src/index.ts';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { projectRoot, roberta } from '../support/run-mdetr.ts';
import { ISOLATION_HEADERS } from '../support/static-server.ts';
import { boxDifference, CAPTIONS, IMAGES } from '../support/web-comparison.ts';
import { openWebPage } from '../support/web-page.ts';

/** Arguments of the published network; the weights are initialized from a seed. */
const OFFICIAL = { backbone: 'resnet101', text_encoder_type: 'roberta-base', init_seed: 1 };

/** Captions of the comparison: the second one runs on the encoded image. */
const TEXTS = CAPTIONS.slice(0, 2);

const DETECT = `async ({ MDETR }, [model, image, captions]) => {
  const started = performance.now();
  const loaded = await MDETR.fromPretrained(model, { device: 'wasm', cache: false });
  const atLoaded = performance.now();
  const scene = await loaded.encodeImage(image);
  const atEncoded = performance.now();
  const results = [];
  for (const caption of captions) results.push(await scene.detect(caption, { threshold: 0, spanThreshold: 0.004 }));
  const captionMs = (performance.now() - atEncoded) / captions.length;
  const { dtype } = loaded;
  await loaded.dispose();
  return { results, dtype, loadMs: atLoaded - started, imageMs: atEncoded - atLoaded, captionMs };
}`;

interface Measured {
  readonly results: DetectionResult[];
  readonly dtype: string;
  readonly loadMs: number;
  readonly imageMs: number;
  readonly captionMs: number;
}

/** Most memory that a renderer process has used, in MiB. */
const peakRendererMib = async (browser: Browser): Promise<number> => {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const peaks = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))![1]) / 1024);
  return Math.max(...peaks);
};

/** Whether Node and the page have enough memory, one after the other. */
const hasMemory = totalmem() > 6 * 2 ** 30;
const note = hasMemory ? chromiumNote : ' (skipped: needs more than 6 GiB of memory)';

describe.skipIf(chromiumPath === undefined || !hasMemory)(`the official size in Chromium${note}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-web-official-'));
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has the boxes and spans of Node, from a float16 exported folder', { timeout: 560_000 }, async () => {
    const untrained = join(folder, 'untrained');
    mkdirSync(untrained);
    writeFileSync(join(untrained, 'config.json'), JSON.stringify(OFFICIAL));
    const exported = join(folder, 'exported');
    const { files } = await exportModel(untrained, exported, { dtype: 'float16', tokenizer: roberta });
    const bytes = Object.keys(files).reduce((sum, name) => sum + statSync(join(exported, name)).size, 0);

    const image = IMAGES[0]!;
    const node = await MDETR.fromPretrained(exported);
    const scene = await node.encodeImage(await decodeImage(join(projectRoot, image)));
    const expected: DetectionResult[] = [];
    for (const text of TEXTS) expected.push(await scene.detect(text, { threshold: 0, spanThreshold: 0.004 }));
    await node.dispose();

    const web = await openWebPage(browser, ISOLATION_HEADERS, { '/exported/': folder });
    const mine = await web.call<Measured>(DETECT, ['/exported/exported', `/${image}`, TEXTS]);
    const difference = boxDifference(mine.results, expected);
    const peak = process.platform === 'linux' ? `, ${Math.round(await peakRendererMib(browser))} MiB at most` : '';
    process.stdout.write(
      `official size, ${Math.round(bytes / 1e6)} MB in float16: boxes differ from Node's by up to ${difference} px; ` +
        `loaded in ${(mine.loadMs / 1000).toFixed(1)} s, image ${(mine.imageMs / 1000).toFixed(1)} s, ` +
        `caption ${(mine.captionMs / 1000).toFixed(1)} s${peak}\n`,
    );
    expect(mine.dtype).toBe('float16');
    expect(expected[0]!.detections).toHaveLength(100);
    expect(expected[0]!.detections.some(({ spans }) => spans.length > 0)).toBe(true);
    expect(difference).toBeLessThan(1e-2);
    await web.close();
  });
});
