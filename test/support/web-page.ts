import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { StaticServer } from './static-server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A page of its own origin that has loaded `mdetr/web`, without a bundler, and everything that it said. */
export interface WebPage {
  readonly page: Page;
  readonly server: StaticServer;
  /** Messages of the console and uncaught errors. */
  readonly messages: string[];
  /**
   * Calls an async function in the page. It is given as source text, because these tests are compiled without the types of
   * the DOM.
   *
   * @param source `({ MDETR, … }, args) => …`
   */
  call<T>(source: string, args?: unknown): Promise<T>;
  close(): Promise<void>;
}

/** Headers that allow a page to load nothing but its own files. WebAssembly has to be allowed by name. */
export const STRICT_POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'";

const HTML = `<!doctype html><html lang="en"><title>test</title>
<script type="importmap">{ "imports": { "mdetr/web": "/dist/web/mdetr.js" } }</script>
<script type="module" src="/load.js"></script></html>`;

/** Opens a page of a new server, which has the package and further folders. */
export const openWebPage = async (
  browser: Browser,
  headers: Readonly<Record<string, string>> = {},
  folders: Readonly<Record<string, string>> = {},
): Promise<WebPage> => {
  const server = await StaticServer.start({ ...folders, '/': root });
  server.headers = { ...headers };
  // A policy that forbids inline scripts forbids import maps, too.
  const isStrict = 'Content-Security-Policy' in headers;
  server.setText('/page.html', isStrict ? HTML.replace(/<script type="importmap">.*<\/script>\n/, '') : HTML);
  server.setText(
    '/load.js',
    `import * as mdetr from '${isStrict ? '/dist/web/mdetr.js' : 'mdetr/web'}'; window.mdetr = mdetr;`,
    'text/javascript',
  );
  const context = await browser.newContext();
  const page = await context.newPage();
  const messages: string[] = [];
  page.on('console', (message) => messages.push(message.text()));
  page.on('pageerror', (error) => messages.push(error.message));
  await page.goto(server.url('/page.html'));
  await page.waitForFunction('window.mdetr !== undefined');
  return {
    page,
    server,
    messages,
    call: (source, args) => page.evaluate(`(${source})(window.mdetr, ${JSON.stringify(args ?? null)})`),
    close: async () => {
      await context.close();
      await server.close();
    },
  };
};
