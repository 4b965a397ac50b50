import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, describe, expect, it } from 'vitest';
import { chromiumNote, chromiumPath, launchChromium } from '../support/chromium.ts';
import { projectRoot, scene } from '../support/run-mdetr.ts';
import { StaticServer } from '../support/static-server.ts';

/** Packages that the examples import and that build them. Electron's program is not downloaded: only its types are used. */
const PACKAGES = [
  'next@16',
  'react@19',
  'react-dom@19',
  'electron@45',
  'esbuild@0.28',
  'typescript@5.9',
  '@types/react@19',
  '@types/node@20',
];
const FOUND = 'a brown cylinder, a green ball';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-apps-'));
const next = join(folder, 'next');
const electron = join(folder, 'electron');
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^MDETR_|^NODE_|^VITEST/i.test(name)),
);
const run = (cwd: string, command: string, args: readonly string[], env = {}): SpawnSyncReturns<string> =>
  spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...environment, ...env },
    shell: process.platform === 'win32',
  });

/** Why the examples cannot be built here; undefined if they can. */
const problem = ((): string | undefined => {
  mkdirSync(next);
  writeFileSync(join(next, 'package.json'), '{ "private": true, "type": "module" }');
  const packed = run(projectRoot, 'npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  if (packed.status !== 0) return `npm pack fails: ${packed.stderr.slice(-200)}`;
  const tarball = join(folder, packed.stdout.trim().split('\n').at(-1)!);
  const options = ['--no-audit', '--no-fund', '--ignore-scripts'];
  const { status, stderr } = run(next, 'npm', ['install', ...options, tarball, ...PACKAGES]);
  if (status === 0) return undefined;
  process.stderr.write(`the examples' packages cannot be installed: they are not built\n${stderr.slice(-500)}\n`);
  return 'their packages cannot be installed from the registry';
})();

/** Fills the form of an example and waits for its output. */
const detectIn = async (page: Page): Promise<string> => {
  await page.evaluate('document.querySelector("output").textContent = ""');
  await page.locator('input[type=file]').setInputFiles(scene);
  await page.locator('button').click();
  const output = page.locator('output');
  await expect.poll(() => output.textContent(), { timeout: 120_000 }).not.toMatch(/^(Running …)?$/);
  return (await output.textContent()) ?? '';
};

const freePort = async (): Promise<number> => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
};

const skipped = problem === undefined ? '' : ` (skipped: ${problem})`;
let browser: Browser | undefined;
const openPage = async (): Promise<Page> => (browser ??= await launchChromium()).newPage();
let child: ChildProcess | undefined;
afterAll(async () => {
  await browser?.close();
  child?.kill();
  rmSync(folder, { recursive: true, force: true });
}, 180_000);

