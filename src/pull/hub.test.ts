import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyServer, serve } from '../../test/support/faulty-server.ts';
import { HubFixture } from '../../test/support/hub-fixture.ts';
import { cachedSnapshot, hubCacheFolder } from './hub-cache.ts';
import { pullRepository, type HubPullOptions } from './hub.ts';

let server: FaultyServer;
let hub: HubFixture;
let cache: string;

beforeEach(async () => {
  server = await FaultyServer.start();
  hub = new HubFixture(server);
  cache = mkdtempSync(join(tmpdir(), 'mdetr-hub-'));
});
afterEach(async () => {
  await server.stop();
  rmSync(cache, { recursive: true, force: true });
});

const environment = () => ({ HF_ENDPOINT: server.address, HF_HUB_CACHE: cache });
const pull = (name = 'someone/model', options: HubPullOptions = {}, revision = 'main') =>
  pullRepository({ name, revision }, { attempts: 1, environment: environment(), ...options });
const text = (content: string) => Buffer.from(content);

describe('pulling a repository of the hub', () => {
  it("fills the cache of Hugging Face's libraries", async () => {
    const commit = hub.publish('someone/model', 'main', {
      'config.json': { body: text('{}') },
      'onnx/model.onnx': { body: text('weights'), isLarge: true },
    });
    const { folder, files } = await pull();
    const root = join(cache, 'models--someone--model');
    expect(folder).toBe(join(root, 'snapshots', commit));
    expect(files.map(({ name, wasThere }) => [name, wasThere])).toEqual([
      ['config.json', false],
      ['onnx/model.onnx', false],
    ]);
    expect(readFileSync(join(root, 'refs/main'), 'utf8')).toBe(commit);
    expect(lstatSync(join(folder, 'config.json')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'config.json'), 'utf8')).toBe('{}');
    expect(readFileSync(join(folder, 'onnx/model.onnx'), 'utf8')).toBe('weights');
    const sha256 = createHash('sha256').update('weights').digest('hex');
    expect(readdirSync(join(root, 'blobs'))).toContain(sha256);

    const before = server.requests.length;
    const again = await pull();
    expect(again.files.every(({ wasThere }) => wasThere)).toBe(true);
    expect(server.requests.slice(before).filter(({ path }) => path.includes('/resolve/'))).toEqual([]);
  });

  it('keeps revisions apart and follows a branch that moved', async () => {
    const first = hub.publish('someone/model', 'main', { 'config.json': { body: text('1') } });
    const tagged = hub.publish('someone/model', 'v1', { 'config.json': { body: text('0') } });
    const readConfig = ({ folder }: { readonly folder: string }): string =>
      readFileSync(join(folder, 'config.json'), 'utf8');
    expect(readConfig(await pull())).toBe('1');
    expect(readConfig(await pull('someone/model', {}, 'v1'))).toBe('0');
    const moved = hub.publish('someone/model', 'main', { 'config.json': { body: text('2') } });
    expect(readConfig(await pull())).toBe('2');
    expect(new Set([first, tagged, moved]).size).toBe(3);
    expect(await cachedSnapshot({ name: 'someone/model', revision: 'main' }, environment())).toContain(moved);
    expect(await cachedSnapshot({ name: 'someone/model', revision: first }, environment())).toContain(first);
    expect(await cachedSnapshot({ name: 'someone/other', revision: 'main' }, environment())).toBeUndefined();
  });

  it('sends the token, and says what is wrong without it', async () => {
    hub.publish('someone/secret', 'main', { 'config.json': { body: text('{}') } }, 'hf_right');
    await expect(pull('someone/secret')).rejects.toThrow(/needs an access token: set HF_TOKEN \(status 401\)/);
    const withToken = (token: string) => ({ environment: { ...environment(), HF_TOKEN: token } });
    await expect(pull('someone/secret', withToken('hf_wrong'))).rejects.toThrow(/needs another access token/);
    await pull('someone/secret', withToken('hf_right'));
    expect(server.requests.at(-1)).toMatchObject({ authorization: 'Bearer hf_right' });
    await expect(pull('someone/nothing')).rejects.toThrow(/no such repository or revision.*404/);
  });

  it('works from the cache without the hub', async () => {
    const commit = hub.publish('someone/model', 'main', { 'config.json': { body: text('{}') } });
    await expect(pull('someone/model', { offline: true })).rejects.toThrow(/not in the cache .*offline mode/);
    await pull();
    expect((await pull('someone/model', { offline: true })).commit).toBe(commit);
    server.on('/api/models/someone/model/revision/main', (_request, response) => response.writeHead(503).end());
    expect((await pull()).commit).toBe(commit);
    await expect(pull('someone/model', {}, 'v9')).rejects.toThrow(/404/);
  });

  it('refuses wrong contents, keeps none of them, and downloads only names inside the folder', async () => {
    const commit = hub.publish('someone/model', 'main', {
      'config.json': { body: text('{}') },
      '../evil.json': { body: text('x') },
      '.hidden/evil.json': { body: text('x') },
      'a/b/deep.json': { body: text('x') },
    });
    const { files } = await pull();
    expect(files.map(({ name }) => name)).toEqual(['config.json']);
    rmSync(cache, { recursive: true });
    server.on(`/someone/model/resolve/${commit}/config.json`, serve(text('[]')));
    await expect(pull()).rejects.toThrow(/wrong contents/);
    expect(existsSync(join(cache, 'models--someone--model/snapshots'))).toBe(false);
  });

  it('refuses replies that are no list of files', async () => {
    for (const reply of ['', '[]', '{"sha":"../../x"}', '{"sha":5}', '<html>']) {
      server.on('/api/models/someone/odd/revision/main', serve(text(reply)));
      await expect(pull('someone/odd'), reply).rejects.toThrow(/odd/);
    }
  });

  it('refuses names and revisions that the hub cannot have', async () => {
    for (const name of ['one', 'a/b/c', '../x', 'a/..', 'a--b/c', '/b', 'a/b?x'])
      await expect(pull(name), name).rejects.toThrow(/is not the name of a repository/);
    for (const revision of ['', '../main', 'a b', '-x'])
      await expect(pull('someone/model', {}, revision), revision).rejects.toThrow(/not a branch, tag or commit/);
  });
});

it('the cache of the hub is where its libraries look', () => {
  expect(hubCacheFolder({ HF_HUB_CACHE: '/a', HF_HOME: '/b' })).toBe('/a');
  expect(hubCacheFolder({ HF_HUB_CACHE: '', HF_HOME: '/b' })).toBe(join('/b', 'hub'));
  expect(hubCacheFolder({ XDG_CACHE_HOME: '/c' })).toBe(join('/c', 'huggingface', 'hub'));
  expect(hubCacheFolder({})).toMatch(/huggingface.hub$/);
});
