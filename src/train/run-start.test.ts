import { expect, it } from 'vitest';
import { Mdetr, parseModelConfig } from '../models/index.ts';
import { initialParameters } from './parameters.ts';
import { takeOver } from './run-start.ts';

it('a stage with masks takes over the detector of a stage without, and the other way round', () => {
  const size = {
    ...{ backbone: 'small_convnet', small_backbone: { widths: [24, 48, 96, 160], groups: 8 } },
    ...{ hidden_dim: 128, enc_layers: 1, dec_layers: 1, dim_feedforward: 32, text_encoder_type: 'own' },
    text_encoder: {
      ...{ hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 },
      ...{ vocab_size: 20, max_position_embeddings: 10 },
    },
  };
  const detector = initialParameters(new Mdetr(parseModelConfig(size)), 1);
  const masks = initialParameters(new Mdetr(parseModelConfig({ ...size, mask_model: 'smallconv' })), 2);
  const name = 'transformer.encoder.layers.0.linear1.weight';
  const [plain, prefixed] = [detector.get(name)!.data, masks.get(`detr.${name}`)!.data];
  expect(prefixed).not.toEqual(plain);
  for (const [own, { data }] of detector) takeOver(masks, own, data as Float32Array);
  expect(prefixed).toEqual(plain);
  (prefixed as Float32Array).fill(7);
  for (const [own, { data }] of masks) takeOver(detector, own, data as Float32Array);
  expect((plain as Float32Array).every((value) => value === 7)).toBe(true);
});
