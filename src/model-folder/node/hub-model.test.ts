import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyServer } from '../../../test/support/faulty-server.ts';
import { HubFixture } from '../../../test/support/hub-fixture.ts';
import { exportManifest } from '../export-manifest.ts';
import { pullHubModel } from './hub-model.ts';

let server: FaultyServer;
let hub: HubFixture;
let folder: string;
beforeEach(async () => {
  server = await FaultyServer.start();
  hub = new HubFixture(server);
  folder = mkdtempSync(join(tmpdir(), 'mdetr-hub-model-'));
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const write = (names: readonly string[], manifest?: object): string => {
  const source = join(folder, 'source');
  mkdirSync(join(source, 'onnx'), { recursive: true });
  for (const name of names) writeFileSync(join(source, name), `contents of ${name}`);
  if (manifest !== undefined) writeFileSync(join(source, 'export.json'), JSON.stringify(manifest));
  return source;
};
const namesOf = async (options = {}): Promise<string[]> => {
  const environment = { HF_ENDPOINT: server.address, HF_HUB_CACHE: join(folder, 'cache') };
  const { files } = await pullHubModel('someone/model', { environment, attempts: 1, ...options });
  return files.map(({ name }) => name).sort();
};

describe('the files of a model on the hub', () => {
  const companions = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'README.md'];

  it('are one set of weights and what belongs to it', async () => {
    const others = ['pytorch_model.bin', 'events.out', 'training_args.bin', 'onnx/model.onnx'];
    hub.publishFolder('someone/model', write([...companions, ...others, 'model.safetensors']));
    expect(await namesOf()).toEqual([...companions, 'model.safetensors'].sort());
  });

  it('are all shards of weights', async () => {
    const shards = [
      'model.safetensors.index.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
    ];
    hub.publishFolder('someone/model', write([...companions, ...shards]));
    expect(await namesOf()).toEqual([...companions, ...shards].sort());
  });

  it('are the ONNX files of one precision for an exported folder', async () => {
    const signature = { inputs: [], outputs: [] };
    const manifest = exportManifest({
      mdetr: '0.1.0',
      layout: 'hub',
      opset: 20,
      programs: { model: signature },
      files: {},
      precisions: {
        float32: { model: { file: 'onnx/model.onnx', data: 'onnx/model.onnx_data' } },
        float16: { model: { file: 'onnx/model_fp16.onnx' } },
      },
    });
    const files = ['onnx/model.onnx', 'onnx/model.onnx_data', 'onnx/model_fp16.onnx'];
    hub.publishFolder('someone/model', write([...companions, ...files], manifest));
    const common = [...companions, 'export.json'];
    expect(await namesOf()).toEqual([...common, 'onnx/model.onnx', 'onnx/model.onnx_data'].sort());
    expect(await namesOf({ dtype: 'float16' })).toEqual([...common, 'onnx/model_fp16.onnx'].sort());
    await expect(namesOf({ dtype: 'int8' })).rejects.toThrow(/exported as float32 and float16, not int8/);
  });

  it('are missing in a repository of something else', async () => {
    hub.publishFolder('someone/model', write(['README.md']));
    await expect(namesOf()).rejects.toThrow(/has no config.json, so it holds no model/);
  });
});
