import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyServer, serve } from '../../test/support/faulty-server.ts';
import { CATALOG, CHECKPOINTS, findPublished } from './catalog.ts';
import { parseSumList, parseZenodoRecord } from './digest.ts';
import { proxyFor } from '../fetching/proxy.ts';
import { isPulled, pull, type PullOptions } from './pull.ts';
import { sourcesFrom } from './sources.ts';

const body = Buffer.from('contents of weights');
const md5 = createHash('md5').update(body).digest('hex');

let server: FaultyServer;
let folder: string;

beforeEach(async () => {
  server = await FaultyServer.start();
  folder = mkdtempSync(join(tmpdir(), 'mdetr-pull-'));
});

afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const optionsWith = (more: Partial<PullOptions> = {}): PullOptions => ({
  folder,
  attempts: 1,
  environment: {
    MDETR_CHECKPOINTS_URL: `${server.address}/mdetr/`,
    MDETR_BACKBONES_URL: server.address,
    HF_ENDPOINT: server.address,
  },
  ...more,
});

const refcoco = findPublished('refcoco+_EB3')!;

describe('the catalog', () => {
  it('has the 20 files of the official tables and the three vocabularies under unique names', () => {
    expect(CHECKPOINTS).toHaveLength(20);
    expect(new Set(CATALOG.map(({ name }) => name)).size).toBe(CATALOG.length);
    expect(refcoco).toMatchObject({ file: 'refcoco+_EB3_checkpoint.pth', tokenizer: 'roberta-base' });
    expect(findPublished('clevr_checkpoint.pth')).toMatchObject({ tokenizer: 'distilroberta-base' });
    expect(findPublished('clevr_checkpoint')).toBeUndefined();
  });

  it('knows the fifteen names of the official hubconf.py', () => {
    const named = CHECKPOINTS.flatMap(({ name, hubName }) => (hubName === undefined ? [] : [[hubName, name]]));
    expect(named).toHaveLength(15);
    expect(new Set(named.map(([hubName]) => hubName)).size).toBe(15);
    for (const [hubName, name] of named) expect(findPublished(hubName!)?.name).toBe(name);
    expect(findPublished('mdetr_efficientnetB3_refcocoplus')?.name).toBe('refcoco+_EB3');
  });
});

describe('pulling a checkpoint', () => {
  it('stores it where --model looks, checked against the checksum list', async () => {
    server.on('/mdetr/refcoco%2B_EB3_checkpoint.pth', serve(body));
    server.on('/mdetr/MD5SUMS', serve(Buffer.from(`${md5}  refcoco+_EB3_checkpoint.pth\n`)));
    const notes: string[] = [];
    const files = await pull(refcoco, optionsWith({ onNote: (text) => notes.push(text) }));
    const path = join(folder, 'models', 'refcoco+_EB3_checkpoint.pth');
    expect(files).toEqual([{ path, bytes: body.length, wasThere: false, checked: { algorithm: 'md5', hex: md5 } }]);
    expect(readFileSync(path).equals(body)).toBe(true);
    expect(notes).toEqual([]);
    expect(server.requests.map(({ path: asked }) => asked)).toEqual([
      '/mdetr/SHA256SUMS',
      '/mdetr/MD5SUMS',
      '/mdetr/refcoco%2B_EB3_checkpoint.pth',
    ]);
    expect(await isPulled(refcoco, folder)).toBe(true);
  });

  it('keeps existing files, unless forced', async () => {
    server.on('/mdetr/refcoco%2B_EB3_checkpoint.pth', serve(body));
    await pull(refcoco, optionsWith());
    const asked = server.requests.length;
    expect(await pull(refcoco, optionsWith({ offline: true }))).toMatchObject([{ wasThere: true }]);
    expect(server.requests).toHaveLength(asked);
    expect(await pull(refcoco, optionsWith({ force: true }))).toMatchObject([{ wasThere: false }]);
  });

  it('notes the SHA-256 if no checksum is published', async () => {
    server.on('/mdetr/refcoco%2B_EB3_checkpoint.pth', serve(body));
    const notes: string[] = [];
    await pull(refcoco, optionsWith({ onNote: (text) => notes.push(text) }));
    const sha256 = createHash('sha256').update(body).digest('hex');
    expect(notes).toEqual([expect.stringMatching(`no checksum is published; its SHA-256 is ${sha256}`)]);
  });

  it('rejects wrong contents', async () => {
    server.on('/mdetr/refcoco%2B_EB3_checkpoint.pth', serve(Buffer.from('something else')));
    server.on('/mdetr/MD5SUMS', serve(Buffer.from(`${md5} *./refcoco+_EB3_checkpoint.pth\r\n`)));
    await expect(pull(refcoco, optionsWith())).rejects.toThrow(/wrong contents: their MD5 is not/);
    expect(await isPulled(refcoco, folder)).toBe(false);
  });

  it.each([{ offline: true }, { environment: { MDETR_OFFLINE: '1' } }, { environment: { HF_HUB_OFFLINE: 'true' } }])(
    'uses no network in offline mode (%j)',
    async (options) => {
      await expect(pull(refcoco, optionsWith(options))).rejects.toThrow(
        /is missing, and nothing is downloaded in offline mode/,
      );
      expect(server.requests).toEqual([]);
    },
  );
});

