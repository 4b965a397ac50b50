import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyServer, serve } from '../../test/support/faulty-server.ts';
import { digestOfHubReply, type Digest } from './digest.ts';
import { nextAddress } from '../fetching/http.ts';
import { download, type DownloadOptions, type DownloadProgress, type RemoteFile } from './download.ts';

const body = randomBytes(300_000);
const sha256 = (bytes: Buffer): Digest => ({
  algorithm: 'sha256',
  hex: createHash('sha256').update(bytes).digest('hex'),
});
const known = { bytes: body.length, digest: sha256(body) };

let server: FaultyServer;
let folder: string;
let target: string;

beforeEach(async () => {
  server = await FaultyServer.start();
  folder = mkdtempSync(join(tmpdir(), 'mdetr-pull-'));
  target = join(folder, 'deeper', 'file.pth');
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const fetchFile = (
  url: string,
  file: Partial<RemoteFile> = {},
  options: DownloadOptions = {},
): ReturnType<typeof download> =>
  download({ url, maxBytes: 1e6, ...file }, target, {
    attempts: 3,
    firstWaitMs: 1,
    limits: { connectMs: 1000, silenceMs: 1000 },
    ...options,
  });

/** Names of the other files in the folder. */
const leftovers = (): string[] => readdirSync(join(folder, 'deeper')).sort();

const expectWhole = (): void => {
  expect(readFileSync(target).equals(body)).toBe(true);
  expect(leftovers()).toEqual(['file.pth']);
};

describe('a download', () => {
  it('downloads a complete file, checks it and leaves no other files', async () => {
    const result = await fetchFile(server.on('/f', serve(body, { etag: '"1"' })), known);
    expect(result).toEqual({ bytes: body.length, checked: known.digest });
    expectWhole();
    expect(server.requests).toHaveLength(1);
  });

  it('resumes where the connection was interrupted, with the same version of the file', async () => {
    const stages: DownloadProgress[] = [];
    const url = server.on('/f', serve(body, { etag: '"1"', breakAfter: 100_000, breaks: 2 }));
    await fetchFile(url, {}, { onProgress: (progress) => stages.push(progress) });
    expectWhole();
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
    expect(server.requests.slice(1).map(({ ifRange }) => ifRange)).toEqual(['"1"', '"1"']);
    expect(stages.filter(({ stage }) => stage === 'waiting')).toHaveLength(2);
    expect(stages.at(-1)).toMatchObject({ bytes: body.length, totalBytes: body.length });
  });

  it('fails after several attempts, keeps the received bytes, and a later call resumes', async () => {
    const url = server.on('/f', serve(body, { etag: '"1"', breakAfter: 1000 }));
    await expect(fetchFile(url)).rejects.toThrow(
      /interrupted, 3 attempts in a row; 3000 bytes are kept, run the same command/,
    );
    expect(existsSync(target)).toBe(false);
    server.on('/f', serve(body, { etag: '"1"' }));
    await fetchFile(url);
    expect(server.requests.at(-1)!.range).toBe('bytes=3000-');
    expectWhole();
  });

  it('fails when a response starts and then stalls', async () => {
    const url = server.on('/f', (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc');
    });
    const limits = { connectMs: 500, silenceMs: 300 };
    await expect(fetchFile(url, {}, { attempts: 1, limits })).rejects.toThrow(/the server stopped sending/);
  });

  it('restarts when the file has changed between attempts', async () => {
    const other = randomBytes(300_000);
    const versions = (count: number) => (count === 0 ? { body: other, etag: '"old"' } : { body, etag: '"new"' });
    await fetchFile(server.on('/f', serve(versions, { breakAfter: 100_000, breaks: 1 })));
    expectWhole();
  });

  it('restarts when a server sends a part of the changed file', async () => {
    const other = randomBytes(300_000);
    const versions = (count: number) => (count === 0 ? { body: other, etag: '"old"' } : { body, etag: '"new"' });
    const behavior = { breakAfter: 100_000, breaks: 1, ignoresIfRange: true };
    await fetchFile(server.on('/f', serve(versions, behavior)));
    expectWhole();
  });

  it('restarts when parts of two versions were combined', async () => {
    const other = randomBytes(300_000);
    // The versions have no ETag; only the digest differs.
    const versions = (count: number) => ({ body: count === 0 ? other : body });
    await fetchFile(server.on('/f', serve(versions, { breakAfter: 100_000, breaks: 1 })), known);
    expectWhole();
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', undefined]);
  });

  it('restarts if the server does not support ranges', async () => {
    const url = server.on('/f', serve(body, { etag: '"1"', breakAfter: 100_000, breaks: 1, ignoresRange: true }));
    await fetchFile(url);
    expectWhole();
  });

  it('does not resume without a validator', async () => {
    await fetchFile(server.on('/f', serve(body, { etag: 'W/"weak"', breakAfter: 100_000, breaks: 1 })));
    expect(server.requests.map(({ range }) => range)).toEqual([undefined, undefined]);
    expectWhole();
  });

  it('uses a complete part file of an earlier call', async () => {
    const url = server.on('/f', serve(body, { etag: '"1"', breakAfter: 100_000 }));
    await expect(fetchFile(url, {}, { attempts: 1 })).rejects.toThrow(/interrupted/);
    writeFileSync(`${target}.part`, body);
    await fetchFile(url, known);
    expectWhole();
  });

  it.each([
    ['a larger part', 200, 'bytes 5-9/10'],
    ['another position', 206, 'bytes 7-299999/300000'],
    ['no position', 206, ''],
  ])('rejects a part with %s', async (_what, status, contentRange) => {
    writeFileSync(join(folder, 'x'), '');
    const url = server.on('/f', (request, response, count) => {
      if (count !== 1) serve(body, { etag: '"1"', breakAfter: 100_000, breaks: 1 })(request, response, count);
      else response.writeHead(status, { etag: '"1"', 'content-range': contentRange }).end(body.subarray(7));
    });
    await fetchFile(url, known);
    expectWhole();
  });
});

describe('wrong contents', () => {
  it('are rejected and not kept', async () => {
    const wrong = Buffer.from(body);
    wrong[1234]! ^= 1;
    const url = server.on('/f', serve(wrong, { etag: '"1"' }));
    await expect(fetchFile(url, known)).rejects.toThrow(
      /wrong contents: their SHA256 is not [0-9a-f]{64}; nothing was kept/,
    );
    expect(leftovers()).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it('are detected by the digests of the hub: SHA-256 of large files, git digests of small ones', async () => {
    const git = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
    const small = server.on('/small', serve(body, { etag: `"${git}"`, headers: { 'x-repo-commit': 'abc' } }));
    expect((await fetchFile(small, { digestOf: digestOfHubReply })).checked).toEqual({ algorithm: 'git', hex: git });
    const large = server.on('/large', (_request, response) =>
      response.writeHead(302, { location: '/store', 'x-linked-etag': `"${known.digest.hex}"` }).end(),
    );
    server.on('/store', serve(body, { etag: '"of the store"' }));
    rmSync(target);
    expect((await fetchFile(large, { digestOf: digestOfHubReply })).checked).toEqual(known.digest);
    server.on('/store', serve(randomBytes(10), { etag: '"of the store"' }));
    rmSync(target);
    await expect(fetchFile(large, { digestOf: digestOfHubReply })).rejects.toThrow(/wrong contents/);
  });
});

describe('a wrong length', () => {
  it('announced as more than is sent', async () => {
    const url = server.on('/f', serve(body, { headers: { 'content-length': '400000' } }));
    await expect(fetchFile(url)).rejects.toThrow(
      /127\.0\.0\.1:\d+: (the connection was interrupted|ended after|the server stopped)/,
    );
  });

  it('announced as less than is sent', async () => {
    const url = server.on('/f', (request) => {
      request.socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "1"\r\n\r\n${'x'.repeat(5000)}`);
    });
    await expect(fetchFile(url, { digest: known.digest }, { attempts: 1 })).rejects.toThrow(
      /wrong contents|not valid HTTP/,
    );
    expect(existsSync(target)).toBe(false);
  });

  it('announced as other than the known size', async () => {
    const url = server.on('/f', serve(body));
    await expect(fetchFile(url, { bytes: 123 })).rejects.toThrow(/announces 300000 bytes, but the file has 123/);
  });

  it('of an endless response', async () => {
    const url = server.on('/f', (_request, response) => {
      response.writeHead(200, { etag: '"1"' });
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(2 ** 16), more);
      };
      more();
    });
    await expect(fetchFile(url)).rejects.toThrow(/is longer than its 1000000 bytes; nothing was kept/);
    expect(leftovers()).toEqual([]);
  });

  it('unknown, without a digest', async () => {
    const url = server.on('/f', (request) => {
      request.socket.end(`HTTP/1.0 200 OK\r\n\r\nabc`);
    });
    await expect(fetchFile(url)).rejects.toThrow(/does not send the length of the file/);
  });

  it('above the limit', async () => {
    const url = server.on('/f', serve(body));
    await expect(fetchFile(url, { maxBytes: 1000 })).rejects.toThrow(/has 300000 bytes, more than the limit/);
  });

  it('of a compressed response', async () => {
    const url = server.on('/f', serve(body, { headers: { 'content-encoding': 'gzip' } }));
    await expect(fetchFile(url)).rejects.toThrow(/content encoding gzip/);
  });
});

describe('redirects', () => {
  const redirect = (from: string, location: string): string =>
    server.on(from, (_request, response) => response.writeHead(302, { location }).end());

  it('are followed up to a limit; the secret is sent to the first host only', async () => {
    const second = await FaultyServer.start();
    try {
      const url = redirect('/a', '/b');
      redirect('/b', second.on('/c', serve(body)));
      await fetchFile(url, { ...known, secret: 'token' });
      expectWhole();
      expect(server.requests.map(({ authorization }) => authorization)).toEqual(['Bearer token', 'Bearer token']);
      expect(second.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    } finally {
      await second.stop();
    }
  });

  it('are limited', async () => {
    await expect(fetchFile(redirect('/round', '/round'))).rejects.toThrow(/more than 5 redirects/);
    expect(server.requests).toHaveLength(6);
  });

  it.each([
    ['file:///etc/passwd', /redirects to file:, which is refused/],
    ['http://[broken', /redirects to an invalid URL/],
    ['', /redirects to an invalid URL|more than/],
  ])('to %j are rejected', async (location, message) => {
    await expect(fetchFile(redirect('/a', location))).rejects.toThrow(message);
  });
});

describe('a redirect from an encrypted address', () => {
  const from = new URL('https://a.example/x');

  it('may lead to encrypted URLs and to this machine', () => {
    expect(nextAddress(from, from, '/y', 1).href).toBe('https://a.example/y');
    expect(nextAddress(from, from, 'https://b.example/', 5).href).toBe('https://b.example/');
    expect(nextAddress(from, from, 'http://127.0.0.1:80/y', 1).href).toBe('http://127.0.0.1/y');
  });

  it.each(['http://b.example/', 'http://127.0.0.1.example/', 'http://localhost.example'])(
    'to %s is rejected',
    (location) => {
      expect(() => nextAddress(from, from, location, 1)).toThrow(/is not encrypted; refused/);
    },
  );

  it('from an unencrypted mirror may stay unencrypted', () => {
    const plain = new URL('http://mirror.example/x');
    expect(nextAddress(plain, plain, 'http://mirror.example/y', 1).href).toBe('http://mirror.example/y');
  });
});

describe('trouble', () => {
  it.each([
    [404, /does not have this file \(status 404\)/],
    [403, /denies access/],
    [418, /refuses \(status 418\)/],
  ])('status %i is final', async (status, message) => {
    const url = server.on('/f', (_request, response) => response.writeHead(status).end());
    await expect(fetchFile(url)).rejects.toThrow(message);
    expect(server.requests).toHaveLength(1);
  });

  it('of a busy server is retried', async () => {
    const url = server.on('/f', (request, response, count) => {
      if (count < 2) response.writeHead(503, { 'retry-after': '0' }).end();
      else serve(body)(request, response, count);
    });
    await fetchFile(url);
    expectWhole();
  });

  it('connection refused', async () => {
    await expect(fetchFile('http://127.0.0.1:9/f')).rejects.toThrow(
      /127\.0\.0\.1:9: the connection was refused, 3 attempts/,
    );
    expect(leftovers()).toEqual([]);
  });

  it('insufficient disk space is reported before the download', async () => {
    const url = server.on('/f', serve(body));
    await expect(fetchFile(url, {}, { freeBytes: () => Promise.resolve(1000) })).rejects.toThrow(
      /needs 300000 more bytes, the disk has 1000 free/,
    );
  });

  it.skipIf(process.platform !== 'linux')('a full disk is reported', async () => {
    const url = server.on('/f', serve(body));
    await fetchFile(url);
    rmSync(target);
    symlinkSync('/dev/full', `${target}.part`);
    await expect(fetchFile(url)).rejects.toThrow(/file\.pth: cannot be written \(the disk is full\); free some space/);
  });

  it('a second concurrent download is rejected, and the lock of a dead process is ignored', async () => {
    const url = server.on('/f', serve(body));
    const slow = server.on('/slow', () => undefined);
    const stop = new AbortController();
    const first = fetchFile(slow, {}, { signal: stop.signal });
    while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(fetchFile(url)).rejects.toThrow(/is being downloaded by process \d+/);
    stop.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    writeFileSync(`${target}.part.lock`, '{"pid": broken');
    await fetchFile(url);
    expectWhole();
  });

  it('a part file of unknown origin is not resumed', async () => {
    const url = server.on('/f', serve(body, { etag: '"1"' }));
    await fetchFile(url);
    rmSync(target);
    writeFileSync(`${target}.part`, 'something else');
    await fetchFile(url);
    expectWhole();
  });

  it('an aborted download keeps the received bytes', async () => {
    const stop = new AbortController();
    const url = server.on('/f', (_request, response) => {
      response.writeHead(200, { 'content-length': '1000', etag: '"1"' });
      response.write('x'.repeat(500));
    });
    const onProgress = ({ bytes }: DownloadProgress): void => {
      if (bytes === 500) stop.abort(new Error('stopped by SIGINT'));
    };
    await expect(fetchFile(url, {}, { signal: stop.signal, onProgress })).rejects.toThrow('stopped by SIGINT');
    expect(leftovers()).toEqual(['file.pth.part', 'file.pth.part.json']);
    expect(readFileSync(`${target}.part`)).toHaveLength(500);
  });
});
