import { lookup } from 'node:dns';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { FaultyServer, serve } from '../../test/support/faulty-server.ts';
import { publicLookup } from './public-lookup.ts';
import { fetchBytes, FetchError, type FetchOptions, type FetchProblem } from './fetch-bytes.ts';

/** Addresses of names, the next one for each resolution. */
const answers = new Map<string, string[]>();
vi.mock('node:dns', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:dns')>();
  const answered = (hostname: string, ...rest: unknown[]): void => {
    const next = answers.get(hostname)?.shift();
    const callback = rest.at(-1) as (...args: unknown[]) => void;
    if (next === undefined) (real.lookup as (...args: unknown[]) => void)(hostname, ...rest);
    else callback(null, [{ address: next, family: next.includes(':') ? 6 : 4 }]);
  };
  return { ...real, lookup: vi.fn(answered) };
});

let server: FaultyServer;
beforeAll(async () => (server = await FaultyServer.start()));
afterAll(() => server.stop());
beforeEach(() => {
  vi.mocked(lookup).mockClear();
});

const body = Buffer.from('an image, say');
const problemOf = async (url: string, options: FetchOptions = {}): Promise<FetchProblem | undefined> => {
  const error: unknown = await fetchBytes(url, options).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error === undefined || error instanceof FetchError, String(error)).toBe(true);
  return (error as FetchError | undefined)?.problem;
};
const any = { reach: 'any' } as const;

describe('fetchBytes', () => {
  it('gives the bytes, through redirects', async () => {
    const url = server.on('/image', serve(body));
    const moved = server.on('/moved', (_, response) => response.writeHead(302, { location: '/image' }).end());
    expect(Buffer.from(await fetchBytes(url, any))).toEqual(body);
    expect(Buffer.from(await fetchBytes(moved, any))).toEqual(body);
  });

  it('reaches no private address, named or by number, and makes no connection', async () => {
    const before = server.requests.length;
    const { port } = new URL(server.address);
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '0x7f.1', '169.254.169.254', '[::ffff:127.0.0.1]'])
      expect(await problemOf(`http://${host}:${port}/image`), host).toBe('address');
    expect(server.requests).toHaveLength(before);
  });

  it('connects to the address that was checked: a name is resolved once', async () => {
    const { port } = new URL(server.address);
    // A name that answers with a public address first and with this machine then.
    answers.set('rebinding.test', ['192.0.2.1', '127.0.0.1']);
    expect(await problemOf(`http://rebinding.test:${port}/image`)).toBe('address');
    expect(lookup).toHaveBeenCalledTimes(1);
    answers.set('rebinding.test', ['2606:4700::1', '127.0.0.1']);
    const resolved = await new Promise((resolve) =>
      publicLookup('rebinding.test', { all: true }, (_, addresses) => resolve(addresses)),
    );
    expect(resolved).toEqual([{ address: '2606:4700::1', family: 6 }]);
  });

  it('checks every redirect', async () => {
    const loop = server.on('/loop', (_, response) => response.writeHead(302, { location: '/loop' }).end());
    expect(await problemOf(loop, any)).toBe('server');
    const file = server.on('/file', (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    expect(await problemOf(file, any)).toBe('server');
  });

  it('has limits of size, announced or not, and of time', async () => {
    const url = server.on('/large', serve(Buffer.alloc(1000)));
    expect(await problemOf(url, { ...any, maxBytes: 999 })).toBe('size');
    const chunked = server.on('/chunked', (_, response) => {
      response.writeHead(200);
      response.write(Buffer.alloc(600));
      response.end(Buffer.alloc(600));
    });
    expect(await problemOf(chunked, { ...any, maxBytes: 1000 })).toBe('size');
    const slow = server.on('/slow', () => undefined);
    expect(await problemOf(slow, { ...any, totalMs: 100 })).toBe('time');
    const cut = server.on('/cut', serve(Buffer.alloc(1000), { breakAfter: 10 }));
    expect(await problemOf(cut, any)).toBe('server');
    expect(await problemOf(server.on('/encoded', serve(body, { headers: { 'content-encoding': 'br' } })), any)).toBe(
      'server',
    );
    expect(await problemOf(`${server.address}/nowhere`, any)).toBe('server');
  });

  it('refuses other schemes, passwords, and what is no URL', async () => {
    for (const url of ['file:///etc/passwd', 'ftp://example.org/a', 'http://user:pass@example.org/', 'image.png'])
      expect(await problemOf(url), url).toBe('url');
  });

  it('rejects with the reason of the caller when it is aborted', async () => {
    const slow = server.on('/slow', () => undefined);
    await expect(fetchBytes(slow, { ...any, signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/i);
  });
});
