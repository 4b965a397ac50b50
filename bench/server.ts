/**
 * Throughput and latency of `mdetr serve` under load (autocannon), server and generator on cores of their own where
 * `taskset` is there: 1, 8 and 64 clients, with one image and with different ones; and the time of a first and a second
 * caption about an image. Ratios are to one client, that is, to one request at a time, in the same run.
 *
 *     npm run bench:server -- [--seconds 8] [--model MODEL] [--threads N] [--server-cores 0] [--load-cores 1]
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import sharp from 'sharp';
import { generateScene } from '../src/scenes/index.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    model: { type: 'string', default: 'default' },
    threads: { type: 'string', default: '1' },
    'server-cores': { type: 'string', default: '0' },
    'load-cores': { type: 'string', default: '1' },
    pinned: { type: 'boolean', default: false },
  },
});

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Command and arguments, on these cores where that is possible. */
const onCores = (cores: string, command: string, args: readonly string[]): readonly [string, readonly string[]] =>
  hasTaskset ? ['taskset', ['-c', cores, command, ...args]] : [command, args];

// The generator pins itself: it starts again under taskset.
if (hasTaskset && !values.pinned) {
  const [command, args] = onCores(values['load-cores'], process.execPath, [
    ...process.execArgv,
    fileURLToPath(import.meta.url),
    ...process.argv.slice(2),
    '--pinned',
  ]);
  process.exit(spawnSync(command, [...args], { stdio: 'inherit' }).status ?? 1);
}

/** Starts the server and waits for its address. */
const startServer = async (...options: readonly string[]): Promise<{ url: string; child: ChildProcess }> => {
  const [command, args] = onCores(values['server-cores'], process.execPath, [
    `${root}dist/cli/main.js`,
    ...['serve', '--port', '0', '--quiet', '--model', values.model, '--threads', values.threads],
    ...options,
  ]);
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { url, child };
};

const stop = async ({ child }: { child: ChildProcess }): Promise<void> => {
  const end = once(child, 'exit');
  child.kill('SIGTERM');
  await end;
};

/** Scenes of the usual size, as PNG files. */
const images = (count: number, first = 0): Promise<Uint8Array<ArrayBuffer>[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const { image } = generateScene(3, first + index, { width: 320, height: 240 });
      const { data, width, height } = image;
      return new Uint8Array(
        await sharp(data, { raw: { width, height, channels: 3 } })
          .png()
          .toBuffer(),
      );
    }),
  );

const CAPTIONS = ['a red cube', 'the small ball', 'two metal cylinders', 'a large green rubber sphere'];

/** Body and headers of a multipart request. */
const requestOf = async (image: Uint8Array<ArrayBuffer>, caption: string) => {
  const form = new FormData();
  form.set('image', new Blob([image]), 'a.png');
  form.set('caption', caption);
  const request = new Response(form);
  return {
    method: 'POST' as const,
    path: '/v1/detect',
    headers: { 'content-type': request.headers.get('content-type')! },
    body: Buffer.from(await request.arrayBuffer()),
  };
};

/** Load of one kind; prints a row and returns the requests per second. */
const load = async (
  url: string,
  clients: number,
  what: string,
  requests: Awaited<ReturnType<typeof requestOf>>[],
  baseline: number | undefined,
): Promise<number> => {
  const run = autocannon({ url, connections: clients, duration: Number(values.seconds), requests, timeout: 120 });
  const { latency, requests: counts, non2xx, errors } = await run;
  const ratio = baseline === undefined ? '' : `, ${(counts.average / baseline).toFixed(2)} × one client`;
  process.stdout.write(
    `${what}, ${clients} clients: ${counts.average.toFixed(1)} requests/s, p50 ${latency.p50} ms, p99 ${latency.p99} ms, ` +
      `${non2xx + errors} failed${ratio}\n`,
  );
  return counts.average;
};

/** Median times of the first and the second caption about an image, one request at a time. */
const secondCaption = async (url: string): Promise<void> => {
  const [first, second]: [number[], number[]] = [[], []];
  for (const image of await images(20, 1000)) {
    for (const [caption, times] of [
      ['a red cube', first],
      ['the small ball', second],
    ] as const) {
      const { body, headers, path } = await requestOf(image, caption);
      const started = performance.now();
      const response = await fetch(`${url}${path}`, { method: 'POST', body, headers });
      await response.text();
      times.push(performance.now() - started);
    }
  }
  process.stdout.write(
    `first caption ${median(first).toFixed(1)} ms, second caption ${median(second).toFixed(1)} ms: ` +
      `${(median(first) / median(second)).toFixed(2)} × faster\n`,
  );
};

// Different images: features are not kept, so that each request encodes its image.
const cold = await startServer('--queue-time', '600', '--image-cache', '0');
const different = await Promise.all(
  (await images(64)).map((image, index) => requestOf(image, CAPTIONS[index % CAPTIONS.length]!)),
);
await load(cold.url, 1, 'warm-up', different, undefined);
let one: number | undefined;
for (const clients of [1, 8, 64]) {
  const rate = await load(cold.url, clients, 'different images', different, one);
  one ??= rate;
}
await stop(cold);

const warm = await startServer('--queue-time', '600');
const [image] = await images(1);
const same = await Promise.all(CAPTIONS.map((caption) => requestOf(image!, caption)));
one = undefined;
for (const clients of [1, 8, 64]) {
  const rate = await load(warm.url, clients, 'one image', same, one);
  one ??= rate;
}
await secondCaption(warm.url);
await stop(warm);