describe('pulling a vocabulary', () => {
  it('stores both files where vocabularies are looked up, checked against digests of the hub', async () => {
    const git = (text: string): string => createHash('sha1').update(`blob ${text.length}\0${text}`).digest('hex');
    for (const [name, text] of [
      ['vocab.json', '{}'],
      ['merges.txt', '#version: 0.2'],
    ] as const)
      // prettier-ignore
      server.on(
        `/FacebookAI/roberta-large/resolve/main/${name}`,
        serve(Buffer.from(text), { etag: `"${git(text)}"`, headers: { 'x-repo-commit': 'abc' } }),
      );
    const files = await pull(findPublished('roberta-large')!, optionsWith());
    expect(files.map(({ path }) => path)).toEqual([
      join(folder, 'tokenizers/roberta-large/vocab.json'),
      join(folder, 'tokenizers/roberta-large/merges.txt'),
    ]);
    expect(files.map(({ checked }) => checked?.algorithm)).toEqual(['git', 'git']);
  });

  it('has digests of roberta-base that no mirror can change', async () => {
    server.on('/FacebookAI/roberta-base/resolve/main/vocab.json', serve(Buffer.from('{}')));
    await expect(pull(findPublished('roberta-base')!, optionsWith())).rejects.toThrow(/their SHA256 is not 9e7f63c2/);
    const real = readFileSync(new URL('../../test/fixtures/reference/roberta/vocab.json', import.meta.url));
    const merges = readFileSync(new URL('../../test/fixtures/reference/roberta/merges.txt', import.meta.url));
    server.on('/FacebookAI/roberta-base/resolve/main/vocab.json', serve(real));
    server.on('/FacebookAI/roberta-base/resolve/main/merges.txt', serve(merges));
    await pull(findPublished('roberta-base')!, optionsWith());
    expect(existsSync(join(folder, 'tokenizers/roberta-base/merges.txt'))).toBe(true);
  });
});

