import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from 'undici';
import { expect, it, vi } from 'vitest';
import { createApp } from '../app.ts';
import { nodeListener } from '../listen.ts';
import type { LogEntry } from '../log.ts';
import { serverSettings } from '../options.ts';
import { Service } from '../service.ts';
import type { RequestHead } from './request-context.ts';

const headers = { host: 'localhost', authorization: 'Bearer secret', 'x-request-id': 'mine', 'content-length': '4' };
const head: RequestHead = { method: 'POST', url: '/api/v1/refer?a=b', headers };

/** The routes of a server without workers that says that it is overloaded. */
const overloaded = () => {
  const log: LogEntry[] = [];
  const service = new Service(
    serverSettings({ basePath: '/api', hosts: ['localhost'], token: 'secret', onLog: (entry) => log.push(entry) }),
  );
  const overload = vi.spyOn(service, 'overload').mockReturnValue({ detail: 'try again later', retryMs: 1500 });
  return { app: createApp(service), service, log, overload };
};

it('a request is refused by its head as its route would refuse it', async () => {
  const { app, log, overload } = overloaded();
  const early = app.refusals.of(head)!;
  const request = new Request('http://localhost/api/v1/refer?a=b', { method: 'POST', headers, body: 'body' });
  const byRoute = await app.answer(request, {});
  expect(early.status).toBe(503);
  expect(early.status).toBe(byRoute.status);
  expect(early.body).toBe(byRoute.body);
  expect(early.headers).toEqual(byRoute.headers);
  expect(early.headers).toMatchObject({ 'retry-after': '2', 'x-request-id': 'mine' });
  expect(Number(early.headers['content-length'])).toBe(Buffer.byteLength(early.body));
  const [first, second] = log.map((entry) => ({ ...entry, ms: 0 }));
  expect(first).toEqual({ ...second, route: '/v1/refer', problem: 'overloaded' });
  overload.mockReturnValue(undefined);
  expect(app.refusals.of(head)).toBeUndefined();
});

it.each([
  ['has another method', { method: 'OPTIONS' }],
  ['needs no worker', { url: '/api/v1/models' }],
  ['is outside the base path', { url: '/v1/refer' }],
  ['comes from a page', { headers: { ...headers, origin: 'http://localhost' } }],
  ['addresses another host', { headers: { ...headers, host: 'elsewhere' } }],
  ['has no host', { headers: { ...headers, host: undefined } }],
  ['has another token', { headers: { ...headers, authorization: 'Bearer other' } }],
  ['has a large body', { headers: { ...headers, 'content-length': '10000000' } }],
  ['has a body of unknown length', { headers: { ...headers, 'content-length': undefined } }],
] as [string, Partial<RequestHead>][])('a request that %s is left to the routes', (_, differing) => {
  const { app, log } = overloaded();
  expect(app.refusals.of({ ...head, ...differing })).toBeUndefined();
  expect(log).toEqual([]);
});

it('a connection stays usable after a refusal, whose body is read', async () => {
  const { app } = overloaded();
  const handler = Object.assign(() => Promise.reject(new Error('not by a Response')), {
    answer: () => Promise.resolve({ status: 200, headers: {}, body: 'by route' }),
    refusal: (request: RequestHead) => app.refusals.of(request),
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
  });
  const server = createServer(nodeListener(handler)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const connections = new Set<unknown>();
  server.on('connection', (socket) => connections.add(socket));
  const url = `http://127.0.0.1:${port}`;
  const client = new Client(url);
  const send = async (path: string) => {
    const sent = { host: 'localhost', authorization: headers.authorization };
    const { statusCode, body } = await client.request({
      method: 'POST',
      path,
      headers: sent,
      body: 'x'.repeat(500_000),
    });
    return [statusCode, await body.text()];
  };
  expect((await send('/api/v1/refer'))[0]).toBe(503);
  expect(await send('/other')).toEqual([200, 'by route']);
  expect((await send('/api/v1/detect'))[0]).toBe(503);
  expect(connections.size).toBe(1);
  await client.close();
  server.close();
});
