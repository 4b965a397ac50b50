import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SCENE_VOCABULARY } from '../../scenes/language/vocabulary.ts';
import { MdetrNetwork, parseModelConfig } from '../../models/index.ts';
import { createTokenizer } from '../../text/index.ts';

const folder = new URL('../../../models/default/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));

it("the embedded model knows every word of the scenes' texts", () => {
  const tokenizer = createTokenizer(read('tokenizer.json'));
  for (const word of SCENE_VOCABULARY) {
    const { ids, warnings } = tokenizer.encode(word);
    expect([word, ids.length, warnings]).toEqual([word, 3, []]); // between <s> and </s>
  }
});

it('the embedded model says that it is untrained exactly as long as it has no weights', () => {
  const config = read('config.json') as Record<string, unknown>;
  const hasWeights = existsSync(fileURLToPath(new URL('model.safetensors', folder)));
  expect('init_seed' in config).toBe(!hasWeights);
  expect(String(config['notice']).includes('not trained')).toBe(!hasWeights);
});

it('the embedded model has every head: boxes, masks, answers, alignment, isfinal', () => {
  const model = new MdetrNetwork(parseModelConfig(read('config.json') as Record<string, unknown>));
  const names = model.registry.specs.map(({ name }) => name).join('\n');
  for (const part of [
    'detr.bbox_embed',
    'mask_head',
    'answer_reg_head',
    'contrastive_align_projection',
    'isfinal_embed',
  ])
    expect(names).toContain(part);
});
