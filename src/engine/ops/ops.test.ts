import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { input, reachableNodes } from '../graph/index.ts';
import { checkGradient, evaluate, expectClose, inputsFor } from '../../../test/support/op-check.ts';
import { convCases } from '../../../test/support/op-cases/conv.ts';
import { elementwiseCases } from '../../../test/support/op-cases/elementwise.ts';
import { gatherCases } from '../../../test/support/op-cases/gather.ts';
import { productCases } from '../../../test/support/op-cases/products.ts';
import { quantizeCases } from '../../../test/support/op-cases/quantize.ts';
import { reduceCases } from '../../../test/support/op-cases/reduce.ts';
import { reshapeCases } from '../../../test/support/op-cases/reshape.ts';
import { sliceCases } from '../../../test/support/op-cases/slice.ts';
import { positionsOf, type OpCase } from '../../../test/support/op-cases/op-case.ts';
import { reshape } from './index.ts';

const tables: Readonly<Record<string, readonly OpCase[]>> = {
  elementwise: elementwiseCases,
  reshape: reshapeCases,
  slice: sliceCases,
  reduce: reduceCases,
  products: productCases,
  gather: gatherCases,
  conv: convCases,
  quantize: quantizeCases,
};

const isFloatOperand = ({ dtype }: OpCase['operands'][number]): boolean => dtype === 'float64' || dtype === 'float32';

/** Whether to run a case with symbolic sizes: without, and where the case allows it also with. */
const symbolicModes = (opCase: OpCase): boolean[] => (opCase.staticOnly === undefined ? [false, true] : [false]);

describe.each(Object.entries(tables))('%s: value, shape, type, gradient', (_, cases) => {
  it.each(cases.map((opCase) => [opCase.title, opCase] as const))('%s', async (_title, opCase) => {
    const { operands, build, shape, dtype = 'float64' } = opCase;
    const isDouble = operands.every((operand) => operand.dtype === 'float64' || !isFloatOperand(operand));
    for (const symbolic of symbolicModes(opCase)) {
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

/** Ops without a gradient: comparisons, index arithmetic, constants. All others need a gradient check above. */
const OPS_WITHOUT_GRADIENT: readonly string[] = [
  'and',
  'argMax',
  'bitXor',
  'dimValue',
  'equal',
  'fakeQuantize',
  'fill',
  'floor',
  'greater',
  'greaterEqual',
  'int8Conv',
  'iota',
  'less',
  'lessEqual',
  'not',
  'or',
  'shiftRight',
  'sign',
  'standardizeRows',
  'stopGradient',
];

/** Names of the ops declared in this folder. */
const declaredOps = (): string[] => {
  const folder = new URL('./', import.meta.url);
  const sources = readdirSync(folder).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  return sources.flatMap((file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const constants = new Map(
      Array.from(text.matchAll(/const ([A-Z_]+) = '(\w+)'/g), ([, name, value]) => [name, value]),
    );
    const declarations = text.matchAll(/(?:\bname: |define(?:Unary|Binary|Logic)\()\s*(?:'(\w+)'|([A-Z_]+)\b)/g);
    return Array.from(declarations, ([, literal, constant]) => literal ?? constants.get(constant)!);
  });
};

/** Names of the ops that a case applies. */
const appliedOps = ({ operands, build, staticOnly }: OpCase): string[] => {
  const nodes = reachableNodes([build(...inputsFor(operands, staticOnly === undefined))]);
  return nodes.flatMap((node) => (node.kind === 'op' ? [node.op.name] : []));
};

it('a reshape of a reshape is one node', () => {
  const x = input('x', [2, 6]);
  const twice = reshape(reshape(x, [12]), [3, 4]);
  expect(twice.node).toMatchObject({ inputs: [x] });
  expect(reshape(twice, [2, 6])).toBe(x);
});

describe('the table of cases', () => {
  const cases = Object.values(tables).flat();
  const declared = new Set(declaredOps());
  const valued = new Set(cases.flatMap(appliedOps));
  const differentiated = new Set(cases.filter(({ gradient }) => gradient !== 'none').flatMap(appliedOps));

  it('finds every op by its declared name', () => {
    expect([...valued].filter((name) => !declared.has(name))).toEqual([]);
    expect(declared.size).toBeGreaterThan(50);
  });
  it('checks the values of every op', () => {
    expect([...declared].filter((name) => !valued.has(name))).toEqual([]);
  });
  it('checks the gradient of every op that has one', () => {
    const exempt = new Set(OPS_WITHOUT_GRADIENT);
    expect([...declared].filter((name) => !differentiated.has(name) && !exempt.has(name))).toEqual([]);
  });
  it('has unique titles', () => {
    const titles = cases.map(({ title }) => title);
    expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
  });
});
