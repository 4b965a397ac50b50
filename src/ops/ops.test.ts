import { describe, expect, it } from 'vitest';
import { checkGradient, evaluate, expectClose } from '../../test/op-check.ts';
import { elementwiseCases } from '../../test/op-cases/elementwise.ts';
import { movementCases } from '../../test/op-cases/movement.ts';
import { productCases } from '../../test/op-cases/products.ts';
import { reduceCases } from '../../test/op-cases/reduce.ts';
import { positionsOf, type OpCase } from '../../test/op-cases/op-case.ts';

const tables: Readonly<Record<string, readonly OpCase[]>> = {
  elementwise: elementwiseCases,
  movement: movementCases,
  reduce: reduceCases,
  products: productCases,
};

const isFloatOperand = ({ dtype }: OpCase['operands'][number]): boolean => dtype === 'float64' || dtype === 'float32';

/** All sizes as numbers, and where a case can have them all sizes as symbols. */
const sizes = (opCase: OpCase): boolean[] => (opCase.staticOnly === undefined ? [false, true] : [false]);

describe.each(Object.entries(tables))('%s: value, shape, type, gradient', (_, cases) => {
  it.each(cases.map((opCase) => [opCase.title, opCase] as const))('%s', async (_title, opCase) => {
    const { operands, build, shape, dtype = 'float64' } = opCase;
    const isDouble = operands.every((operand) => operand.dtype === 'float64' || !isFloatOperand(operand));
    for (const symbolic of sizes(opCase)) {
      const { out } = await evaluate(build, operands, { symbolic });
      const data = positionsOf(shape).map(opCase.at);
      expectClose(out!, { shape, dtype, data }, opCase.tolerance ?? (dtype === 'float64' ? 1e-12 : 2e-6));
      if (opCase.gradient === 'none') continue;
      const wrt = operands.flatMap((operand, index) => (isFloatOperand(operand) ? [index] : []));
      expect(wrt, 'a case with a gradient has a float operand').not.toEqual([]);
      const precision = isDouble ? { epsilon: 1e-5, tolerance: 1e-7 } : { epsilon: 1e-2, tolerance: 1e-3 };
      await checkGradient(build, operands, { wrt, ...precision, symbolic, ...opCase.gradient });
    }
  });
});
