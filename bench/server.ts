/**
 * `mdetr serve` under load, server and load generator on cores of their own where `taskset` is there. Prints each measurement
 * beside its target:
 *
 * - `throughput`: requests per second and latency (autocannon) with 1, 8 and 64 clients, different images and one image
 * - `caption`: times over HTTP of a first and a second caption about an image, after 40 images that are not counted, and again
 *   after 150
 * - `overload`: ten times the requests that the server can answer, for a minute; every answer is checked against the one
 *   without load
 * - `stop`: a worker is killed under load, then the server gets SIGTERM under load
 * - `memory`: resident memory after 10,000 requests, relative to that after 1,000
 * - `official`: `caption` at the official size (ResNet-101, RoBERTa-base), with weights from a seed
 *
 *     npm run bench:server -- [--only caption,memory] [--seconds 8] [--threads 1] [--server-cores 0] [--load-cores 1]
 *
 * Processor time per request is printed too: it does not depend on what else the machine does.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import { Client } from 'undici';
import { exportModel } from '../src/export/node/export-model.ts';
import {
  LOAD_CAPTIONS,
  loadRequestOf,
  loadServer,
  makeLoadCases,
  percentile,
  scenePng,
  type LoadRequest,
} from '../test/support/server-load.ts';
import { hasTaskset, onCores, ServerProcess } from '../test/support/server-process.ts';
import { median } from './median.ts';

const SECTIONS = ['throughput', 'caption', 'overload', 'stop', 'memory', 'official'] as const;
type Section = (typeof SECTIONS)[number];

/** Factor between the requests that are offered in `overload` and those that the server can answer. */
const OVERLOAD = 10;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: SECTIONS.join() },
    seconds: { type: 'string', default: '8' },
    'overload-seconds': { type: 'string', default: '60' },
    requests: { type: 'string', default: '10000' },
    threads: { type: 'string', default: '1' },
    'server-cores': { type: 'string', default: '0' },
    'load-cores': { type: 'string', default: '1' },
    pinned: { type: 'boolean', default: false },
  },
});
const sections = values.only.split(',') as Section[];
for (const name of sections)
  if (!SECTIONS.includes(name)) throw new Error(`--only: "${name}" is none of ${SECTIONS.join(', ')}`);

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

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const start = (...options: readonly string[]): Promise<ServerProcess> =>
  ServerProcess.start(undefined, ['--threads', values.threads, '--quiet', ...options], values['server-cores']);

const manyImages = (count: number, first = 0): Promise<Uint8Array<ArrayBuffer>[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => scenePng(3, first + index)));

/** Loads a server with 1, 8 and 64 clients and prints a row for each. */
const throughput = async (
  what: string,
  goal: string,
  server: ServerProcess,
  requests: LoadRequest[],
): Promise<void> => {
  const options = { url: server.url, requests, timeout: 120 };
  await autocannon({ ...options, connections: 8, duration: 2 });
  let one: { readonly rate: number; readonly cpuMs: number } | undefined;
  for (const connections of [1, 8, 64]) {
    const before = server.cpuMs();
    const run = await autocannon({ ...options, connections, duration: Number(values.seconds) });
    const after = server.cpuMs();
    const answers = run['2xx'];
    const [serverMs, workerMs] = [after.server - before.server, after.worker - before.worker].map((ms) => ms / answers);
    const rate = answers / run.duration;
    const cpuMs = serverMs! + workerMs!;
    one ??= { rate, cpuMs };
    print(
      `${what}, ${connections} clients: ${rate.toFixed(1)} requests/s (${(rate / one.rate).toFixed(2)} × one client), ` +
        `p50 ${run.latency.p50} ms, p99 ${run.latency.p99} ms, ${run.non2xx + run.errors} failed; processor time ` +
        `${serverMs!.toFixed(1)} + ${workerMs!.toFixed(1)} ms per request, server + worker ` +
        `(${(one.cpuMs / cpuMs).toFixed(2)} × less than one client)${connections === 8 ? goal : ''}`,
    );
  }
};

/** Images of `secondCaption`. */
interface CaptionImages {
  /** Index of the first one: the server must not have seen it. */
  readonly start: number;
  /** Images that are not counted: connections are fresh, and V8 has not compiled the code of either kind of request. */
  readonly warmUp: number;
  readonly counted: number;
}

