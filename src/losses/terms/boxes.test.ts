import { describe, it } from 'vitest';
import { checkGradient, evaluate, expectClose, type Operand } from '../../../test/support/op-check.ts';
import { loadCase } from '../../../test/support/reference-case.ts';
import { reshape } from '../../engine/ops/index.ts';
import { giouCxcywh } from './boxes.ts';

const reference = loadCase('criterion');
const operand = (name: string): Operand => {
  const { shape, data } = reference.typed(name, 'f32');
  return { shape, data };
};

describe('generalized IoU of pairs', () => {
  it('equals the official matrix', async () => {
    const { out } = await evaluate(
      (x, y) => giouCxcywh(reshape(x, [7, 1, 4]), y),
      [operand('giou.a'), operand('giou.b')],
    );
    expectClose(out!, { shape: [7, 5], data: [...reference.f32('giou.giou')] }, 1e-6);
  });

  it('knows hand-computed values: apart, touching, inside, equal', async () => {
    const box = { shape: [1, 4], data: [1, 1, 2, 2] };
    const others = [
      [5, 1, 2, 2],
      [3, 1, 2, 2],
      [1, 1, 1, 1],
      [1, 1, 2, 2],
    ];
    const { out } = await evaluate((x, y) => giouCxcywh(x, y), [box, { shape: [4, 4], data: others.flat() }]);
    // The enclosing boxes are 6 × 2, 4 × 2, 2 × 2 and 2 × 2.
    expectClose(out!, { shape: [4], data: [0 - 4 / 12, 0, 1 / 4, 1] });
  });

  it('has the gradient of a central difference where boxes meet and where they do not', async () => {
    const first = {
      dtype: 'float64',
      shape: [3, 4],
      data: [0.4, 0.5, 0.3, 0.2, 0.5, 0.5, 0.6, 0.7, 0.2, 0.2, 0.1, 0.1],
    } as const;
    const second = {
      dtype: 'float64',
      shape: [3, 4],
      data: [0.5, 0.56, 0.3, 0.3, 0.45, 0.52, 0.2, 0.1, 0.7, 0.8, 0.2, 0.3],
    } as const;
    await checkGradient((x, y) => giouCxcywh(x, y), [first, second], { epsilon: 1e-5, tolerance: 1e-7 });
  });
});
