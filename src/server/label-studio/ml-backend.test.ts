import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonRequest, sceneBytes } from '../../../test/support/server-requests.ts';
import { createHandler, type ServerHandler } from '../handler.ts';
import { parseLabelConfig } from './label-config.ts';

const RECTANGLES =
  '<View><Image name="img" value="$photo"/><RectangleLabels name="tag" toName="img"><Label value="Cube"/><Label value="Sphere"/></RectangleLabels></View>';
const POLYGONS =
  '<View><Text name="t" value="$phrase"/><Image name="img" value="$photo"/><PolygonLabels name="shape" toName="img"/></View>';

const image = sceneBytes();
const data = `data:image/png;base64,${Buffer.from(image).toString('base64')}`;
let folder: string;
let studio: Server;
let url: string;
const tokens: (string | undefined)[] = [];
let handler: ServerHandler;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-studio-'));
  studio = createServer((request, response) => {
    tokens.push(request.headers.authorization);
    response.writeHead(request.url === '/data/upload/1/a.png' ? 200 : 404).end(image);
  }).listen(0, '127.0.0.1');
  await once(studio, 'listening');
  url = `http://127.0.0.1:${(studio.address() as AddressInfo).port}`;
  handler = createHandler({ cacheDir: folder, threads: 1, queueS: 60, labelStudio: { url, token: 'key' } });
});
afterAll(async () => {
  await handler.close();
  studio.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly model_version: string;
  readonly results: readonly { readonly score: number; readonly result: readonly Record<string, unknown>[] }[];
}

const predict = async (config: string, ...tasks: readonly Record<string, unknown>[]): Promise<Answer> => {
  const body = { tasks: tasks.map((task, id) => ({ id, data: task })), label_config: config, project: '1.2' };
  const response = await handler(jsonRequest('/predict', body));
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text) as Answer;
};

describe("Label Studio's protocol", () => {
  it('health and setup', async () => {
    expect(await (await handler(new Request('http://localhost/health'))).json()).toMatchObject({ status: 'UP' });
    const setup = await handler(jsonRequest('/setup', { project: '1.2', schema: RECTANGLES }));
    expect(await setup.json()).toEqual({ model_version: 'default' });
  });

  it('boxes in percent with the labels of the interface, for uploaded images and data URLs', async () => {
    const { results, model_version } = await predict(
      RECTANGLES,
      { photo: '/data/upload/1/a.png', caption: 'the cubes and the spheres' },
      { photo: `${url}/data/upload/1/a.png`, caption: 'the cubes and the spheres' },
      { photo: data, caption: 'the cubes and the spheres' },
      { photo: '/data/upload/1/missing.png', caption: 'a cube' },
    );
    expect(model_version).toBe('default');
    expect(results).toHaveLength(4);
    expect(tokens).toEqual(['Token key', 'Token key', 'Token key']);
    expect(results[1]!.result).toEqual(results[0]!.result);
    expect(results[2]!.result).toEqual(results[0]!.result);
    expect(results[3]).toMatchObject({ score: 0, result: [] });
    expect(results[0]!.result.length).toBeGreaterThan(0);
    for (const region of results[0]!.result) {
      expect(region).toMatchObject({ type: 'rectanglelabels', from_name: 'tag', to_name: 'img', original_width: 480 });
      const value = region['value'] as {
        x: number;
        y: number;
        width: number;
        height: number;
        rectanglelabels: string[];
      };
      expect(['Cube', 'Sphere']).toContain(value.rectanglelabels[0]);
      expect(value.x).toBeGreaterThanOrEqual(0);
      expect(value.x + value.width).toBeLessThanOrEqual(100);
      expect(value.y + value.height).toBeLessThanOrEqual(100);
    }
  });

  it('polygons for an interface with polygons, whose text is the caption', async () => {
    const { results } = await predict(POLYGONS, { photo: data, phrase: 'the cylinders' });
    expect(results[0]!.result.length).toBeGreaterThan(0);
    expect(results[0]!.result[0]).toMatchObject({ type: 'polygonlabels', from_name: 'shape', value: { closed: true } });
  });

  it('wrong requests are answered with a problem', async () => {
    for (const [body, problem] of [
      [{ tasks: [], label_config: '<View>' }, 'invalid-request'],
      [{ tasks: [], label_config: '<View/>' }, 'invalid-request'],
      [{ tasks: 'none', label_config: RECTANGLES }, 'invalid-request'],
      [{ tasks: [{ data: {} }], label_config: RECTANGLES }, 'invalid-request'],
      [{ tasks: [{ data: { photo: 'http://127.0.0.1:1/a.png' } }], label_config: RECTANGLES }, 'image-url-refused'],
      // Another host, not a path.
      [{ tasks: [{ data: { photo: '//127.0.0.1:1/a.png' } }], label_config: RECTANGLES }, 'invalid-request'],
    ] as const) {
      const answer = await (await handler(jsonRequest('/predict', body))).json();
      expect(answer, JSON.stringify(body)).toMatchObject({ type: `urn:mdetr:problem:${problem}` });
    }
  });

  it('the interface is read from XML without entities', () => {
    expect(parseLabelConfig(RECTANGLES)).toMatchObject({
      image: { name: 'img', key: 'photo' },
      rectangles: { name: 'tag', labels: ['Cube', 'Sphere'] },
    });
    expect(() => parseLabelConfig('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')).toThrow('label_config');
  });
});
