import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  ceilDivDim,
  dimKey,
  dimsEqual,
  evaluateDim,
  floorDivDim,
  formatShape,
  isStatic,
  mulDims,
  parseDim,
  scaleDim,
  shapesEqual,
  sizeOf,
  subDims,
  symbolicDim,
  type Dim,
} from './dim.ts';

const names = ['h', 'w', 'T'] as const;
const [h, w, T] = names.map(symbolicDim) as [Dim, Dim, Dim];

/** Size together with the arithmetic that it represents. */
interface Formula {
  readonly dim: Dim;
  readonly value: (bindings: ReadonlyMap<string, number>) => number;
}

const formulas = fc.letrec<{ formula: Formula }>((tie) => {
  const formula = tie('formula');
  return {
    formula: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(...names).map((name): Formula => ({ dim: symbolicDim(name), value: (b) => b.get(name)! })),
      fc.integer({ min: -9, max: 9 }).map((number): Formula => ({ dim: number, value: () => number })),
      fc
        .tuple(formula, formula)
        .map(([a, b]): Formula => ({ dim: addDims(a.dim, b.dim), value: (x) => a.value(x) + b.value(x) })),
      fc
        .tuple(formula, formula)
        .map(([a, b]): Formula => ({ dim: subDims(a.dim, b.dim), value: (x) => a.value(x) - b.value(x) })),
      fc
        .tuple(formula, formula)
        .map(([a, b]): Formula => ({ dim: mulDims(a.dim, b.dim), value: (x) => a.value(x) * b.value(x) })),
      fc
        .tuple(formula, fc.integer({ min: -4, max: 4 }))
        .map(([a, factor]): Formula => ({ dim: scaleDim(a.dim, factor), value: (x) => a.value(x) * factor })),
      fc
        .tuple(formula, fc.integer({ min: 1, max: 5 }))
        .map(([a, k]): Formula => ({ dim: floorDivDim(a.dim, k), value: (x) => Math.floor(a.value(x) / k) })),
      fc
        .tuple(formula, fc.integer({ min: 1, max: 5 }))
        .map(([a, k]): Formula => ({ dim: ceilDivDim(a.dim, k), value: (x) => Math.ceil(a.value(x) / k) })),
    ),
  };
}).formula;

const bindings = fc
  .tuple(...names.map(() => fc.integer({ min: 0, max: 40 })))
  .map((values) => new Map(names.map((name, index) => [name as string, values[index]!])));

describe('symbolic sizes', () => {
  it('evaluate to the arithmetic that they were built from', () => {
    fc.assert(
      fc.property(formulas, bindings, ({ dim, value }, bound) => {
        expect(evaluateDim(dim, bound)).toBe(value(bound) + 0); // −0 is 0
      }),
      { numRuns: 500 },
    );
  });

  it('have one normal form, independent of order and grouping', () => {
    fc.assert(
      fc.property(formulas, formulas, formulas, ({ dim: a }, { dim: b }, { dim: c }) => {
        expect(dimKey(addDims(a, addDims(b, c)))).toBe(dimKey(addDims(c, b, a)));
        expect(dimKey(mulDims(a, mulDims(b, c)))).toBe(dimKey(mulDims(c, a, b)));
        expect(dimKey(mulDims(a, addDims(b, c)))).toBe(dimKey(addDims(mulDims(a, b), mulDims(a, c))));
        expect(dimKey(subDims(addDims(a, b), b))).toBe(dimKey(a));
        expect(dimKey(subDims(a, a))).toBe('0');
        expect(dimKey(scaleDim(a, 3))).toBe(dimKey(addDims(a, a, a)));
      }),
    );
  });

  it('divide multiples exactly', () => {
    fc.assert(
      fc.property(formulas, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 6 }), ({ dim }, k, rest) => {
        const divided = floorDivDim(addDims(scaleDim(dim, k), rest % k), k);
        expect(dimKey(divided)).toBe(dimKey(dim));
      }),
    );
  });

  it('never divide a negative value if the symbols are not negative, since ONNX would round it toward zero', () => {
    fc.assert(
      fc.property(formulas, fc.integer({ min: 2, max: 5 }), ({ dim }, k) => {
        const divided = floorDivDim(dim, k);
        if (typeof divided === 'number') return;
        for (const { atoms } of divided.terms) {
          for (const atom of atoms) {
            if (atom.kind !== 'floorDiv') continue;
            expect(atom.numerator.terms.every(({ coefficient }) => coefficient > 0)).toBe(true);
          }
        }
      }),
    );
  });

  it('satisfy the identities of convolution, joint sequences and reshaping', () => {
    const outSize = (size: Dim, kernel: number, stride: number, padding: number): Dim =>
      addDims(floorDivDim(addDims(size, 2 * padding - kernel), stride), 1);
    const half = ceilDivDim(h, 2);
    expect(dimKey(half)).toBe('⌊(h+1)/2⌋');
    expect(dimsEqual(outSize(h, 7, 2, 3), half)).toBe(true);
    expect(dimsEqual(outSize(h, 3, 2, 1), half)).toBe(true);
    expect(dimsEqual(outSize(h, 1, 2, 0), half)).toBe(true);
    expect(dimsEqual(addDims(floorDivDim(subDims(h, 1), 2), 1), half)).toBe(true);
    expect(dimsEqual(outSize(h, 3, 1, 1), h)).toBe(true);
    expect(dimsEqual(floorDivDim(addDims(scaleDim(h, 2), 1), 2), h)).toBe(true);
    const S = addDims(mulDims(h, w), T);
    expect(dimsEqual(subDims(S, T), mulDims(w, h))).toBe(true);
    expect(dimsEqual(sizeOf([h, 3, w]), scaleDim(mulDims(h, w), 3))).toBe(true);
    expect(subDims(S, S)).toBe(0);
    expect(dimsEqual(h, w)).toBe(false);
  });

  it('print as expressions', () => {
    expect(formatShape([2, h, addDims(mulDims(w, h), scaleDim(T, -1), 1)])).toBe('[2, h, -1*T+h*w+1]');
    expect(String(addDims(h, -3))).toBe('h+-3');
  });

  it('are read from what they print', () => {
    fc.assert(
      fc.property(formulas, ({ dim }) => {
        expect(dimsEqual(parseDim(dimKey(dim)), dim)).toBe(true);
      }),
    );
    for (const text of [
      '',
      'h+',
      '+h',
      'h**w',
      '⌊h/2⌋',
      '⌊(h)/0⌋',
      '⌊(h)/2',
      'h w',
      '1.5',
      'é',
      '⌊('.repeat(300),
      '1+'.repeat(600),
    ])
      expect(() => parseDim(text), text).toThrow(/^".*" is not a size/);
  });

  it('compare as shapes', () => {
    expect(shapesEqual([h, 2], [h, 2])).toBe(true);
    expect(shapesEqual([h, 2], [h, 2, 1])).toBe(false);
    expect(shapesEqual([h, 2], [w, 2])).toBe(false);
    expect(isStatic([1, 2])).toBe(true);
    expect(isStatic([1, h])).toBe(false);
  });

  it('reject invalid arguments', () => {
    expect(() => evaluateDim(h, new Map())).toThrow('size "h" has no value');
    expect(() => symbolicDim('2*h')).toThrow('"2*h" is not a valid name of a size');
    expect(() => floorDivDim(h, 0)).toThrow('not by 0');
    expect(() => floorDivDim(h, 1.5)).toThrow('not by 1.5');
  });
});
