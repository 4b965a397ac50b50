import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient } from '@hey-api/openapi-ts';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MDETR } from '../../src/inference/node/mdetr.ts';
import { generateScene } from '../../src/scenes/index.ts';
import type { DetectionResult } from '../../src/results/types.ts';
import { projectRoot } from '../support/run-mdetr.ts';
import { formOf } from '../support/server-requests.ts';

/** Requests of the memory test. The bar is 10,000, which `MDETR_LOAD_REQUESTS` asks for. */
const REQUESTS = Number(process.env['MDETR_LOAD_REQUESTS'] ?? 3000);

/** Seconds of overload. */
const OVERLOAD_S = Number(process.env['MDETR_OVERLOAD_SECONDS'] ?? 20);

interface Entry {
  readonly event: string;
  readonly status?: number;
  readonly pid?: number;
}

/** `mdetr serve` as a process of its own. */
class Server {
  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
    readonly log: readonly Entry[],
  ) {}

  static async start(folder: string, ...options: readonly string[]): Promise<Server> {
    const args = [join(projectRoot, 'dist/cli/main.js'), 'serve', '--port', '0', '--threads', '1', ...options];
    const child = spawn(process.execPath, args, { env: { ...process.env, MDETR_CACHE: folder } });
    const log: Entry[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('{')) log.push(JSON.parse(line) as Entry);
    });
    const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return new Server(child, url, log);
  }

  get worker(): number {
    return this.log.findLast(({ event }) => event === 'worker-ready')!.pid!;
  }

  async ready(): Promise<boolean> {
    return (await fetch(`${this.url}/readyz`)).ok;
  }

  async stop(): Promise<number | null> {
    const end = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    return ((await end) as [number | null])[0];
  }

  /** Resident memory of the server and its worker in MB. */
  memory(): number {
    return [this.child.pid!, this.worker].reduce((sum, pid) => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
      return sum + Number(kilobytes) / 1024;
    }, 0);
  }
}

const CAPTIONS = ['a red cube', 'the small ball', 'two metal cylinders', 'a large green rubber sphere'];

interface Case {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly caption: string;
  readonly alone: DetectionResult;
}

