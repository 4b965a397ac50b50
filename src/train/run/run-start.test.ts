import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { tensorSource, writeSafetensors } from '../../checkpoints/index.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { SMALL_DETECTOR } from '../../../test/support/small-detector.ts';
import { parseTrainConfig } from '../config/config.ts';
import { initialParameters } from '../step/parameters.ts';
import { findVocabulary, startingPoint, takeOver } from './run-start.ts';

it('a stage with masks takes over the detector of a stage without, and the other way round', () => {
  const detector = initialParameters(new MdetrNetwork(parseModelConfig(SMALL_DETECTOR)), 1);
  const masks = initialParameters(
    new MdetrNetwork(parseModelConfig({ ...SMALL_DETECTOR, mask_model: 'smallconv' })),
    2,
  );
  const name = 'transformer.encoder.layers.0.linear1.weight';
  const [plain, prefixed] = [detector.get(name)!.data, masks.get(`detr.${name}`)!.data];
  expect(prefixed).not.toEqual(plain);
  for (const [own, { data }] of detector) takeOver(masks, own, data as Float32Array);
  expect(prefixed).toEqual(plain);
  (prefixed as Float32Array).fill(7);
  for (const [own, { data }] of masks) takeOver(detector, own, data as Float32Array);
  expect((plain as Float32Array).every((value) => value === 7)).toBe(true);
});

it('a run begins with weights of single parts, an earlier stage has them already', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mdetr-start-'));
  try {
    const name = 'backbone.0.body.';
    const path = join(folder, 'backbone.safetensors');
    const values = initialParameters(new MdetrNetwork(parseModelConfig(SMALL_DETECTOR)), 1);
    const parts = [...values].filter(([own]) => own.startsWith(name));
    await writeSafetensors(
      path,
      parts.map(([own, { shape, data }]) =>
        tensorSource(own.slice(name.length), shape, new Float32Array(data.length).fill(0.5)),
      ),
      {},
    );
    const notes: string[] = [];
    const config = parseTrainConfig({ ...SMALL_DETECTOR, backbone_weights: path });
    const { parameters } = await startingPoint(config, undefined, (text) => notes.push(text));
    expect(notes).toEqual([`${path}: ${parts.length} tensors of the backbone loaded`]);
    for (const [own] of parts) expect(parameters.get(own)!.data[0], own).toBe(0.5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('the vocabulary of a config is found as on the command line: pulled ones by name, folders, models', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'mdetr-vocabulary-'));
  vi.stubEnv('MDETR_CACHE', cache);
  try {
    const find = (tokenizer: string): Promise<string> =>
      findVocabulary(parseTrainConfig({ ...SMALL_DETECTOR, tokenizer }));
    await expect(find('roberta-base')).rejects.toThrow(
      'vocabulary "roberta-base" is not here yet; fetch it with: mdetr pull roberta-base',
    );
    const pulled = join(cache, 'tokenizers/roberta-base');
    mkdirSync(pulled, { recursive: true });
    copyFileSync('configs/scenes/plain-words/tokenizer.json', join(pulled, 'tokenizer.json'));
    expect(await find('roberta-base')).toBe(pulled);
    expect(await find(pulled)).toBe(pulled);
    expect(await find('default')).toMatch(/models.default$/);
    await expect(find('no/vocabulary')).rejects.toThrow(/no\/vocabulary: there is no such/);
  } finally {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  }
});
