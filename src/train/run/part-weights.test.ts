import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tensorSource, writePth, writeSafetensors } from '../../checkpoints/index.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { SMALL_DETECTOR } from '../../../test/support/small-detector.ts';
import { initialParameters, type ParameterStore } from '../step/parameters.ts';
import { loadPart } from './part-weights.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-parts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const networkWith = (more: Record<string, unknown> = {}): ParameterStore =>
  initialParameters(
    new MdetrNetwork(
      parseModelConfig({
        ...SMALL_DETECTOR,
        ...more,
      }),
    ),
    1,
  );

/** The makers' names and other values for everything below `prefix`. */
const foreign = (network: ParameterStore, prefix: string, becomes: string, leaveOut = /^$/) =>
  [...network]
    .filter(([name]) => name.startsWith(prefix) && !leaveOut.test(name))
    .map(([name, { shape, data }]) =>
      tensorSource(becomes + name.slice(prefix.length), shape, new Float32Array(data.length).fill(0.25)),
    );

const valuesBelow = (network: ParameterStore, prefix: string): readonly (readonly [string, number])[] =>
  [...network]
    .filter(([name, { data }]) => name.startsWith(prefix) && data instanceof Float32Array)
    .map(([name, { data }]) => [name, Number(data[0])]);

describe('weights of parts', () => {
  it('a classifier gives its backbone, its last layer is left out', async () => {
    const network = networkWith();
    const path = join(folder, 'classifier.pth');
    const head = tensorSource('fc.weight', [3, 160], new Float32Array(480));
    await writePth(path, { model: [...foreign(network, 'backbone.0.body.', ''), head] });
    const { text } = await loadPart(network, 'backbone', path);
    expect(text).toMatch(/\d+ tensors of the backbone loaded/);
    for (const [name, value] of valuesBelow(network, 'backbone.0.body.')) expect(value, name).toBe(0.25);
    expect(network.get('query_embed.weight')!.data[0]).not.toBe(0.25);
  });

  it('a language model gives its encoder, also to a network with masks and without its pooler', async () => {
    const network = networkWith({ mask_model: 'smallconv' });
    const path = join(folder, 'language.safetensors');
    const prefix = 'detr.transformer.text_encoder.';
    await writeSafetensors(path, foreign(network, prefix, 'roberta.', /pooler|position_ids/), { format: 'pt' });
    await loadPart(network, 'text_encoder', path);
    const loaded = valuesBelow(network, prefix).filter(([name]) => !name.includes('pooler'));
    expect(loaded.length).toBeGreaterThan(10);
    for (const [name, value] of loaded) expect(value, name).toBe(0.25);
  });

  it("another network's file is refused, naming what does not fit, and nothing is changed", async () => {
    const network = networkWith();
    const path = join(folder, 'half.safetensors');
    await writeSafetensors(path, foreign(network, 'backbone.0.body.', '', /stem|conv1/).slice(0, 5), { format: 'pt' });
    const before = valuesBelow(network, 'backbone.0.body.');
    await expect(loadPart(network, 'backbone', path)).rejects.toThrow(
      /half\.safetensors: backbone_weights must be torchvision's or timm's file for this backbone: .*missing from the file/,
    );
    expect(valuesBelow(network, 'backbone.0.body.')).toEqual(before);
    await expect(loadPart(network, 'backbone', 'resnet101')).rejects.toThrow(/mdetr pull resnet101/);
  });
});
