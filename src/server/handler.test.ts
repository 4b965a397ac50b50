import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formRequest, jsonRequest, sceneBytes, type FormFields } from '../../test/support/server-requests.ts';
import { UsageError } from '../errors.ts';
import { MDETR } from '../inference/node/mdetr.ts';
import { parseResult } from '../results/schema.ts';
import { answerLine, detectionLine, referLine } from '../results/result-lines.ts';
import { createHandler, type ServerHandler } from './handler.ts';
import type { LogEntry } from './log.ts';
import { PROBLEMS, type ProblemName } from './problems.ts';

const image = sceneBytes();
const base64 = Buffer.from(image).toString('base64');
const log: LogEntry[] = [];
let folder: string;
let model: MDETR;
let handler: ServerHandler;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-handler-'));
  model = await MDETR.fromPretrained('default', { cacheDir: folder, threads: 1 });
  handler = createHandler({
    models: ['default', { name: 'second', path: 'default' }],
    cacheDir: folder,
    threads: 1,
    queueS: 60,
    maxBodyBytes: 400_000,
    bodyTimeoutS: 0.3,
    maxPixels: 1e6,
    maxTexts: 3,
    onLog: (entry) => log.push(entry),
  });
  await handler.ready();
});
afterAll(async () => {
  await handler.close();
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** JSON of an answer, whose status must be 200. */
const ok = async (request: Request): Promise<Record<string, unknown>> => {
  const response = await handler(request);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text) as Record<string, unknown>;
};

/** A result without what differs from run to run, with numbers of fewer digits. */
const comparable = (result: unknown): unknown => {
  const { timing: _, timing_ms: __, image: ___, ...rest } = result as Record<string, unknown>;
  return JSON.parse(JSON.stringify(rest), (_key, value: unknown) =>
    typeof value === 'number' ? Number(value.toPrecision(3)) : value,
  ) as unknown;
};

describe('tasks', () => {
  it('answer as the command line does, for multipart and JSON bodies', async () => {
    const detected = await ok(formRequest('/v1/detect', { image, caption: 'a red cube', threshold: '0.2' }));
    expect(detected).toMatchObject({ image: 'scene.png', width: 480, height: 320, model: 'default', version: 1 });
    const options = { threshold: 0.2 };
    expect(comparable(detected)).toEqual(comparable(detectionLine(await model.detect(image, 'a red cube', options))));
    expect(parseResult(detected)).toMatchObject({ caption: 'a red cube' });
    const body = { image: base64, expression: 'the cube', masks: true };
    const referred = await ok(jsonRequest('/v1/refer', body));
    expect(comparable(referred)).toEqual(comparable(referLine(await model.refer(image, 'the cube', { masks: true }))));
    const asked = await ok(
      jsonRequest('/v1/ask', { image: `data:image/png;base64,${base64}`, question: 'how many cubes are there?' }),
    );
    expect(comparable(asked)).toEqual(comparable(answerLine(await model.ask(image, 'how many cubes are there?'))));
  });

  it('take images as simple clients send them', async () => {
    const lines = base64.replace(/.{76}/g, '$&\r\n');
    for (const sent of [lines, `${lines}\n`, `DATA:image/png;name=a.png;base64,${base64}`])
      await ok(jsonRequest('/v1/detect', { image: sent, caption: 'a cube' }));
    const part = (name: string, value: string | Uint8Array): Buffer[] => [
      Buffer.from(`--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
      Buffer.from(value as Uint8Array),
      Buffer.from('\r\n'),
    ];
    const parts = [...part('image', image), ...part('caption', 'a cube'), Buffer.from('--x--\r\n')];
    for (const preamble of ['', '\r\n', 'for old readers --x\r\n'])
      await ok(typed('multipart/form-data; boundary=x', Buffer.concat([Buffer.from(preamble), ...parts])));
  });

  it('answer several texts with a list in their order', async () => {
    const captions = ['a red cube', 'the balls'];
    for (const request of [
      formRequest('/v1/detect', { image, caption: captions }),
      jsonRequest('/v1/detect', { image: base64, captions }),
    ]) {
      const { results } = (await ok(request)) as { results: Record<string, unknown>[] };
      expect(results.map(({ caption, captionIndex }) => [caption, captionIndex])).toEqual([
        ['a red cube', 0],
        ['the balls', 1],
      ]);
    }
    const { results } = (await ok(jsonRequest('/v1/detect', { image: base64, captions: ['a cube'] }))) as {
      results: unknown[];
    };
    expect(results).toHaveLength(1);
  });

  it('answer concurrent requests, batched by size, each with its own result', async () => {
    const small = new Uint8Array(await sharp(image).resize(240, 160).png().toBuffer());
    const turned = new Uint8Array(await sharp(image).rotate(90).png().toBuffer());
    const cases = [image, small, turned, image].flatMap((bytes, index) =>
      ['a red cube', 'the small ball behind the cylinder', 'two metal things'].map((caption) => ({
        bytes,
        caption: `${caption}${index === 3 ? '!' : ''}`,
      })),
    );
    const results = await Promise.all(
      cases.map(({ bytes, caption }) => ok(formRequest('/v1/detect', { image: bytes, caption, threshold: '0' }))),
    );
    for (const [index, { bytes, caption }] of cases.entries()) {
      const alone = detectionLine(await model.detect(bytes, caption, { threshold: 0 }));
      const byQuery = (result: Record<string, unknown>) =>
        (result['detections'] as { query: number; score: number; box: number[] }[])
          .toSorted((a, b) => a.query - b.query)
          .map(({ query, score, box }) => [query, score, ...box]);
      const [found, wanted] = [byQuery(results[index]!), byQuery(alone)];
      expect(found.map(([query]) => query)).toEqual(wanted.map(([query]) => query));
      found.forEach((row, i) => row.forEach((value, k) => expect(Math.abs(value - wanted[i]![k]!)).toBeLessThan(2e-3)));
    }
    const batches = log.flatMap((entry) => (entry.event === 'request' ? [entry.batch ?? 0] : []));
    expect(Math.max(...batches)).toBeGreaterThan(1);
  });

  it('encode an image once', async () => {
    const fresh = new Uint8Array(await sharp(image).resize(300, 200).png().toBuffer());
    for (const caption of ['a cube', 'a ball']) await ok(formRequest('/v1/detect', { image: fresh, caption }));
    const cached = log.filter((entry) => entry.event === 'request').slice(-2);
    expect(cached.map(({ isCached }) => isCached)).toEqual([false, true]);
  });

  it('use the model that is named', async () => {
    expect(await ok(formRequest('/v1/detect', { image, caption: 'a cube', model: 'second' }))).toMatchObject({
      model: 'second',
    });
    const { models } = (await ok(new Request('http://localhost/v1/models'))) as { models: unknown[] };
    expect(models).toMatchObject([
      { name: 'default', masks: true, tasks: ['detect', 'refer', 'ask'] },
      { name: 'second' },
    ]);
  });

  it('give up a request whose client has gone', async () => {
    const client = new AbortController();
    const answer = handler(formRequest('/v1/detect', { image, caption: ['a', 'b', 'c'] }, { signal: client.signal }));
    client.abort();
    expect((await answer).status).toBe(504);
    expect(log.at(-1)).toMatchObject({ event: 'request', problem: 'client-gone' });
    await ok(formRequest('/v1/detect', { image, caption: 'a cube' }));
  });
});

describe('errors', () => {
  it.each([
    [() => detect({ treshold: 0.5 }), 'unknown key "treshold"; did you mean "threshold"?'],
    [() => form({ captions: 'a' }), 'unknown key "captions"; did you mean "caption"?'],
    [() => detect({ question: 'a' }), 'unknown key "question"; the keys are image, caption, captions, model, '],
    [() => detect({ ['threshold'.repeat(20_000)]: 1 }), '…"; the keys are image, '],
  ])('name the key that was meant', async (request, detail) => {
    const answer = (await (await handler(request())).json()) as { detail: string; errors: object[] };
    expect(answer.detail).toContain(detail);
    expect(answer.detail.length).toBeLessThan(300);
  });

  it('a body that something else has read is an error of the application, which the log names', async () => {
    const request = detect({});
    await request.text();
    expect((await handler(request)).status).toBe(500);
    const errors = log.flatMap((entry) => (entry.event === 'error' ? [entry.message] : []));
    expect(errors.at(-1)).toContain('was read before the handler got it');
  });
});

/** A server on this machine that counts its requests. */
const countingServer = async (): Promise<{ server: Server; requests: () => number }> => {
  let count = 0;
  const server = createServer((_, response) => {
    count++;
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, requests: () => count };
};

/** A body that arrives in chunks, and then no more. */
const slowly = (...chunks: Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull: (controller) => {
      const chunk = chunks.shift();
      if (chunk !== undefined) controller.enqueue(chunk);
      else return new Promise(() => undefined);
      return undefined;
    },
  });

const streamed = (type: string, body: ReadableStream<Uint8Array>): Request =>
  new Request('http://localhost/v1/detect', {
    method: 'POST',
    headers: { 'content-type': type },
    body,
    duplex: 'half',
  } as RequestInit);

const detect = (body: object): Request => jsonRequest('/v1/detect', { image: base64, caption: 'a cube', ...body });
const form = (fields: FormFields): Request => formRequest('/v1/detect', { image, caption: 'a cube', ...fields });
const raw = (body: string | Uint8Array): Request => jsonRequest('/v1/detect', body);
const typed = (type: string, body: BodyInit = '{}'): Request =>
  new Request('http://localhost/v1/detect', { method: 'POST', headers: { 'content-type': type }, body });
const pngOf = (width: number, height: number): Promise<Uint8Array<ArrayBuffer>> =>
  sharp({ create: { width, height, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
    .then((bytes) => new Uint8Array(bytes));

/** Every kind of bad input, with the problem that it is answered with. */
const BAD_INPUTS: readonly (readonly [
  what: string,
  problem: ProblemName,
  request: () => Request | Promise<Request>,
])[] = [
  ['an unknown path', 'not-found', () => new Request('http://localhost/v2/detect')],
  ['a path that climbs', 'not-found', () => new Request('http://localhost/v1/..%2f..%2fetc/passwd')],
  ['a wrong method', 'method-not-allowed', () => new Request('http://localhost/v1/detect', { method: 'DELETE' })],
  ['GET instead of POST', 'method-not-allowed', () => new Request('http://localhost/v1/ask')],
  ['POST instead of GET', 'method-not-allowed', () => jsonRequest('/v1/models', {})],
  [
    'a page of another origin',
    'forbidden-origin',
    () => jsonRequest('/v1/detect', {}, { headers: { origin: 'http://evil.test' } }),
  ],
  ['the origin null', 'forbidden-origin', () => jsonRequest('/v1/detect', {}, { headers: { origin: 'null' } })],
  [
    'no content type',
    'unsupported-media-type',
    () => new Request('http://localhost/v1/detect', { method: 'POST', body: new Uint8Array(3) }),
  ],
  ['an image as body', 'unsupported-media-type', () => typed('image/png', image)],
  ['a form with URL encoding', 'unsupported-media-type', () => typed('application/x-www-form-urlencoded', 'caption=a')],
  [
    'a compressed body',
    'unsupported-media-type',
    () =>
      jsonRequest('/v1/detect', {}, { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } }),
  ],
  ['an empty body', 'malformed-body', () => raw('')],
  ['broken JSON', 'malformed-body', () => raw('{"image": "')],
  ['JSON that is not UTF-8', 'malformed-body', () => raw(Uint8Array.of(0x22, 0xff, 0xfe, 0x22))],
  ['JSON of 100,000 arrays in each other', 'invalid-request', () => raw('['.repeat(1e5) + ']'.repeat(1e5))],
  ['JSON null', 'invalid-request', () => raw('null')],
  ['a JSON list', 'invalid-request', () => raw('[]')],
  [
    'JSON with __proto__',
    'invalid-request',
    () => raw(`{"image":"${base64}","caption":"a","__proto__":{"masks":true}}`),
  ],
  [
    'JSON with a number beyond doubles',
    'invalid-request',
    () => raw(`{"image":"${base64}","caption":"a","threshold":1e999}`),
  ],
  ['an unknown key', 'invalid-request', () => detect({ treshold: 0.5 })],
  ['no image', 'invalid-request', () => detect({ image: undefined })],
  ['no caption', 'invalid-request', () => detect({ caption: undefined })],
  ['caption and captions', 'invalid-request', () => detect({ captions: ['a'] })],
  ['no captions', 'invalid-request', () => detect({ caption: undefined, captions: [] })],
  ['too many captions', 'invalid-request', () => detect({ caption: undefined, captions: ['a', 'b', 'c', 'd'] })],
  ['a caption that is a number', 'invalid-request', () => detect({ caption: 7 })],
  ['an empty caption', 'invalid-request', () => detect({ caption: '' })],
  ['a caption of spaces', 'invalid-text', () => detect({ caption: ' \n\t' })],
  ['a caption beyond the text encoder', 'invalid-text', () => detect({ caption: 'cube '.repeat(100) })],
  ['a caption of a million letters', 'body-too-large', () => detect({ caption: 'x'.repeat(1e6) })],
  ['a caption of 5000 letters', 'invalid-request', () => detect({ caption: 'x'.repeat(5000) })],
  ['a threshold above 1', 'invalid-request', () => detect({ threshold: 1.5 })],
  ['a threshold that is a text', 'invalid-request', () => detect({ threshold: '0.5' })],
  ['masks that are a text', 'invalid-request', () => detect({ masks: 'yes' })],
  ['an unknown model', 'unknown-model', () => detect({ model: 'nowhere' })],
  ['a model that is a path', 'unknown-model', () => detect({ model: '../../etc/passwd' })],
  ['a model that is __proto__', 'unknown-model', () => detect({ model: '__proto__' })],
  ['an image that is a path', 'invalid-request', () => detect({ image: '../../etc/passwd.png' })],
  ['an image that is a URL', 'image-url-refused', () => detect({ image: 'http://169.254.169.254/latest/meta-data' })],
  ['a file URL', 'invalid-request', () => detect({ image: 'file:///etc/passwd' })],
  ['an image that is not base64', 'invalid-request', () => detect({ image: 'a b c' })],
  ['an image that is a text', 'invalid-image', () => detect({ image: Buffer.from('no image').toString('base64') })],
  [
    'an image cut in the middle',
    'invalid-image',
    () => detect({ image: Buffer.from(image.subarray(0, 9000)).toString('base64') }),
  ],
  [
    'an SVG',
    'invalid-image',
    () => form({ image: new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>') }),
  ],
  ['an empty file', 'invalid-image', () => form({ image: new Uint8Array(0) })],
  ['a bomb of pixels', 'invalid-image', async () => form({ image: await pngOf(5000, 5000) })],
  ['an image of one row', 'invalid-image', async () => form({ image: await pngOf(4000, 1) })],
  ['a form without a boundary', 'malformed-body', () => typed('multipart/form-data')],
  [
    'a form cut in the middle',
    'malformed-body',
    () => typed('multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc'),
  ],
  [
    'a form of 1000 parts',
    'malformed-body',
    () =>
      typed(
        'multipart/form-data; boundary=x',
        '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'.repeat(1000) + '--x--',
      ),
  ],
  [
    'a form with a part without a name',
    'malformed-body',
    () => typed('multipart/form-data; boundary=x', '--x\r\nContent-Type: image/png\r\n\r\nabc\r\n--x--'),
  ],
  [
    'a form with a caption that is not UTF-8',
    'malformed-body',
    () =>
      typed(
        'multipart/form-data; boundary=x',
        Buffer.from('--x\r\nContent-Disposition: form-data; name="caption"\r\n\r\n\xff\xfe\r\n--x--', 'latin1'),
      ),
  ],
  [
    'a form with two images',
    'invalid-request',
    () => {
      const request = new FormData();
      for (const _ of [1, 2]) request.append('image', new Blob([image]), 'a.png');
      request.append('caption', 'a');
      return new Request('http://localhost/v1/detect', { method: 'POST', body: request });
    },
  ],
  ['a form with a caption that is a file', 'invalid-request', () => form({ caption: new Uint8Array(3) })],
  ['a form with a repeated threshold', 'invalid-request', () => form({ threshold: ['0.1', '0.2'] })],
  ['a form with a bad number', 'invalid-request', () => form({ threshold: 'half' })],
  ['a form with an unknown field', 'invalid-request', () => form({ __proto__x: 'a' })],
  ['a body above the limit by its header', 'body-too-large', () => form({ image: new Uint8Array(500_000) })],
  [
    'a body above the limit by its bytes',
    'body-too-large',
    () => streamed('application/json', slowly(new Uint8Array(3e5), new Uint8Array(3e5))),
  ],
  [
    'a body that stops arriving',
    'body-timeout',
    () => streamed('application/json', slowly(new TextEncoder().encode('{"image":'))),
  ],
  [
    'a body that breaks off',
    'malformed-body',
    () =>
      streamed('application/json', new ReadableStream({ start: (controller) => controller.error(new Error('reset')) })),
  ],
];

describe('bad input is answered with the documented status and problem', () => {
  it.each(BAD_INPUTS)('%s', async (_, problem, request) => {
    const response = await handler(await request());
    const text = await response.text();
    expect(response.headers.get('content-type'), text).toBe('application/problem+json');
    const body = JSON.parse(text) as Record<string, unknown>;
    expect(body, text).toMatchObject({ type: `urn:mdetr:problem:${problem}`, status: PROBLEMS[problem].status });
    expect(response.status).toBe(PROBLEMS[problem].status);
    expect(body['requestId']).toBe(response.headers.get('x-request-id'));
    expect(text.length).toBeLessThan(2000);
  });

  it('of more than 40 kinds, and the server still works', async () => {
    expect(BAD_INPUTS.length).toBeGreaterThan(40);
    await ok(formRequest('/v1/detect', { image, caption: 'a cube' }));
    expect(log.filter(({ event }) => event === 'worker-exit')).toEqual([]);
  });

  it('names of images lose their folders', async () => {
    for (const [name, expected] of [
      ['../../etc/passwd', 'passwd'],
      ['C:\\temp\\a.png', 'a.png'],
      ['..', 'image'],
      ['\u001b[31mred', '[31mred'],
    ])
      expect(await ok(detect({ name }))).toMatchObject({ image: expected });
  });

  it('the log has no text, no name and no image', () => {
    const lines = JSON.stringify(log);
    for (const content of ['cube', 'scene.png', 'passwd', base64.slice(0, 40)]) expect(lines).not.toContain(content);
  });
});

describe('other paths', () => {
  it('the OpenAPI document is valid and has every path', async () => {
    const document = await ok(new Request('http://localhost/openapi.json'));
    expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true });
    expect(Object.keys(document['paths'] as object)).toEqual(
      expect.arrayContaining(['/v1/detect', '/v1/refer', '/v1/ask', '/v1/models', '/healthz', '/readyz', '/metrics']),
    );
  });

  it('the documentation has no external resources and forbids scripts', async () => {
    const response = await handler(new Request('http://localhost/docs'));
    const page = await response.text();
    expect(page).not.toMatch(/<script|<link|src=|https?:\/\/(?!localhost)/);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  });

  it('health, readiness and metrics', async () => {
    expect(await ok(new Request('http://localhost/healthz'))).toEqual({ status: 'ok' });
    expect(await ok(new Request('http://localhost/readyz'))).toEqual({ status: 'ready', workersReady: 1 });
    const metrics = await (await handler(new Request('http://localhost/metrics'))).text();
    expect(metrics).toMatch(/mdetr_requests_total\{route="\/v1\/detect",status="200",problem=""\} \d+/);
    expect(metrics).toMatch(/mdetr_workers_ready 1\n/);
    const head = await handler(new Request('http://localhost/healthz', { method: 'HEAD' }));
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});

describe('options', () => {
  it('a token is required for the API and for metrics only', async () => {
    const guarded = createHandler({ token: 'secret' });
    const status = async (path: string, authorization?: string): Promise<number> =>
      (
        await guarded(
          new Request(`http://localhost${path}`, { headers: authorization === undefined ? {} : { authorization } }),
        )
      ).status;
    expect(await status('/healthz')).toBe(200);
    for (const given of [undefined, 'secret', 'Bearer', 'Bearer wrong', 'Basic secret'])
      expect(await status('/metrics', given)).toBe(401);
    expect(await status('/v1/models')).toBe(401);
    expect(await status('/metrics', 'Bearer secret')).toBe(200);
    await guarded.close();
  });

  it('origins, hosts and the base path', async () => {
    const other = createHandler({ cors: ['https://app.test'], hosts: ['localhost'], basePath: '/api/mdetr' });
    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      other(new Request(`http://localhost${path}`, { headers, method }));
    expect((await get('/api/mdetr/healthz')).status).toBe(200);
    expect((await get('/healthz')).status).toBe(404);
    const allowed = await get('/api/mdetr/v1/detect', { origin: 'https://app.test' }, 'OPTIONS');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.test');
    expect((await get('/api/mdetr/healthz', { origin: 'https://other.test' })).status).toBe(403);
    expect((await get('/api/mdetr/healthz', { origin: 'http://localhost' })).status).toBe(200);
    expect((await get('/api/mdetr/healthz', { host: 'rebound.test:8080' })).status).toBe(421);
    await other.close();
  });

  it('URLs of images are fetched from public addresses only, if at all', async () => {
    const { server, requests } = await countingServer();
    const { port } = server.address() as AddressInfo;
    const open = createHandler({ cacheDir: folder, threads: 1, allowUrls: true });
    for (const [url, problem] of [
      // A private address as a number, by a name that resolves to it, and inside IPv6.
      [`http://127.0.0.1:${port}/a.png`, 'image-url-refused'],
      [`http://localhost:${port}/a.png`, 'image-url-refused'],
      [`http://[::ffff:7f00:1]:${port}/a.png`, 'image-url-refused'],
      ['http://169.254.169.254/latest/meta-data', 'image-url-refused'],
      ['http://user:password@example.org/a.png', 'image-url-refused'],
      ['http://no-such-host.invalid/a.png', 'image-url-failed'],
    ]) {
      const answer = await (await open(jsonRequest('/v1/detect', { image: url, caption: 'a cube' }))).json();
      expect(answer, url).toMatchObject({ status: 422, type: `urn:mdetr:problem:${problem!}` });
    }
    expect(requests()).toBe(0);
    await open.close();
    server.close();
  });

  it('wrong ones are refused', () => {
    expect(() => createHandler({ worker: 2 } as object)).toThrow('unknown option "worker"; did you mean "workers"?');
    expect(() => createHandler({ models: ['a', { name: 'a', path: 'b' }] })).toThrow('two models are called "a"');
    expect(() => createHandler({ basePath: 'api' })).toThrow(UsageError);
  });

  it('a model that cannot be opened rejects ready, and requests', async () => {
    const broken = createHandler({ models: ['nowhere'] });
    await expect(broken.ready()).rejects.toThrow('model "nowhere" is neither');
    expect((await broken(formRequest('/v1/detect', { image, caption: 'a' }))).status).toBe(503);
    expect((await broken(new Request('http://localhost/readyz'))).status).toBe(503);
    await broken.close();
  });
});
