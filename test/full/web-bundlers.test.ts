import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { projectRoot } from '../support/run-mdetr.ts';
import { StaticServer } from '../support/static-server.ts';

/** Bundlers and what the React example needs, installed into a project of their own. */
const PACKAGES = ['vite@8', 'webpack@5', 'webpack-cli@6', 'esbuild@0.28', 'react@19', 'react-dom@19'];
const FOUND = 'a brown cylinder, a green ball';
const PLAIN = join(projectRoot, 'examples/web/plain');
const HTML = '<!doctype html><html lang="en"><title>t</title><img src="/scene.png" alt="" hidden><canvas></canvas>';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-bundlers-'));
const run = (command: string, args: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 120_000, shell: process.platform === 'win32' });

const isInstalled = ((): boolean => {
  if (chromiumPath === undefined) return false;
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  const { status, stderr } = run('npm', ['install', '--no-audit', '--no-fund', ...PACKAGES]);
  if (status !== 0) process.stderr.write(`bundlers cannot be installed: they are not tested\n${stderr.slice(-500)}\n`);
  return status === 0;
})();

/** The package as it is published: what browsers load of it, which depends on no other package. */
const installPackage = (): void => {
  const target = join(folder, 'node_modules/mdetr');
  for (const path of ['package.json', 'dist/web', 'dist/ort', 'models/default'])
    cpSync(join(projectRoot, path), join(target, path), { recursive: true });
};

describe.skipIf(!isInstalled)(`mdetr/web in bundles${chromiumNote}`, { timeout: 180_000 }, () => {
  let browser: Browser;
  let server: StaticServer;

  /** Text that the page at a path shows when it is done. */
  const outputOf = async (path: string): Promise<string> => {
    const page = await browser.newPage();
    const messages: string[] = [];
    page.on('console', (message) => messages.push(message.text()));
    page.on('pageerror', (error) => messages.push(error.message));
    try {
      await page.goto(server.url(path));
      if (path.includes('react')) await page.locator('button:enabled').click({ timeout: 60_000 });
      await page.waitForFunction('document.querySelector("output")?.textContent !== ""', undefined, {
        timeout: 60_000,
      });
      return (await page.locator('output').textContent()) ?? '';
    } catch (error) {
      throw new Error(`${path}: ${messages.join('; ')}`, { cause: error });
    } finally {
      await page.close();
    }
  };

  beforeAll(async () => {
    installPackage();
    cpSync(join(projectRoot, 'examples/scene.png'), join(folder, 'scene.png'));
    for (const example of ['plain', 'react'])
      cpSync(join(projectRoot, 'examples/web', example), join(folder, example), { recursive: true });
    cpSync(join(folder, 'scene.png'), join(folder, 'plain/scene.png'));
    writeFileSync(join(folder, 'node-entry.js'), "import { MDETR } from 'mdetr';\nconsole.log(MDETR);\n");
    server = await StaticServer.start({ '/': `${folder}/` });
    browser = await launchChromium();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('runs without a bundler, in 20 lines', async () => {
    const lines = ['index.html', 'main.js'].flatMap((name) =>
      readFileSync(join(PLAIN, name), 'utf8').trim().split('\n'),
    );
    expect(lines.length).toBeLessThanOrEqual(20);
    expect(await outputOf('/plain/index.html')).toBe(FOUND);
  });

  it('runs in a bundle of Vite, with nothing to configure', async () => {
    mkdirSync(join(folder, 'vite'));
    writeFileSync(
      join(folder, 'vite/index.html'),
      `${HTML}<output></output><script type="module" src="../plain/main.js"></script></html>`,
    );
    const { status, stderr, stdout } = run('npx', ['vite', 'build', 'vite', '--base', './']);
    expect(status, stderr + stdout).toBe(0);
    expect(await outputOf('/vite/dist/index.html')).toBe(FOUND);
  });

  it('runs in a bundle of webpack, with nothing to configure', async () => {
    const args = ['--mode', 'production', '--entry', './plain/main.js', '-o', 'webpack/dist'];
    const { status, stderr, stdout } = run('npx', ['webpack', 'build', ...args]);
    expect(status, stderr + stdout).toBe(0);
    writeFileSync(
      join(folder, 'webpack/dist/index.html'),
      `${HTML}<output></output><script src="main.js"></script></html>`,
    );
    expect(await outputOf('/webpack/dist/index.html')).toBe(FOUND);
  });

  it('runs in a bundle of esbuild, with the address of the package', async () => {
    mkdirSync(join(folder, 'esbuild'));
    const source = readFileSync(join(PLAIN, 'main.js'), 'utf8');
    const assets = "fromPretrained('default', { assets: '/node_modules/mdetr/' })";
    writeFileSync(join(folder, 'esbuild/main.js'), source.replace('fromPretrained()', assets));
    const args = ['--bundle', '--format=esm', '--outfile=esbuild/out.js'];
    const { status, stderr } = run('npx', ['esbuild', 'esbuild/main.js', ...args]);
    expect(status, stderr).toBe(0);
    writeFileSync(
      join(folder, 'esbuild/index.html'),
      `${HTML}<output></output><script type="module" src="out.js"></script></html>`,
    );
    expect(await outputOf('/esbuild/index.html')).toBe(FOUND);
  });

  it('runs in React, by a hook', async () => {
    writeFileSync(
      join(folder, 'react/index.html'),
      `${HTML.replace('<canvas></canvas>', '')}<div id="root"></div><script type="module" src="app.jsx"></script></html>`,
    );
    const { status, stderr, stdout } = run('npx', ['vite', 'build', 'react', '--base', './', '--outDir', 'react-dist']);
    expect(status, stderr + stdout).toBe(0);
    expect(await outputOf('/react/react-dist/index.html')).toBe(FOUND);
  });

  it('says in one sentence that the main entry needs Node, in every bundler', () => {
    const sentence = /This entry of mdetr needs Node\.js: in a browser, import .{1,3}mdetr\/web/;
    mkdirSync(join(folder, 'vite-node'));
    writeFileSync(join(folder, 'vite-node/index.html'), '<script type="module" src="../node-entry.js"></script>');
    for (const args of [
      ['vite', 'build', 'vite-node'],
      ['webpack', 'build', '--mode', 'production', '--entry', './node-entry.js', '-o', 'webpack-node'],
      ['esbuild', 'node-entry.js', '--bundle', '--outfile=esbuild-node.js'],
    ]) {
      const { status, stdout, stderr } = run('npx', args);
      expect(status, args[0]).not.toBe(0);
      expect(stdout + stderr).toMatch(sentence);
    }
  });
});
