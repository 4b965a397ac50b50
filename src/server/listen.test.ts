import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formRequest, sceneBytes } from '../../test/support/server-requests.ts';
import { createHandler, type ServerHandler } from './handler.ts';
import { listen, type Listening } from './listen.ts';
import type { LogEntry } from './log.ts';

const image = sceneBytes();
const log: LogEntry[] = [];
/** Called with each log entry; tests replace it. */
let onLog: (entry: LogEntry) => void = () => undefined;
let folder: string;
let handler: ServerHandler;
let server: Listening;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-listen-'));
  handler = createHandler({
    cacheDir: folder,
    threads: 1,
    queueS: 60,
    maxBodyBytes: 2 ** 20,
    bodyTimeoutS: 0.5,
    maxPerClient: 3,
    onLog: (entry) => {
      log.push(entry);
      onLog(entry);
    },
  });
  await handler.ready();
  server = await listen(handler, { host: '127.0.0.1', port: 0, bodyTimeoutS: 0.5 });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Sends bytes over a connection of their own and returns all that is answered until it closes. */
const exchange = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { port, hostname } = new URL(server.url);
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
  });

const head = (length: number): string =>
  `POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** A request that takes the worker about a second. */
const slow = (name = 'cube'): Request =>
  formRequest('/v1/detect', {
    image,
    caption: Array.from({ length: 16 }, (_, index) => `${name} ${index}`),
    masks: 'true',
    threshold: '0',
  });

describe('connections', () => {
  it('of a client that sends slowly end with a problem', async () => {
    const answer = await exchange(`${head(1000)}{"image":`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('urn:mdetr:problem:body-timeout');
  });

  it('with a body beyond the limit are refused before it is sent', async () => {
    const answer = await exchange(head(2 ** 30));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('urn:mdetr:problem:body-too-large');
  });

  it('that ask before they send a body are told to go on, or refused at once', async () => {
    const asking = (length: number, path = '/v1/detect'): string =>
      head(length).replace('/v1/detect', path).replace('\r\n', '\r\nExpect: 100-continue\r\n');
    for (const [text, status] of [
      [asking(2 ** 30), 413],
      [asking(2, '/v2/detect'), 404],
      [asking(2).replace('application/json', 'application/json\r\nContent-Encoding: gzip'), 415],
    ] as const)
      expect(await exchange(text), text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close`, 'i'));
    // Without waiting for the word, as some clients do.
    const accepted = await exchange(`${asking(2).replace('\r\n', '\r\nConnection: close\r\n')}{}`);
    expect(accepted).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 422 /);
    const other = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: a-reply\r\nConnection: close\r\n\r\n';
    expect(await exchange(other)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ['are not HTTP', '\x16\x03\x01 hello\r\n\r\n', 400, 'malformed-request'],
    ['have two lengths', `${head(2).trim()}\r\nContent-Length: 3\r\n\r\n{}`, 400, 'malformed-request'],
    [
      'have a length and chunks',
      `${head(2).trim()}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
      'malformed-request',
    ],
    ['have a bad chunk', `${head(2).replace(/Content-Length.*/, 'Transfer-Encoding: chunked')}zz\r\n`, 400, ''],
    ['have large headers', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
    ['have no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed-request'],
    ['have a bad host', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400, 'malformed-request'],
  ])('with requests that %s end with a problem', async (_, text, status, problem) => {
    const answer = await exchange(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain(`urn:mdetr:problem:${problem}`);
  });

  it('of health checks may speak HTTP/1.0', async () => {
    expect(await exchange('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('that the client closes give up their request', async () => {
    const client = new AbortController();
    const sent = fetch(`${server.url}/v1/detect`, {
      method: 'POST',
      body: await slow().formData(),
      signal: client.signal,
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    client.abort();
    await expect(sent).rejects.toThrow();
    const gone = await new Promise<LogEntry>((resolve) => {
      const found = log.find((entry) => entry.event === 'request' && entry.problem === 'client-gone');
      if (found !== undefined) resolve(found);
      onLog = (entry) => {
        if (entry.event === 'request' && entry.problem === 'client-gone') resolve(entry);
      };
    });
    expect(gone).toMatchObject({ route: '/v1/detect' });
  });

  it('of one client are limited', async () => {
    const statuses = await Promise.all(
      // They take long enough to be there at the same time, however slowly a busy machine sends them.
      Array.from({ length: 6 }, async (_, index) => {
        const body = await slow(`client ${index}`).formData();
        return (await fetch(`${server.url}/v1/detect`, { method: 'POST', body })).status;
      }),
    );
    expect(statuses).toEqual(expect.arrayContaining([200, 429]));
  });
});

describe('a worker that dies', () => {
  const lastPid = (): number => log.flatMap((entry) => (entry.event === 'worker-ready' ? [entry.pid!] : [])).at(-1)!;
  const ready = async (): Promise<number> => (await handler(new Request('http://localhost/readyz'))).status;

  it('is replaced; what it had is tried again, alone; what kills twice fails, and is refused when it comes again', async () => {
    let kills = 0;
    onLog = (entry) => {
      if (entry.event === 'worker-ready' && kills++ < 1) process.kill(entry.pid!, 'SIGKILL');
    };
    const fatal = handler(slow());
    const beside = handler(slow('beside'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await ready()).toBe(200);
    process.kill(lastPid(), 'SIGKILL');
    expect(await (await fatal).json()).toMatchObject({ status: 500, type: 'urn:mdetr:problem:worker-crashed' });
    expect(await ready()).toBe(503);
    expect((await handler(slow('other'))).status).toBe(200);
    expect((await beside).status).toBe(200);
    const again = await handler(slow());
    expect(await again.json()).toMatchObject({ status: 422, type: 'urn:mdetr:problem:crashes-worker' });
    expect(await ready()).toBe(200);
    const exits = log.filter(({ event }) => event === 'worker-exit');
    expect(exits).toMatchObject([
      { reason: 'signal SIGKILL', requests: 2 },
      { reason: 'signal SIGKILL', requests: 1 },
    ]);
    const metrics = await (await handler(new Request('http://localhost/metrics'))).text();
    expect(metrics).toContain('mdetr_worker_exits_total 2\n');
  });
});

describe('the deadline', () => {
  it('ends requests that wait for their body or for the network, and leaves nothing behind', async () => {
    const hasty = createHandler({ cacheDir: folder, threads: 1, timeoutS: 0.05 });
    await hasty.ready();
    const stalled = new Request('http://localhost/v1/detect', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new ReadableStream({ pull: () => new Promise<void>(() => undefined) }),
      duplex: 'half',
    } as RequestInit);
    for (const request of [stalled, slow()]) {
      const answer = await hasty(request);
      expect(await answer.json()).toMatchObject({
        status: 504,
        type: 'urn:mdetr:problem:deadline-exceeded',
        detail: 'the request took longer than 0.05 s',
      });
    }
    const metrics = await (await hasty(new Request('http://localhost/metrics'))).text();
    expect(metrics).toContain('mdetr_queue_length 0\n');
    expect((await hasty(new Request('http://localhost/readyz'))).status).toBe(200);
    await hasty.close();
  });
});

describe('overload and closing', () => {
  it('refuse what would wait too long or comes too late, and finish what was accepted', async () => {
    // It keeps no image, so that the worker asks for the bytes of an image that it has encoded before.
    const other = createHandler({ cacheDir: folder, threads: 1, imageCacheBytes: 1 });
    await other.ready();
    for (const caption of ['a cube', 'a ball'])
      expect((await other(formRequest('/v1/detect', { image, caption }))).status).toBe(200);
    // Each has an image of its own, so that it is expected to take as long as the one that the limit is measured by.
    const answers = Array.from({ length: 40 }, (_, index) =>
      other(formRequest('/v1/detect', { image: Uint8Array.of(...image, index), caption: `cube ${index}` })),
    );
    // Their bodies are read before they are accepted.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = other.close();
    const late = await other(formRequest('/v1/detect', { image, caption: 'a cube' }));
    expect(late.status).toBe(503);
    expect(late.headers.get('connection')).toBe('close');
    expect(await late.json()).toMatchObject({ type: 'urn:mdetr:problem:draining' });
    expect((await other(new Request('http://localhost/readyz'))).status).toBe(503);
    const responses = await Promise.all(answers);
    const refused = responses.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(40);
    for (const response of refused) expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(40 - refused.length);
    await closed;
  });

  it('a port that is in use is reported', async () => {
    const { port } = new URL(server.url);
    await expect(listen(handler, { host: '127.0.0.1', port: Number(port), bodyTimeoutS: 1 })).rejects.toThrow(
      /port \d+ of 127\.0\.0\.1 is in use: choose another one with --port/,
    );
  });
});