/** Median times of the first and the second caption about an image, one request at a time. */
const secondCaption = async (
  server: ServerProcess,
  { start: begin, warmUp, counted }: CaptionImages,
  goal: number,
): Promise<void> => {
  const [first, second, firstCpu, secondCpu]: [number[], number[], number[], number[]] = [[], [], [], []];
  const cpu = (): number => server.cpuMs().server + server.cpuMs().worker;
  // One connection that stays open; `fetch` would take a millisecond of its own for each request.
  const client = new Client(server.url);
  // Messages are made beforehand: in a pause of a few milliseconds the processor falls asleep, and any request takes 1.5 ms longer.
  const messages = await Promise.all(
    (await manyImages(warmUp + counted, begin)).map(
      async (image) =>
        [await loadRequestOf(image, 'a red cube'), await loadRequestOf(image, 'the small ball')] as const,
    ),
  );
  for (const [index, [one, other]] of messages.entries())
    for (const [message, times, cpuTimes] of [
      [one, first, firstCpu],
      [other, second, secondCpu],
    ] as const) {
      const before = cpu();
      const started = performance.now();
      const { statusCode, body } = await client.request(message);
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`status ${statusCode}: ${text}`);
      if (index < warmUp) continue;
      times.push(performance.now() - started);
      cpuTimes.push(cpu() - before);
    }
  await client.close();
  const sum = (all: readonly number[]): number => all.reduce((total, ms) => total + ms, 0);
  print(
    `after ${begin - 1000 + warmUp} images: first caption ${median(first).toFixed(1)} ms, second caption ${median(second).toFixed(1)} ms: ` +
      `${(median(first) / median(second)).toFixed(2)} × faster (goal ${goal}), processor time ` +
      `${(sum(firstCpu) / sum(secondCpu)).toFixed(2)} × less`,
  );
};

/** Value of a metric of a server. */
const metric = async (server: ServerProcess, name: string): Promise<number> => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)![1]);
};