describe('pulling initial weights', () => {
  it('checks backbones against the digest prefix in their names', async () => {
    server.on('/resnet18-f37072fd.pth', serve(body));
    await expect(pull(findPublished('resnet18')!, optionsWith())).rejects.toThrow(/their SHA256 is not f37072fd/);
    expect(await isPulled(findPublished('resnet18')!, folder)).toBe(false);
  });

  it("stores the text encoder's weights of the hub under a unique name", async () => {
    const hex = createHash('sha256').update(body).digest('hex');
    server.on('/distilbert/distilroberta-base/resolve/main/model.safetensors', (_request, response) =>
      response.writeHead(302, { location: '/store', 'x-linked-etag': `"${hex}"`, 'x-repo-commit': 'abc' }).end(),
    );
    server.on('/store', serve(body));
    const files = await pull(findPublished('distilroberta-base-weights')!, optionsWith());
    expect(files).toMatchObject([
      {
        path: join(folder, 'models/distilroberta-base-weights.safetensors'),
        checked: { algorithm: 'sha256', hex },
      },
    ]);
  });
});

describe('sums', () => {
  const entry = { key: 'a.pth', size: 5, checksum: `md5:${md5}` };
  const expected = { bytes: 5, digest: { algorithm: 'md5', hex: md5 } };

  it.each([
    ['a list of files', { files: [entry, { key: 'b' }] }],
    ['entries by name', { files: { entries: { 'a.pth': entry } } }],
    ['entries alone', { entries: [entry] }],
  ])('are read from a record with %s', (_form, record) => {
    expect([...parseZenodoRecord(JSON.stringify(record))]).toEqual([['a.pth', expected]]);
  });

  it.each([
    '',
    'not JSON',
    '[]',
    'null',
    '{"files": 5}',
    '{"files": [null, {"key": "a", "checksum": "x", "size": -1}]}',
  ])('are unknown if a record is %j', (text) => expect(parseZenodoRecord(text).size).toBe(0));

  it('are read from checksum lists', () => {
    const sha = 'A'.repeat(64);
    const known = parseSumList(`# comment\n${sha} *a b.pth\r\n${md5}  ./c\n${'f'.repeat(33)}  d\n`);
    expect([...known]).toEqual([
      ['a b.pth', { digest: { algorithm: 'sha256', hex: 'a'.repeat(64) } }],
      ['c', { digest: { algorithm: 'md5', hex: md5 } }],
    ]);
  });
});

describe('the environment', () => {
  it('sets mirrors; the official sources are the default', () => {
    expect(sourcesFrom({}).checkpoints).toMatch(/^https:.*\/records\/4721981\/files$/);
    expect(sourcesFrom({ HF_ENDPOINT: 'https://mirror.example/hub/' }).hub).toBe('https://mirror.example/hub');
  });

  it.each(['mirror.example', 'ftp://mirror.example', 'https://mirror.example/?a=b'])(
    'rejects the mirror %s',
    (text) => {
      expect(() => sourcesFrom({ MDETR_CHECKPOINTS_URL: text })).toThrow(/MDETR_CHECKPOINTS_URL must be a URL/);
    },
  );

  it.each([
    ['https://a.example/x', { https_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
    ['https://a.example/x', { HTTPS_PROXY: 'proxy:3128' }, 'http://proxy:3128'],
    ['http://a.example/x', { https_proxy: 'http://proxy:3128' }, undefined],
    ['http://a.example/x', { all_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
    ['https://a.example/x', { https_proxy: 'http://proxy', no_proxy: 'b.example, .example' }, undefined],
    ['https://a.example/x', { https_proxy: 'http://proxy', no_proxy: 'ample' }, 'http://proxy'],
    ['https://a.example/x', { https_proxy: 'http://proxy', no_proxy: 'a.example:444' }, 'http://proxy'],
    ['https://a.example/x', { https_proxy: 'http://proxy', no_proxy: 'a.example:443' }, undefined],
    ['https://a.example/x', { https_proxy: 'http://proxy', no_proxy: '*' }, undefined],
    ['https://localhost/x', { https_proxy: 'http://proxy' }, undefined],
  ])('selects for %s with %j the proxy %s', (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)).toBe(expected);
  });

  it('rejects an invalid proxy', () => {
    expect(() => proxyFor(new URL('https://a.example'), { https_proxy: 'socks5://proxy' })).toThrow(
      /https_proxy must be/,
    );
  });
});
