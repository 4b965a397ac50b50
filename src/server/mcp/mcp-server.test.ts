import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scene } from '../../../test/support/run-mdetr.ts';
import { sceneBytes } from '../../../test/support/server-requests.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import { parseResult } from '../../results/schema.ts';
import { addTools } from './mcp-server.ts';

let folder: string;
let model: MDETR;
let client: Client;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-mcp-'));
  model = await MDETR.fromPretrained('default', { cacheDir: folder, threads: 1 });
  const server = new McpServer({ name: 'mdetr', version: '0' });
  addTools(server, model, { roots: [dirname(scene)], allowUrls: false });
  client = new Client({ name: 'test', version: '0' });
  const [here, there] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(there), client.connect(here)]);
});
afterAll(async () => {
  await client.close();
  await model.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const call = async (name: string, args: Record<string, unknown>): Promise<CallToolResult> =>
  (await client.callTool({ name, arguments: args })) as CallToolResult;

describe('tools of the Model Context Protocol', () => {
  it('are the three tasks', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['detect', 'refer', 'ask']);
    expect(tools[0]!.inputSchema.required).toEqual(['image', 'caption']);
  });

  it('answer with results in the form of the command line, and a drawing', async () => {
    const { structuredContent, content } = await call('detect', { image: scene, caption: 'a red cube', draw: true });
    expect(parseResult(structuredContent)).toMatchObject({ caption: 'a red cube', image: scene });
    expect(content).toMatchObject([{ type: 'text' }, { type: 'image', mimeType: 'image/png' }]);
    const data = `data:image/png;base64,${Buffer.from(sceneBytes()).toString('base64')}`;
    expect((await call('refer', { image: data, expression: 'the cube' })).structuredContent).toMatchObject({
      image: 'image',
      expression: 'the cube',
    });
    const answered = await call('ask', { image: scene, question: 'how many cubes are there?', masks: true });
    expect(parseResult(answered.structuredContent)).toMatchObject({ question: 'how many cubes are there?' });
  });

  it('answer with errors that say the way out', async () => {
    for (const [args, message] of [
      [{ image: join(dirname(scene), 'nothing.png'), caption: 'a' }, /there is no such file/],
      [{ image: '/etc/passwd', caption: 'a' }, /only images in .* may be read \(--root\)/],
      [{ image: `${dirname(scene)}/../package.json`, caption: 'a' }, /may be read/],
      [{ image: 'http://127.0.0.1/a.png', caption: 'a' }, /--allow-urls/],
      [{ image: scene, caption: 'cube '.repeat(100) }, /reads at most/],
      [{ image: scene }, /caption/],
      [{ image: scene, caption: 'a', threshold: 2 }, /threshold/],
    ] as const) {
      const result = await call('detect', args);
      expect(result.isError).toBe(true);
      expect(JSON.stringify(result.content)).toMatch(message);
    }
  });
});