let folder: string;
const cases: Case[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-load-'));
  const model = await MDETR.fromPretrained('default', { cacheDir: folder, threads: 1 });
  for (let index = 0; index < 24; index++) {
    // Three sizes, so that batches have to be told apart.
    const [width, height] = [
      [320, 240],
      [240, 320],
      [300, 300],
    ][index % 3] as [number, number];
    const { data } = generateScene(5, index, { width, height }).image;
    const image = new Uint8Array(
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer(),
    );
    for (const caption of CAPTIONS)
      cases.push({ image, caption, alone: await model.detect(image, caption, { threshold: 0 }) });
  }
  await model.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const send = (url: string, { image, caption }: Case): Promise<Response> =>
  fetch(`${url}/v1/detect`, { method: 'POST', body: formOf({ image, caption, threshold: '0' }) });

/** Expects the result of the case alone, up to rounding. */
const expectSame = (found: DetectionResult, { caption, alone }: Case): void => {
  expect(found.caption).toBe(caption);
  const rows = ({ detections }: DetectionResult) =>
    detections.toSorted((a, b) => a.query - b.query).map(({ query, score, box }) => [query, score * 100, ...box]);
  const [a, b] = [rows(found), rows(alone)];
  expect(a.length).toBe(b.length);
  const largest = Math.max(...a.flatMap((row, i) => row.map((value, k) => Math.abs(value - b[i]![k]!))));
  expect(largest).toBeLessThan(5e-3);
};

/** Sends requests of `clients` at a time until `isOver`, and counts the answers by status. All of them are checked. */
const load = async (
  url: string,
  clients: number,
  isOver: (sent: number) => boolean,
): Promise<{ counts: Map<number | string, number>; acceptedMs: number[] }> => {
  const counts = new Map<number | string, number>();
  const acceptedMs: number[] = [];
  let sent = 0;
  const count = (key: number | string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  const client = async (): Promise<void> => {
    while (!isOver(sent)) {
      const one = cases[(sent++ * 7) % cases.length]!;
      const started = performance.now();
      try {
        const response = await send(url, one);
        count(response.status);
        const body = (await response.json()) as DetectionResult;
        if (response.status === 200) {
          acceptedMs.push(performance.now() - started);
          expectSame(body, one);
        } else {
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
          // A client that is refused tries again soon, which keeps the overload up.
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      } catch (error) {
        const { code } = ((error as Error).cause ?? {}) as { code?: string };
        if (code === undefined) throw error;
        count(code);
        if (code === 'ECONNREFUSED') return;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { counts, acceptedMs };
};

const percentile = (times: readonly number[], fraction: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(fraction * (times.length - 1))]!;

describe('under load', () => {
  it(`overload for ${OVERLOAD_S} s: every answer is right or a refusal; then a killed worker is survived`, async () => {
    const server = await Server.start(folder);
    const end = performance.now() + OVERLOAD_S * 1000;
    const { counts, acceptedMs } = await load(server.url, 64, () => performance.now() > end);
    process.stderr.write(
      `overload: ${JSON.stringify([...counts])}, accepted p50 ${percentile(acceptedMs, 0.5).toFixed(0)} ms, p99 ${percentile(acceptedMs, 0.99).toFixed(0)} ms\n`,
    );
    expect([...counts.keys()].toSorted()).toEqual([200, 503]);
    setTimeout(() => process.kill(server.worker, 'SIGKILL'), 1000);
    const later = await load(
      server.url,
      16,
      () => server.log.filter(({ event }) => event === 'worker-ready').length > 1,
    );
    expect([...later.counts.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(server.log.filter(({ event }) => event === 'worker-exit')).toHaveLength(1);
    expect(await server.ready()).toBe(true);
    expect(await server.stop()).toBe(0);
  });

  it('SIGTERM loses nothing that was accepted', async () => {
    const server = await Server.start(folder, '--queue-time', '60');
    const stopped = new Promise<number | null>((resolve) => {
      setTimeout(() => void server.stop().then(resolve), 3000);
    });
    const { counts } = await load(server.url, 16, () => false);
    expect(await stopped).toBe(0);
    process.stderr.write(`SIGTERM: ${JSON.stringify([...counts])}\n`);
    // Each client ends with a refused connection; before that, it is told that the server shuts down, or meets a connection
    // that is being closed.
    expect(counts.get('ECONNREFUSED')).toBe(16);
    const closed = [200, 503, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];
    expect([...counts.keys()].filter((key) => !closed.includes(key))).toEqual([]);
    // Nothing that the server accepted is among those that met a closed connection.
    const statuses = server.log.flatMap(({ event, status }) => (event === 'request' ? [status] : []));
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200)).toHaveLength(counts.get(200)!);
  });

  it.skipIf(process.platform !== 'linux')(
    `memory stays flat over ${REQUESTS} requests`,
    async () => {
      const server = await Server.start(folder, '--queue-time', '60', '--quiet', '--image-cache', '16');
      await load(server.url, 8, (sent) => sent >= REQUESTS / 3);
      const early = server.memory();
      await load(server.url, 8, (sent) => sent >= (2 * REQUESTS) / 3);
      const late = server.memory();
      process.stderr.write(`memory: ${early.toFixed(0)} MB, then ${late.toFixed(0)} MB\n`);
      expect(late / early).toBeLessThan(1.1);
      await server.stop();
    },
    240_000,
  );
});

describe('a client generated from the OpenAPI document', () => {
  it('detects', async () => {
    const server = await Server.start(folder);
    const output = join(folder, 'client');
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as object;
    await createClient({ input: document as never, output, logs: { level: 'silent' } });
    const { client } = (await import(`${output}/client.gen.ts`)) as {
      client: { setConfig: (config: { baseUrl: string }) => void };
    };
    client.setConfig({ baseUrl: server.url });
    const { detect, models } = (await import(`${output}/sdk.gen.ts`)) as Record<
      string,
      (options?: object) => Promise<{ data?: Record<string, unknown>; error?: unknown }>
    >;
    expect((await models!()).data).toMatchObject({ models: [{ name: 'default' }] });
    const [one] = cases as [Case];
    const image = Buffer.from(one.image).toString('base64');
    const { data, error } = await detect!({ body: { image, caption: one.caption, threshold: 0 } });
    expect(error).toBeUndefined();
    expectSame(data as unknown as DetectionResult, one);
    expect((await detect!({ body: { image, caption: '' } })).error).toMatchObject({ status: 422 });
    await server.stop();
  });
});

const schemathesis = process.env['MDETR_SCHEMATHESIS'] ?? 'schemathesis';
const hasSchemathesis = spawnSync(schemathesis, ['--version']).status === 0;

describe(`fuzzing from the OpenAPI document${hasSchemathesis ? '' : ' (skipped: needs schemathesis, pip install schemathesis)'}`, () => {
  it.skipIf(!hasSchemathesis)(
    'finds no server error',
    async () => {
      const server = await Server.start(folder, '--queue-time', '60');
      const options = [
        '--checks',
        'not_a_server_error',
        '--max-examples',
        '40',
        '--phases',
        'examples,coverage,fuzzing',
      ];
      const child = spawn(schemathesis, ['run', `${server.url}/openapi.json`, '--url', server.url, ...options]);
      let report = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (report += chunk.toString()));
      const [status] = (await once(child, 'exit')) as [number | null];
      expect(status, report).toBe(0);
      await server.stop();
    },
    240_000,
  );
});
