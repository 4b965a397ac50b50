import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler, listen, type Listening } from '../../src/entries/server.ts';
import { MDETR } from '../../src/index.ts';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { CommandLine, projectRoot } from '../support/run-mdetr.ts';
import { StaticServer } from '../support/static-server.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CAPTION = 'a green ball and a brown cylinder';
/** Folder for screenshots of the page's states; none are made without it. */
const screenshots = process.env['MDETR_SCREENSHOTS'];

/** Rules of accessibility that the page breaks, with the elements. */
const violations = async (page: Page): Promise<string[]> => {
  await page.evaluate(axeSource);
  return page.evaluate(
    'axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ": " + node.html)))',
  );
};

/** Expects of something that the page shows that it comes true: on a busy machine that takes a while. */
const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 60_000 });

const shoot = async (page: Page, name: string): Promise<void> => {
  if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, `page-${name}.png`) });
};

describe.skipIf(chromiumPath === undefined)(`the page${chromiumNote}`, { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-page-test-'));
  const commandLine = new CommandLine();
  let server: Listening;
  let browser: Browser;
  let page: Page;
  const requests: string[] = [];
  const messages: string[] = [];

  const phrase = (text: string) => page.locator('#results .is-current .phrase', { hasText: text });
  const boxes = () => page.locator('#boxes .box');
  const labelsOf = (selector: string): Promise<string[]> =>
    page.evaluate(`[...document.querySelectorAll('${selector}')].map((box) => box.getAttribute('aria-label'))`);
  const labels = (): Promise<string[]> => labelsOf('#boxes .box');
  /** Labels of the boxes that are not dimmed. */
  const chosen = (): Promise<string[]> => labelsOf('#boxes .box:not(.is-dimmed)');
  const run = async (text: string, task = 'Detect'): Promise<void> => {
    await page.getByLabel(task, { exact: true }).check();
    await page.locator('#text').fill(text);
    await page.locator('#text').press('Enter');
    // The form is busy from the key on. The list may have an earlier result of the same text.
    await eventually(() => page.locator('#form').getAttribute('aria-busy')).toBe('false');
    await page.locator('#results .is-current .caption', { hasText: text }).waitFor();
  };

  beforeAll(async () => {
    server = await listen(
      createHandler({ models: ['default', 'photos'], threads: 1, cacheDir: join(folder, 'cache') }),
      {
        host: '127.0.0.1',
        port: 0,
        bodyTimeoutS: 30,
      },
    );
    browser = await launchChromium(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
    page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    const response = (await page.goto(server.url))!;
    expect(response.headers()['content-security-policy']).toContain("default-src 'none'");
    await shoot(page, 'loading');
    // The first example runs by itself.
    await page.locator('#results li').first().waitFor({ timeout: 60_000 });
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await server.close();
    commandLine.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows the boxes that the library finds, in the colors of their phrases', async () => {
    await run(CAPTION);
    const model = await MDETR.fromPretrained('default');
    const { detections } = await model.detect(join(projectRoot, 'examples/scene.png'), CAPTION, { threshold: 0.5 });
    await model.dispose();
    const expected = detections.map(({ label, score }) => `${label}, score ${score.toFixed(2)}`);
    expect((await labels()).sort()).toEqual(expected.sort());
    const color = await page.evaluate(`getComputedStyle(
      [...document.querySelectorAll('.phrase')].find(({ textContent }) => textContent === 'a green ball')).backgroundColor`);
    const edge = await page.locator('#boxes .box[aria-label^="a green ball"] .edge').getAttribute('stroke');
    expect(color).toBe(`rgb(${[1, 3, 5].map((at) => parseInt(edge!.slice(at, at + 2), 16)).join(', ')})`);
    expect(await page.locator('#device').textContent()).toMatch(
      /^Runs on WebAssembly, \d|^Runs on WebAssembly, one|^Runs on WebGPU/,
    );
    expect(await page.locator('#status').textContent()).toMatch(/^Found 2: /);
    await shoot(page, 'detect');
  });

  it('selects both ways: a phrase shows its boxes, a box its phrase, by pointer and by keyboard', async () => {
    await run(CAPTION);
    await phrase('a green ball').click();
    expect(await chosen()).toEqual([expect.stringMatching(/^a green ball/)]);
    expect(await phrase('a green ball').getAttribute('aria-pressed')).toBe('true');
    await shoot(page, 'selected');
    await phrase('a green ball').click();
    await page.mouse.move(0, 0);
    await page.locator('#text').focus();
    expect(await chosen()).toHaveLength(2);
    await page.locator('#boxes .box[aria-label^="a brown cylinder"]').click();
    expect(await phrase('a brown cylinder').getAttribute('aria-pressed')).toBe('true');
    expect(await phrase('a green ball').getAttribute('aria-pressed')).toBe('false');
    await page.locator('#boxes .box[aria-label^="a green ball"]').focus();
    await page.keyboard.press('Enter');
    expect(await phrase('a green ball').getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('Enter');
    await phrase('a brown cylinder').hover();
    expect(await chosen()).toEqual([expect.stringMatching(/^a brown cylinder/)]);
    await page.mouse.move(0, 0);
  });

  it('moves the minimum score without a new run, and draws masks', async () => {
    await run(CAPTION);
    const time = await page.locator('#results .is-current .note').first().textContent();
    await page.locator('#threshold').fill('0.95');
    const strict = (await labels()).length;
    await page.locator('#threshold').fill('0.05');
    expect((await labels()).length).toBeGreaterThanOrEqual(strict);
    await page.locator('#threshold').fill('0.5');
    expect(await page.locator('#results .is-current .note').first().textContent()).toBe(time);
    const pixels = () => page.evaluate<string>('document.querySelector("#canvas").toDataURL()');
    const without = await pixels();
    await page.getByLabel('Masks').check();
    await eventually(pixels).not.toBe(without);
    await eventually(() => page.locator('#form').getAttribute('aria-busy')).toBe('false');
    await shoot(page, 'masks');
    await page.getByLabel('Masks').uncheck();
    await eventually(pixels).toBe(without);
  });

  it('refers and answers, and keeps several texts about one image', async () => {
    await run('the large sphere', 'Refer');
    expect(await boxes().count()).toBe(1);
    await shoot(page, 'refer');
    await run('How many cylinders are there?', 'Ask');
    expect(await page.locator('#results .is-current .answer').textContent()).toMatch(/^Answer: \d+$/);
    await shoot(page, 'ask');
    expect(await page.locator('#results > li').count()).toBeGreaterThanOrEqual(3);
    await page.getByRole('button', { name: 'Show the result of: the large sphere' }).click();
    expect(await page.locator('#results .is-current .caption').textContent()).toBe('the large sphere');
  });

  it('runs on the server with the same boxes', async () => {
    await run(CAPTION);
    const here = await labels();
    await page.getByLabel('on the server').check();
    await eventually(() => page.locator('#device').textContent()).toMatch(/^Runs on the server/);
    requests.length = 0;
    await page.locator('#run').click();
    await eventually(() => requests.filter((url) => url.endsWith('/v1/detect')).length).toBe(1);
    await eventually(() => page.locator('#form').getAttribute('aria-busy')).toBe('false');
    expect((await labels()).sort()).toEqual(here.sort());
    await run('Is there a red ball?', 'Ask');
    expect(await page.locator('#results .is-current .answer').textContent()).toBe('Answer: no');
    await shoot(page, 'server');
    await page.getByLabel('here', { exact: true }).check();
  });

  it('takes files and pasted images, and says what is wrong', async () => {
    await page.getByLabel('Detect', { exact: true }).check();
    await page.locator('#file').setInputFiles(join(projectRoot, 'examples/finetune/pictures/val-1.png'));
    await eventually(() => page.locator('#canvas').getAttribute('aria-label')).toMatch(/^val-1\.png, /);
    writeFileSync(join(folder, 'broken.png'), 'no image');
    await page.locator('#file').setInputFiles(join(folder, 'broken.png'));
    await eventually(() => page.locator('#error').textContent()).toMatch(/broken\.png: this browser cannot show it/);
    await page.locator('#text').fill(' ');
    await page.locator('#run').click();
    await eventually(() => page.locator('#error').textContent()).toBe('Type a caption first.');
    await page.evaluate(`fetch('images/scene1.png').then((response) => response.blob()).then((blob) => {
      const data = new DataTransfer();
      data.items.add(new File([blob], 'copied.png', { type: 'image/png' }));
      document.querySelector('#text').value = 'a purple cube';
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));
    })`);
    await eventually(() => page.locator('#canvas').getAttribute('aria-label')).toMatch(/^pasted image, .* found$/);
    await eventually(() => page.locator('#results .is-current').count()).toBe(1);
  });

  it('takes images that are dropped, and shows where', async () => {
    const drag = (type: string, file: string): Promise<void> =>
      page.evaluate(`fetch('${file}').then((response) => response.blob()).then((blob) => {
        const data = new DataTransfer();
        data.items.add(new File([blob], 'dropped.png', { type: blob.type }));
        document.querySelector('#frame').dispatchEvent(new DragEvent('${type}', { dataTransfer: data, bubbles: true }));
      })`);
    await drag('dragover', 'images/scene3.png');
    expect(await page.locator('.drop-hint').isVisible()).toBe(true);
    await shoot(page, 'drop');
    await drag('drop', 'images/scene3.png');
    expect(await page.locator('.drop-hint').isVisible()).toBe(false);
    await eventually(() => page.locator('#canvas').getAttribute('aria-label')).toMatch(/^dropped\.png, .* found$/);
    await drag('drop', 'style.css');
    await eventually(() => page.locator('#error').textContent()).toBe('no image was dropped');
    await shoot(page, 'error');
  });

  it('gives photographs to the model for photographs, here and on the server', async () => {
    const note = page.locator('#results .is-current .foot');
    await page.locator('#text').fill('a cup');
    await page.getByRole('button', { name: 'Example: a photograph' }).click();
    await eventually(() => note.textContent()).toMatch(/^1 box, .*model for photographs/);
    await shoot(page, 'photograph');
    expect(await page.getByLabel('Masks').isDisabled()).toBe(true);
    // A text that was typed stays, and others are offered.
    expect(await page.locator('#text').inputValue()).toBe('a cup');
    expect(await page.locator('#suggestions').textContent()).toContain('a cup of coffee and a dog');
    await page.getByLabel('on the server').check();
    await run('a cup of coffee and a dog');
    expect(await note.textContent()).toMatch(/^1 box, .*model for photographs/);
    await page.getByLabel('here', { exact: true }).check();
    await page.getByRole('button', { name: 'Example: a scene of solids' }).click();
    await eventually(() => page.locator('#canvas').getAttribute('aria-label')).toMatch(/^scene\.png, .* found$/);
    expect(await page.getByLabel('Masks').isDisabled()).toBe(false);
  });

  it('follows the camera', async () => {
    await page.getByRole('button', { name: 'Camera' }).click();
    await eventually(() => page.locator('#status').textContent()).toMatch(/images per second/);
    expect(await page.locator('#canvas').getAttribute('aria-label')).toMatch(/^camera, /);
    await shoot(page, 'camera');
    await page.getByRole('button', { name: 'Camera' }).click();
    expect(await page.getByRole('button', { name: 'Camera' }).getAttribute('aria-pressed')).toBe('false');
  });

  it('breaks no rule of accessibility: light and dark, wide and narrow, and fits a phone', async () => {
    await page.getByRole('button', { name: 'Example: a scene of solids' }).click();
    await run(CAPTION);
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1200, 390]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        expect(await violations(page), `${colorScheme}, ${width}`).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
        await shoot(page, `${colorScheme}-${width}`);
      }
  });

  it('runs as static files, without a server that detects', async () => {
    const site = join(folder, 'site');
    const { status, stderr } = commandLine.run('page', '--out', site);
    expect(status, stderr).toBe(0);
    const files = await StaticServer.start({ '/': `${site}/` });
    const alone = await browser.newPage();
    await alone.goto(files.url('/index.html'));
    await alone.locator('#results li').first().waitFor({ timeout: 60_000 });
    expect(await alone.locator('#status').textContent()).toMatch(/^Found 2: /);
    expect(await alone.getByLabel('on the server').isDisabled()).toBe(true);
    await alone.close();
    await files.close();
  });

  it('loads nothing from elsewhere, and its policy blocks nothing that it needs', () => {
    expect(messages.filter((text) => /Content Security Policy/.test(text))).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('blob:'))).toEqual([]);
  });
});
