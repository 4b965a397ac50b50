import { describe, expect, it } from 'vitest';
import { borrowScratch, memoryOf, returnScratch } from '../../threads/shared-memory.ts';
import { sharedBeside, sharedFloats } from './shared-values.ts';
import { applyUpdate, averagePass, sumOfSquares, type Update } from './update-pass.ts';

/** Lengths around the lanes of the kernels, and around a block. */
const lengths = [1, 3, 15, 16, 17, 100, 2 ** 14 - 1, 2 ** 14, 2 ** 15 + 21];

const noise = (length: number, seed: number, scale: number): Float32Array =>
  Float32Array.from({ length }, (_, k) => scale * Math.sin(12.9898 * k + 78.233 * seed));
const squares = (length: number, seed: number): Float32Array => noise(length, seed, 1e-2).map((value) => value * value);

type Place = (values: Float32Array) => (other: Float32Array) => Float32Array;
const settled = (from: Float32Array, array: Float32Array): Float32Array => {
  array.set(from);
  return array;
};
/** Memory of the arrays: that of the kernels, or another. The gradient is always in another. */
const places: Readonly<Record<string, Place>> = {
  'one memory': (values) => (other) => settled(other, sharedBeside(values)),
  'plain arrays': () => (other) => other.slice(),
  'ordinary shared memory': () => (other) =>
    settled(other, new Float32Array(new SharedArrayBuffer(4 * other.length + 4), 4)),
};

const updateAt = (place: Place, length: number, more: Partial<Update>): Update => {
  const start = noise(length, 1, 1);
  const values = place === places['one memory'] ? sharedFloats(start.slice()) : place(start)(start);
  const put = place(values);
  return {
    kind: 'adamw',
    values,
    gradient: noise(length, 2, 1e-2),
    first: put(noise(length, 3, 1e-2)),
    second: (more.kind ?? 'adamw') === 'adamw' ? put(squares(length, 4)) : new Float32Array(0),
    average: put(noise(length, 5, 1)),
    step: 7,
    rate: 1e-3,
    decay: 1e-2,
    clip: 0.3,
    averageDecay: 0.99,
    ...more,
  };
};

/** The reference, in double precision. */
const plain = ({ kind, values, gradient, first, second, average, ...numbers }: Update) => {
  const { step, rate, decay, clip, averageDecay } = numbers;
  return Array.from(values, (value, k) => {
    const slope = gradient[k]! * clip;
    let [mean, square, next] = [0, 0, 0];
    if (kind === 'adamw') {
      mean = 0.9 * first[k]! + 0.1 * slope;
      square = 0.999 * second[k]! + 0.001 * slope * slope;
      const [meanHat, squareHat] = [mean / (1 - 0.9 ** step), square / (1 - 0.999 ** step)];
      next = value * (1 - rate * decay) - (rate * meanHat) / (Math.sqrt(squareHat) + 1e-8);
    } else if (kind === 'muon') {
      mean = first[k]!;
      next = value * (1 - rate * decay) - rate * gradient[k]!;
    } else {
      mean = (step === 1 ? 0 : 0.9 * first[k]!) + slope + decay * value;
      next = value - rate * mean;
    }
    return { value: next, mean, square, average: average![k]! * averageDecay + next * (1 - averageDecay) };
  });
};

const kinds: readonly (readonly [string, Partial<Update>])[] = [
  ['AdamW', { kind: 'adamw' }],
  ['the first step of AdamW', { kind: 'adamw', step: 1 }],
  ['SGD', { kind: 'sgd' }],
  ['the first step of SGD', { kind: 'sgd', step: 1 }],
  ['Muon, whose gradient is a direction', { kind: 'muon' }],
];
const arraysOf = ({ values, first, second, average }: Update): readonly (readonly number[])[] =>
  [values, first, second, average!].map((array) => [...array]);

