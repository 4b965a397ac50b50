import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runtime } from '../../../test/support/op-check.ts';
import { syntheticSource } from '../../../test/support/synthetic-weights.ts';
import { ProgramCache } from '../../engine/runtime/node/program-cache.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { loadStages } from './known-programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-known-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config = parseModelConfig({
  backbone: 'small_convnet',
  small_backbone: { widths: [8, 8], groups: 4 },
  hidden_dim: 8,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 8,
  num_queries: 2,
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    vocab_size: 12,
    max_position_embeddings: 10,
  },
});
const model = new MdetrNetwork(config);
const weights = syntheticSource(model);
const cache = new ProgramCache({ folder });

/** Loads the programs and returns their names; those of a model that cannot be traced are found or fail. */
const load = async (code: string, canTrace: boolean): Promise<string[]> => {
  const names: string[] = [];
  const traceable = canTrace ? model : (undefined as unknown as MdetrNetwork);
  const source = { name: 'small', config, model: traceable, weights };
  const stages = await loadStages(source, runtime, { cache, onLoad: (name) => names.push(name), code });
  await Promise.all([stages.image.dispose(), stages.text.dispose()]);
  return names;
};
const [code, otherCode] = ['a', 'b'].map((digit) => digit.repeat(64)) as [string, string];
const recipes = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.json'));

describe('programs that were compiled before', () => {
  it('are found without tracing, by the same code only; a damaged file or a missing entry is made again', async () => {
    expect(await load(code, true)).toEqual(['image', 'text']);
    expect(recipes()).toHaveLength(1);
    expect(await load(code, false)).toEqual(['image', 'text']);
    await expect(load(otherCode, false)).rejects.toThrow(TypeError);

    for (const damage of ['', '{"image":{"entry":"../../x"}}', '{"image":null}']) {
      writeFileSync(join(folder, recipes()[0]!), damage);
      await expect(load(code, false), damage).rejects.toThrow(TypeError);
      expect(await load(code, true)).toEqual(['image', 'text']);
      expect(await load(code, false)).toEqual(['image', 'text']);
    }

    const [entry] = await cache.entries();
    rmSync(join(folder, entry!.key), { recursive: true });
    expect(await load(code, true)).toEqual(['image', 'text']);
    await cache.clear();
    expect(readdirSync(folder)).toEqual([]);
  });
});
