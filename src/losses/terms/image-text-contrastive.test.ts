import { describe, it } from 'vitest';
import { evaluate, expectClose, type Operand } from '../../../test/support/op-check.ts';
import { loadCase } from '../../../test/support/reference-case.ts';
import { gradients, l2Normalize, scalar } from '../../engine/ops/index.ts';
import { imageTextContrast } from './image-text-contrastive.ts';

const reference = loadCase('criterion');
const expected = reference.json['contrastive'] as Readonly<Record<string, number>>;

describe('image-text contrastive loss', () => {
  it.each(Object.keys(expected))('batch of %s: loss and gradients, equal to the official', async (batch) => {
    const operands: Operand[] = ['image', 'text'].map((name) => {
      const { shape, data } = reference.typed(`contrastive${batch}.${name}`, 'f32');
      return { shape, data, symbolicAxes: [0] };
    });
    const results = await evaluate(
      (image, text) => {
        const loss = imageTextContrast(l2Normalize(image), l2Normalize(text), 0.07);
        const [dImage, dText] = gradients([{ tensor: loss, cotangent: scalar(1) }], [image, text]);
        return { loss, dImage: dImage!, dText: dText! };
      },
      operands,
      { symbolic: true },
    );
    expectClose(results['loss']!, { shape: [], data: [expected[batch]!] }, 1e-6);
    for (const [output, name] of [
      ['dImage', 'image'],
      ['dText', 'text'],
    ] as const)
      expectClose(results[output]!, { data: [...reference.f32(`contrastive${batch}.grad.${name}`)] }, 1e-6);
  });
});