describe.skipIf(problem !== undefined)(`the example for Next.js${skipped}`, () => {
  const standalone = join(folder, 'standalone');
  let url: string;

  it('is built, with its types checked, and its server runs without node_modules', { timeout: 400_000 }, async () => {
    cpSync(join(projectRoot, 'examples/next/app'), join(next, 'app'), { recursive: true });
    for (const name of ['next.config.mjs', 'tsconfig.json'])
      cpSync(join(projectRoot, 'examples/next', name), join(next, name));
    const settings = { NEXT_TELEMETRY_DISABLED: '1', CI: '1' };
    const { status, stdout, stderr } = run(next, 'npx', ['next', 'build'], settings);
    expect(status, stdout + stderr).toBe(0);
    expect(JSON.parse(readFileSync(join(next, 'tsconfig.json'), 'utf8'))).toEqual(
      JSON.parse(readFileSync(join(projectRoot, 'examples/next/tsconfig.json'), 'utf8')),
    );

    // Links stay relative, so that nothing of the build folder is used.
    cpSync(join(next, '.next/standalone'), standalone, { recursive: true, verbatimSymlinks: true });
    cpSync(join(next, '.next/static'), join(standalone, '.next/static'), { recursive: true });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = { ...environment, PORT: String(port), HOSTNAME: '127.0.0.1', MDETR_CACHE: join(folder, 'cache') };
    child = spawn(process.execPath, ['server.js'], { cwd: standalone, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const isUp = async (): Promise<boolean> => {
      try {
        return (await fetch(`${url}/api/mdetr/healthz`)).ok;
      } catch {
        return false;
      }
    };
    const end = performance.now() + 60_000;
    while (!(await isUp())) {
      if (performance.now() > end || child.exitCode !== null) throw new Error(`the server does not start: ${log}`);
      await setTimeout(200);
    }
    const body = new FormData();
    body.set('image', new Blob([readFileSync(scene)]));
    body.set('caption', 'a brown cylinder');
    const response = await fetch(`${url}/api/mdetr/v1/detect`, { method: 'POST', body });
    expect(response.status, log).toBe(200);
    expect(await response.json()).toMatchObject({ caption: 'a brown cylinder', model: 'default' });
  });

  it.skipIf(chromiumPath === undefined)(
    `has a page that detects in the browser and on the server${chromiumNote}`,
    { timeout: 200_000 },
    async () => {
      const page = await openPage();
      await page.goto(url);
      expect(await page.evaluate('crossOriginIsolated')).toBe(true);
      for (const place of ['here', 'server']) {
        await page.locator('select').selectOption(place);
        expect(await detectIn(page), place).toBe(FOUND);
      }
      await page.close();
    },
  );
});

describe.skipIf(problem !== undefined)(`the example for Electron${skipped}`, () => {
  const prepare = (): void => {
    cpSync(join(projectRoot, 'examples/electron'), electron, { recursive: true });
    symlinkSync(join(next, 'node_modules'), join(electron, 'node_modules'), 'junction');
    for (const command of ['tsc -p .', ...Object.values(buildCommands())]) {
      const { status, stdout, stderr } = run(electron, 'npx', command.split(' '));
      expect(status, `${command}\n${stdout}${stderr}`).toBe(0);
    }
  };
  /** The scripts that build it. */
  const buildCommands = (): Record<string, string> => {
    const { scripts } = JSON.parse(readFileSync(join(electron, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    return Object.fromEntries(Object.entries(scripts).filter(([name]) => name.startsWith('build:')));
  };

  it('passes its type check and is bundled: main process, preload script, window', { timeout: 200_000 }, () => {
    prepare();
    expect(Object.keys(buildCommands())).toHaveLength(3);
    const code = (name: string): string => readFileSync(join(electron, 'out', name), 'utf8');
    // The package stays outside of the bundle of the main process, so that it finds its model.
    expect(code('main.js')).toMatch(/from "mdetr"/);
    expect(code('preload.cjs')).toMatch(/exposeInMainWorld/);
  });

  it.skipIf(chromiumPath === undefined)(
    `shows in its window what the main process detects${chromiumNote}`,
    { timeout: 200_000 },
    async () => {
      const detector = (await import(pathToFileURL(join(electron, 'out/detector.js')).href)) as {
        detect: (image: Uint8Array, caption: string) => Promise<unknown>;
        close: () => Promise<void>;
      };
      const server = await StaticServer.start({ '/': electron });
      const page = await openPage();
      // In place of Electron's channel between the processes.
      await page.exposeFunction('send', (bytes: number[], caption: string) =>
        detector.detect(Uint8Array.from(bytes), caption),
      );
      await page.addInitScript('window.detector = { detect: (image, caption) => send(Array.from(image), caption) }');
      await page.goto(server.url('/index.html'));
      expect(await detectIn(page)).toBe(FOUND);
      expect(await page.evaluate('document.querySelector("canvas").width')).toBe(480);
      await page.close();
      await server.close();
      await detector.close();
    },
  );
});
