import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@hey-api/openapi-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DetectionResult } from '../../src/results/types.ts';
import { checkAnswer, loadServer, makeLoadCases, percentile, type LoadCase } from '../support/server-load.ts';
import { ServerProcess } from '../support/server-process.ts';

/** Requests of the memory test. The bar is 10,000, which `MDETR_LOAD_REQUESTS` asks for. */
const REQUESTS = Number(process.env['MDETR_LOAD_REQUESTS'] ?? 4000);

/** Measurements of memory, whose median counts. */
const PARTS = 10;

/** Seconds of overload. */
const OVERLOAD_S = Number(process.env['MDETR_OVERLOAD_SECONDS'] ?? 20);

let folder: string;
let cases: readonly LoadCase[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-load-'));
  cases = await makeLoadCases(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (...options: readonly string[]): Promise<ServerProcess> =>
  ServerProcess.start(folder, ['--threads', '1', ...options]);

describe('under load', () => {
  it(`overload for ${OVERLOAD_S} s: every answer is right or a refusal; then a killed worker is survived`, async () => {
    const server = await start();
    const end = performance.now() + OVERLOAD_S * 1000;
    const { counts, acceptedMs } = await loadServer(server.url, cases, {
      clients: 64,
      isOver: () => performance.now() > end,
    });
    process.stderr.write(
      `overload: ${JSON.stringify([...counts])}, accepted p50 ${percentile(acceptedMs, 0.5).toFixed(0)} ms, p99 ${percentile(acceptedMs, 0.99).toFixed(0)} ms\n`,
    );
    expect([...counts.keys()].toSorted()).toEqual([200, 503]);
    setTimeout(() => process.kill(server.worker, 'SIGKILL'), 1000);
    const later = await loadServer(server.url, cases, {
      clients: 16,
      isOver: () => server.log.filter(({ event }) => event === 'worker-ready').length > 1,
    });
    expect([...later.counts.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(server.log.filter(({ event }) => event === 'worker-exit')).toHaveLength(1);
    expect(await server.ready()).toBe(true);
    expect(await server.stop()).toBe(0);
  });

  it('SIGTERM loses nothing that was accepted', async () => {
    const server = await start('--queue-time', '60');
    const stopped = new Promise<number | null>((resolve) => {
      setTimeout(() => void server.stop().then(resolve), 3000);
    });
    const { counts } = await loadServer(server.url, cases, { clients: 16, isOver: () => false });
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
      const server = await start('--queue-time', '60', '--quiet', '--image-cache', '16');
      // One value is noise of two garbage collectors: 12 MB more or less from one hundred requests to the next.
      const memoryOver = async (requests: number): Promise<number> => {
        const values: number[] = [];
        for (let part = 0; part < PARTS; part++) {
          await loadServer(server.url, cases, { clients: 8, isOver: (sent) => sent >= requests / PARTS });
          values.push(server.memoryMb());
        }
        return percentile(values, 0.5);
      };
      await loadServer(server.url, cases, { clients: 8, isOver: (sent) => sent >= REQUESTS / 4 });
      const early = await memoryOver(REQUESTS / 4);
      await loadServer(server.url, cases, { clients: 8, isOver: (sent) => sent >= REQUESTS / 4 });
      const late = await memoryOver(REQUESTS / 4);
      process.stderr.write(`memory: ${early.toFixed(0)} MB, then ${late.toFixed(0)} MB\n`);
      // A leak of one image a request would be 700 MB. What is allowed beside the bar is what the heaps grow by.
      expect(late).toBeLessThan(1.1 * early + 32);
      expect(await server.stop()).toBe(0);
    },
    240_000,
  );
});

describe('a client generated from the OpenAPI document', () => {
  it('detects', async () => {
    const server = await start();
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
    const one = cases[0]!;
    const image = Buffer.from(one.image).toString('base64');
    const { data, error } = await detect!({ body: { image, caption: one.caption, threshold: 0 } });
    expect(error).toBeUndefined();
    checkAnswer(data as unknown as DetectionResult, one);
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
      const server = await start('--queue-time', '60');
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
