import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { exportModel } from '../../../export/node/export-model.ts';
import { requirePackageFile } from '../../../files/package-folder.ts';
import { convertModel } from '../../../model-folder/node/convert.ts';
import { describeModel } from '../../../model-folder/node/model-info.ts';
import type { Quantization } from '../../../model-folder/quantization.ts';
import { generateScene } from '../../../scenes/index.ts';
import { ProgramCache } from '../../../engine/runtime/node/program-cache.ts';
import { hasIntegerDotProducts } from '../../../engine/runtime/node/integer-dot-products.ts';
import { MDETR } from '../../node/mdetr.ts';
import { quantizeModel } from './quantize-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-quantize-'));
const model = join(folder, 'model');
const file = join(model, 'quantization.json');
const CONFIG = {
  small_backbone: { widths: [8, 8, 16], groups: 4 },
  hidden_dim: 16,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 16,
  num_queries: 4,
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    vocab_size: 115,
    max_position_embeddings: 40,
  },
  init_seed: 7,
};
const images = [0, 1].map((index) => generateScene(1, index, { width: 150, height: 100 }).image);
const INTEGERS = hasIntegerDotProducts()
  ? /integers \(10 ranges, mse, of 2 images of "images"\)/
  : /weights only \(the CPU/;

beforeAll(() => {
  mkdirSync(model);
  writeFileSync(join(model, 'config.json'), JSON.stringify(CONFIG));
  cpSync(requirePackageFile('configs/scenes/plain-words/tokenizer.json'), join(model, 'tokenizer.json'));
  cpSync(requirePackageFile('models/default/preprocessor_config.json'), join(model, 'preprocessor_config.json'));
});
beforeEach(() => vi.stubEnv('MDETR_CACHE', join(folder, 'cache')));
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const detect = async (name: string, dtype?: 'int8') => {
  const loaded = await MDETR.fromPretrained(name, { threads: 1, dtype });
  const { detections } = await loaded.detect(images[0]!, 'the big cylinder', { threshold: 0 });
  await loaded.dispose();
  return { detections, report: loaded.loadReport ?? '', dtype: loaded.dtype };
};
const expectClose = (ours: Awaited<ReturnType<typeof detect>>, exact: Awaited<ReturnType<typeof detect>>): void => {
  expect(ours.detections).toHaveLength(exact.detections.length);
  for (const { query, box } of exact.detections) {
    const found = ours.detections.find((one) => one.query === query)!;
    box.forEach((value, axis) => expect(Math.abs(found.box[axis]! - value)).toBeLessThan(2));
  }
};

describe('the ranges of a model', () => {
  it('without them, int8 means weights only', async () => {
    expect((await detect(model, 'int8')).report).toMatch(/^int8: weights only \(no quantization.json/);
    expect((await describeModel(model)).quantization).toBeUndefined();
  });

  it('a dry run and a canceled one write nothing, and leave nothing in the cache', async () => {
    const { path, quantization } = await quantizeModel(model, images, { write: false, method: 'minmax' });
    expect(path).toBeUndefined();
    expect(quantization).toMatchObject({ method: 'minmax', data: { images: 2 } });
    const stop = new AbortController();
    const onProgress = (): void => stop.abort(new Error('stopped'));
    await expect(quantizeModel(model, images, { signal: stop.signal, onProgress })).rejects.toThrow('stopped');
    expect(existsSync(file)).toBe(false);
    expect((await new ProgramCache().entries()).map(({ program }) => program)).not.toContain('ranges');
  });

  it('are written into its folder, and int8 then computes with integers where the CPU can', async () => {
    const calls: [number, number][] = [];
    const { path, quantization } = await quantizeModel(model, images, { onProgress: (...call) => calls.push(call) });
    expect(path).toBe(file);
    expect(calls).toEqual([[1, 2], [2, 2]]); // prettier-ignore
    expect(Object.keys(quantization.ranges)).toHaveLength(10);
    expect((await describeModel(model)).quantization).toEqual(quantization);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1, method: 'mse' });
    const [ours, exact] = [await detect(model, 'int8'), await detect(model)];
    expect(ours.report).toMatch(INTEGERS);
    expect(exact.report).not.toContain('int8');
    expect([ours.dtype, exact.dtype]).toEqual(['int8', 'float32']);
    expectClose(ours, exact);
  });

  it('are taken along by convert and export', async () => {
    const [converted, exported, single] = ['converted', 'exported', 'single'].map((name) => join(folder, name));
    await convertModel(model, converted!, { dtype: 'int8' });
    expect(readFileSync(join(converted!, 'quantization.json'), 'utf8')).toBe(readFileSync(file, 'utf8'));
    expect((await detect(converted!, 'int8')).report).toMatch(INTEGERS);
    const { leftOut } = await convertModel(model, join(folder, 'weights.safetensors'));
    expect(leftOut).toContain('quantization.json');

    const exact = await detect(model);
    const manifest = await exportModel(model, exported!, { dtype: ['float32', 'int8'] });
    expect(manifest.quantization).toBe('10 ranges, mse, of 2 images of "images"');
    const ours = await detect(exported!, 'int8');
    expect(ours.report).toContain(`int8: the backbone computes with integers (${manifest.quantization!})`);
    expectClose(ours, exact);
    expect((await detect(exported!)).report).not.toContain('int8');
    await exportModel(model, single!, { dtype: 'int8', layout: 'single' });
    expectClose(await detect(single!), exact);
    await expect(quantizeModel(exported!, images)).rejects.toThrow(/is an exported folder; quantize the model/);
    await expect(quantizeModel(join(folder, 'weights.safetensors'), images)).rejects.toThrow(
      /is a weight file; make a model folder of it first: mdetr convert/,
    );
  });

  it('that are broken stop what needs them, and only that', async () => {
    const good = JSON.parse(readFileSync(file, 'utf8')) as Quantization & Record<string, unknown>;
    const broken = {
      truncated: JSON.stringify(good).slice(0, 500),
      'another version': JSON.stringify({ ...good, version: 9 }),
      'NaN in a range': JSON.stringify(good).replace(/\[-?\d[\d.e-]*,/, '[NaN,'),
      'a hostile name': JSON.stringify({ ...good, ranges: { '../../etc/passwd': [0, 1] } }),
      empty: '',
    };
    for (const [name, text] of Object.entries(broken)) {
      writeFileSync(file, text);
      await expect(detect(model, 'int8'), name).rejects.toThrow('quantization.json');
      await expect(exportModel(model, join(folder, 'none'), { dtype: 'int8' }), name).rejects.toThrow(
        'quantization.json',
      );
    }
    expect((await detect(model)).dtype).toBe('float32');
    expect(existsSync(join(folder, 'none'))).toBe(false);
    writeFileSync(file, JSON.stringify({ ...good, ranges: { 'other.output': [0, 1] } }));
    await expect(detect(model, 'int8')).rejects.toThrow(/names none of the layers of this network/);
    writeFileSync(file, JSON.stringify(good));
  });

  it('need images that can be read', async () => {
    await expect(quantizeModel(model, [])).rejects.toThrow('there are no images to measure');
    const text = join(folder, 'text.png');
    writeFileSync(text, 'no image');
    await expect(quantizeModel(model, [text])).rejects.toThrow('text.png');
    const skipped: string[] = [];
    const onSkip = (name: string): number => skipped.push(name);
    const { quantization } = await quantizeModel(model, [text, images[0]!], { onSkip, write: false });
    expect(quantization.data.images).toBe(1);
    expect(skipped).toEqual([text]);
    await expect(quantizeModel(model, [text], { onSkip })).rejects.toThrow('none of the images can be read');
  });
});
