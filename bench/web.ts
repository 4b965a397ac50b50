/**
 * Times `mdetr/web` in the system's Chromium: the first result from navigation on a warm cache, and further captions, beside
 * Node's WebAssembly runtime with the same programs and number of threads. Needs a build (`npm run build`).
 */
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { MDETR } from '../src/index.ts';
import { chromiumPath, launchChromium } from '../test/support/chromium.ts';
import { ISOLATION_HEADERS, StaticServer } from '../test/support/static-server.ts';
import { median } from './median.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const CAPTION = 'a green ball and a brown cylinder';
const RUNS = 30;
const WARM_UP = 5;

/** Script of a page: the first result, then further captions on the encoded image. */
const PAGE = (threads: number): string => `<!doctype html><title>bench</title><script type="module">
import { MDETR } from '/dist/web/mdetr.js';
const model = await MDETR.fromPretrained('default', { device: 'wasm', threads: ${threads} });
const loaded = performance.now();
const scene = await model.encodeImage('/examples/scene.png');
await scene.detect('${CAPTION}');
const first = performance.now();
const times = [];
for (let run = 0; run < ${RUNS + WARM_UP}; run++) {
  const started = performance.now();
  await scene.detect('${CAPTION}');
  times.push(performance.now() - started);
}
window.result = { loaded, first, times: times.slice(${WARM_UP}), threads: model.threads };
</script>`;

interface Measured {
  readonly loaded: number;
  readonly first: number;
  readonly times: readonly number[];
  readonly threads: number;
}

const inNode = async (threads: number): Promise<number> => {
  process.env['MDETR_RUNTIME'] = 'wasm';
  const model = await MDETR.fromPretrained('default', { threads });
  const scene = await model.encodeImage(join(root, 'examples/scene.png'));
  const times: number[] = [];
  for (let run = 0; run < RUNS + WARM_UP; run++) {
    const started = performance.now();
    await scene.detect(CAPTION);
    times.push(performance.now() - started);
  }
  await model.dispose();
  return median(times.slice(WARM_UP));
};

const threads = Number(process.argv[2] ?? 2);
if (chromiumPath === undefined) throw new Error('there is no Chromium; set CHROMIUM');
const server = await StaticServer.start({ '/': root });
server.headers = { ...ISOLATION_HEADERS };
server.setText('/bench.html', PAGE(threads));
const browser = await launchChromium();
const page = await browser.newPage();
const measured: Measured[] = [];
for (let visit = 0; visit < 4; visit++) {
  await page.goto(server.url('/bench.html'));
  await page.waitForFunction('window.result !== undefined', undefined, { timeout: 120_000 });
  measured.push(await page.evaluate<Measured>('window.result'));
}
await browser.close();
await server.close();
const [cold, ...warm] = measured as [Measured, ...Measured[]];
const node = await inNode(threads);
const further = median(warm.flatMap(({ times }) => times));
const lines = [
  `first result from navigation, empty cache: ${Math.round(cold.first)} ms`,
  `first result from navigation, warm cache: ${Math.round(median(warm.map(({ first }) => first)))} ms, of which loading ${Math.round(median(warm.map(({ loaded }) => loaded)))} ms`,
  `further caption, ${warm[0]!.threads} threads: ${further.toFixed(1)} ms; Node's WebAssembly: ${node.toFixed(1)} ms; ratio ${(further / node).toFixed(2)}`,
];
process.stdout.write(`${lines.join('\n')}\n`);