const run: Readonly<Record<Section, () => Promise<void>>> = {
  async throughput() {
    const images = await manyImages(64);
    const texts = (index: number): string => LOAD_CAPTIONS[index % LOAD_CAPTIONS.length]!;
    // Different images: features are not kept, so that each request encodes its image.
    const cold = await start('--queue-time', '600', '--image-cache', '0');
    const different = await Promise.all(images.map((image, index) => loadRequestOf(image, texts(index))));
    await throughput('different images', '; goal: 1.2 × one client', cold, different);
    await cold.stop();
    const warm = await start('--queue-time', '600');
    const same = await Promise.all(LOAD_CAPTIONS.map((caption) => loadRequestOf(images[0]!, caption)));
    await throughput('one image', '', warm, same);
    await warm.stop();
  },

  async caption() {
    const server = await start('--queue-time', '600');
    await secondCaption(server, { start: 1000, warmUp: 40, counted: 60 }, 2);
    await secondCaption(server, { start: 1100, warmUp: 50, counted: 60 }, 2);
    await server.stop();
  },

  async overload() {
    const cases = await makeLoadCases(undefined);
    // With its log, which has the time of each request in the server.
    const server = await ServerProcess.start(undefined, ['--threads', values.threads], values['server-cores']);
    const seconds = Number(values['overload-seconds']);
    const alone = await loadServer(server.url, cases, { clients: 1, isOver: (sent) => sent >= 40 });
    const batchStarted = performance.now();
    const sameSize = cases.filter((_, index) => Math.floor(index / LOAD_CAPTIONS.length) % 3 === 0);
    await loadServer(server.url, sameSize, { clients: 8, isOver: (sent) => sent >= 64 });
    const batchMs = (performance.now() - batchStarted) / 8;
    // What the server can answer: as many clients as fit a batch, none of which sends more than it gets answers for.
    const until = (ms: number) => {
      const end = performance.now() + ms;
      return () => performance.now() > end;
    };
    const measured = await loadServer(server.url, cases, { clients: 8, isOver: until(5000) });
    const capacity = measured.acceptedMs.length / 5;
    let limitMs = 0;
    const timer = setInterval(() => {
      void metric(server, 'mdetr_queue_limit_seconds').then((limit) => (limitMs = Math.max(limitMs, limit * 1000)));
    }, 2000);
    const before = server.log.length;
    const rate = OVERLOAD * capacity;
    const { counts, acceptedMs } = await loadServer(server.url, cases, {
      clients: 64,
      rate,
      isOver: until(seconds * 1000),
    });
    clearInterval(timer);
    const answered = server.log.slice(before).filter(({ status, waitMs }) => status === 200 && waitMs !== undefined);
    const inServerMs = answered.map(({ ms }) => ms!);
    const stages = (['bodyMs', 'prepareMs', 'waitMs', 'batchMs'] as const).map((stage) => {
      const times = answered.map((entry) => entry[stage]!);
      return `${stage} ${percentile(times, 0.5).toFixed(0)} and ${percentile(times, 0.99).toFixed(0)}`;
    });
    const [accepted, refused] = [counts.get(200) ?? 0, counts.get(503) ?? 0];
    const others = [...counts.keys()].filter((status) => status !== 200 && status !== 503);
    const expired = await metric(server, 'mdetr_expired_requests_total');
    const overloadBatchMs =
      (1000 * (await metric(server, 'mdetr_batch_seconds_sum'))) / (await metric(server, 'mdetr_batch_seconds_count'));
    print(
      `overload, ${seconds} s: ${accepted} accepted and right, ${refused} refused (${expired} of them after they had waited), ` +
        `${others.length === 0 ? 'no other answer' : `OTHER ANSWERS: ${others.join()}`}; offered ` +
        `${((accepted + refused) / seconds).toFixed(0)}/s, ${((accepted + refused) / seconds / capacity).toFixed(1)} × the ` +
        `${capacity.toFixed(0)}/s that it answers without refusals (goal 10); one request alone ` +
        `${percentile(alone.acceptedMs, 0.5).toFixed(0)} ms; accepted p50 ${percentile(acceptedMs, 0.5).toFixed(0)} ms, ` +
        `p99 ${percentile(acceptedMs, 0.99).toFixed(0)} ms, in the server p50 ${percentile(inServerMs, 0.5).toFixed(0)} ms, ` +
        `p99 ${percentile(inServerMs, 0.99).toFixed(0)} ms (p50 and p99 of its parts: ${stages.join(', ')}) ` +
        `(goal: limit of the queue ${limitMs.toFixed(0)} + one batch of 8 without load ${batchMs.toFixed(0)} ms; ` +
        `mean batch of the whole run ${overloadBatchMs.toFixed(0)} ms)`,
    );
    print(`ready after it: ${String(await server.ready())}; exit status ${String(await server.stop())}`);
  },

  async stop() {
    const cases = await makeLoadCases(undefined, 6);
    const server = await start('--queue-time', '60');
    setTimeout(() => process.kill(server.worker, 'SIGKILL'), 1000);
    const isReplaced = (): boolean => server.log.filter(({ event }) => event === 'worker-ready').length > 1;
    const killed = await loadServer(server.url, cases, { clients: 16, isOver: isReplaced });
    print(`worker killed under load: ${JSON.stringify(Object.fromEntries(killed.counts))} (goal: 200 and 503 only)`);
    const stopped = new Promise<number | null>((resolve) => setTimeout(() => void server.stop().then(resolve), 3000));
    const ended = await loadServer(server.url, cases, { clients: 16, isOver: () => false });
    print(
      `SIGTERM under load: ${JSON.stringify(Object.fromEntries(ended.counts))}, exit status ${String(await stopped)} ` +
        '(goal: each client ends with a refused connection, no accepted request is lost, status 0)',
    );
  },

  async memory() {
    const cases = await makeLoadCases(undefined, 6);
    const total = Number(values.requests);
    // A small cache of images, which is full before the first measurement.
    const server = await start('--queue-time', '60', '--image-cache', '16');
    await loadServer(server.url, cases, { clients: 8, isOver: (sent) => sent >= total / 10 });
    const early = server.memoryMb();
    await loadServer(server.url, cases, { clients: 8, isOver: (sent) => sent >= (total * 9) / 10 });
    const late = server.memoryMb();
    print(
      `memory of server and worker after ${total / 10} requests ${early.toFixed(0)} MB, after ${total} ` +
        `${late.toFixed(0)} MB: ${(late / early).toFixed(3)} × (goal 1.1)`,
    );
    await server.stop();
  },

  async official() {
    const folder = mkdtempSync(join(tmpdir(), 'mdetr-bench-server-'));
    try {
      const untrained = join(folder, 'untrained');
      mkdirSync(untrained);
      const config = { backbone: 'resnet101', text_encoder_type: 'roberta-base', init_seed: 1 };
      writeFileSync(join(untrained, 'config.json'), JSON.stringify(config));
      const tokenizer = fileURLToPath(new URL('../test/fixtures/reference/roberta', import.meta.url));
      await exportModel(untrained, join(folder, 'exported'), { tokenizer });
      const server = await start('--queue-time', '600', '--timeout', '600', '--model', join(folder, 'exported'));
      process.stdout.write('official size: ');
      await secondCaption(server, { start: 1000, warmUp: 1, counted: 6 }, 5);
      await server.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

for (const section of sections) {
  const started = performance.now();
  await run[section]();
  print(`(${section}: ${((performance.now() - started) / 1000).toFixed(0)} s)\n`);
}
