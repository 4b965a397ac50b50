import { describe, expect, it } from 'vitest';
import { float16ToFloat32 } from '../checkpoints/half.ts';
import type { HostTensor } from '../engine/graph/index.ts';
import { hasDetector, int8FormOf, storageOf } from './weight-storage.ts';

const DETECTOR = ['backbone.0.body.stem.weight', 'backbone.0.body.head.predictors.0.weight', 'input_proj.weight'];
const CONVNET = ['detr.backbone.0.body.blocks.0.conv1.weight', 'detr.class_embed.weight', 'mask_head.lay1.weight'];

const filter = (shape: readonly number[]): HostTensor & { readonly data: Float32Array<ArrayBuffer> } => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => Math.sin(i)),
});

describe('the form of a weight in int8', () => {
  it('is exact where scores are compared', () => {
    expect([hasDetector(DETECTOR), hasDetector(CONVNET)]).toEqual([true, false]);
    const form = (name: string, shape: readonly number[], names = DETECTOR): string => int8FormOf(name, shape, names);
    expect(form('class_embed.weight', [256, 160])).toBe('half');
    expect(form('priming.lexicon', [6912, 2])).toBe('half');
    expect(form('backbone.0.body.head.towers.0.weight', [512, 512, 3, 3])).toBe('half');
    expect(form('backbone.0.body.blocks.0.entry.weight', [32, 32, 3, 3])).toBe('half');
    expect(form('backbone.0.body.blocks.3.entry.weight', [256, 256, 3, 3])).toBe('kernels');
    expect(form('backbone.0.body.lateral.3.weight', [1024, 1024, 1, 1])).toBe('half');
    expect(form('input_proj.weight', [160, 1152, 1, 1])).toBe('channels');
    expect(form(CONVNET[0]!, [48, 24, 3, 3], CONVNET)).toBe('channels');
    expect(form('detr.class_embed.weight', [256, 128], CONVNET)).toBe('half');
  });

  it('decides how a program stores it', () => {
    const { encode } = storageOf('int8')!;
    const small = filter([64, 64, 3, 3]);
    const name = 'backbone.0.body.blocks.1.entry.weight';
    const { values, scales } = encode(small, name, DETECTOR);
    expect([values.dtype, scales]).toEqual(['float16', undefined]);
    const restored = float16ToFloat32(values.data as Uint16Array);
    restored.forEach((value, i) => expect(Math.abs(value - small.data[i]!)).toBeLessThan(2 ** -11));
    expect(encode(filter([240, 256, 3, 3]), name, DETECTOR)).toMatchObject({
      values: { dtype: 'int8', shape: [240, 256, 3, 3] },
      scales: { shape: [240, 256, 1, 1] },
    });
    expect(encode(small, name, CONVNET).scales!.shape).toEqual([64, 1, 1, 1]);
    expect(encode(filter([8, 8]), 'input_proj.weight', DETECTOR).values.dtype).toBe('float32');
  });
});