describe('a step of one parameter', () => {
  it.each(kinds)('%s: equals the formula within the rounding of single precision', (_, kind) => {
    for (const length of lengths) {
      const update = updateAt(places['one memory']!, length, kind);
      const expected = plain(update);
      applyUpdate(update, 0, length);
      const worst = (found: Float32Array, name: keyof (typeof expected)[number]): number =>
        found.reduce((most, value, k) => Math.max(most, Math.abs(value - expected[k]![name])), 0);
      // For values around 1, 1e-2 and 1e-4; the last digit of single precision is 6e-8 of a value.
      expect(worst(update.values, 'value')).toBeLessThan(2.5e-7);
      expect(worst(update.average!, 'average')).toBeLessThan(2.5e-7);
      expect(worst(update.first, 'mean')).toBeLessThan(kind.kind === 'sgd' ? 5e-9 : 2.5e-9);
      expect(worst(update.second, 'square')).toBeLessThan(3e-11);
    }
  });

  it.each(kinds)('%s: is bit-identical wherever the arrays are stored', (_, kind) => {
    for (const length of lengths) {
      const found = Object.values(places).map((place) => {
        const update = updateAt(place, length, kind);
        applyUpdate(update, 0, length);
        return arraysOf(update);
      });
      for (const other of found.slice(1)) expect(other).toEqual(found[0]);
    }
  });

  it('is the same when all scratch space of a memory is in use', () => {
    const [update, expected] = [1, 2].map(() => updateAt(places['one memory']!, 1000, {})) as [Update, Update];
    applyUpdate(expected, 0, 1000);
    const memory = memoryOf(update.values.buffer)!;
    const lent: number[] = [];
    for (let piece = borrowScratch(memory); piece !== undefined; piece = borrowScratch(memory)) lent.push(piece);
    applyUpdate(update, 0, 1000);
    for (const piece of lent) returnScratch(memory, piece);
    expect(lent).toHaveLength(16);
    expect(arraysOf(update)).toEqual(arraysOf(expected));
  });

  it.each(Object.entries(places))('changes only its range: %s', (_, place) => {
    const [update, before] = [updateAt(place, 1000, {}), updateAt(place, 1000, {})];
    const whole = updateAt(place, 1000, {});
    applyUpdate(update, 33, 790);
    applyUpdate(whole, 0, 1000);
    arraysOf(update).forEach((array, index) => {
      const [untouched, done] = [arraysOf(before)[index]!, arraysOf(whole)[index]!];
      expect(array).toEqual([...untouched.slice(0, 33), ...done.slice(33, 790), ...untouched.slice(790)]);
    });
  });
});

describe('passes over single arrays', () => {
  it('average', () => {
    const values = sharedFloats(noise(1003, 1, 1));
    const average = settled(noise(1003, 2, 1), sharedBeside(values));
    const expected = average.map((value, k) => value * 0.9 + values[k]! * (1 - 0.9));
    averagePass(average, values, 0.9);
    const worst = average.reduce((most, value, k) => Math.max(most, Math.abs(value - expected[k]!)), 0);
    expect(worst).toBeLessThan(1.3e-7);
  });

  it('keep the average of a constant', () => {
    const values = sharedFloats(noise(1003, 1, 1));
    const average = settled(values, sharedBeside(values));
    for (let step = 0; step < 100; step++) averagePass(average, values, 0.9998);
    expect([...average]).toEqual([...values]);
  });

  it('sum squares in double precision, the same wherever the array is stored', () => {
    for (const length of [0, ...lengths]) {
      const values = noise(length, 1, 1);
      let exact = 0;
      for (const value of values) exact += value * value;
      const sum = sumOfSquares(values, 0, length);
      expect(Math.abs(sum - exact)).toBeLessThanOrEqual(1e-12 * exact);
      expect(sumOfSquares(sharedFloats(values), 0, length)).toBe(sum);
    }
    // Squares that overflow single precision.
    expect(sumOfSquares(Float32Array.of(1e30, 1e-30), 0, 2)).toBeCloseTo(Math.fround(1e30) ** 2, -50);
    expect(sumOfSquares(Float32Array.of(1, NaN), 0, 2)).toBeNaN();
    expect(sumOfSquares(new Float32Array(20).fill(1), 5, 18)).toBe(13);
  });
});
