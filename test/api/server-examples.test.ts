import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formOf, formRequest, sceneBytes } from '../support/server-requests.ts';

const fields = { image: sceneBytes(), caption: 'a red cube' };
const cache = mkdtempSync(join(tmpdir(), 'mdetr-examples-'));
const before = { ...process.env };
beforeAll(() => Object.assign(process.env, { MDETR_CACHE: cache, PORT: '0' }));
afterAll(() => {
  process.env = before;
  rmSync(cache, { recursive: true, force: true });
});

it.each([
  ['node-http', ''],
  ['hono', '/vision'],
])('examples/server/%s.mjs answers', async (name, path) => {
  const url = new URL(`../../examples/server/${name}.mjs`, import.meta.url).href;
  const { server } = (await import(url)) as { server: Server };
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}${path}/v1/detect`, { method: 'POST', body: formOf(fields) });
  expect(await response.json()).toMatchObject({ image: 'scene.png', caption: 'a red cube', width: 480 });
  server.close();
});

it('the route of Next.js answers', async () => {
  const url = new URL('../../examples/next/app/api/mdetr/[...path]/route.ts', import.meta.url).href;
  const { GET, POST } = (await import(url)) as typeof import('../../examples/next/app/api/mdetr/[...path]/route.ts');
  const answer = await (await POST(formRequest('/api/mdetr/v1/detect', fields))).json();
  expect(answer).toMatchObject({ caption: 'a red cube', model: 'default' });
  expect((await GET(new Request('http://localhost/api/mdetr/healthz'))).status).toBe(200);
});
