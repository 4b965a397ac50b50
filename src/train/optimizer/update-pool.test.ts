import { afterAll, describe, expect, it } from 'vitest';
import { sharedFloats } from './shared-values.ts';
import { UpdatePool } from './update-pool.ts';
import { applyUpdate, CHUNK_LENGTH, type Update } from './update-pass.ts';

/** Lengths: more than two chunks, not a multiple of a chunk, and a tiny one. */
const lengths = [2 * CHUNK_LENGTH + 17, 3];

const wave = Float32Array.from({ length: lengths[0]! + 40 }, (_, k) => Math.sin(k * 0.7));
const filled = (length: number, phase: number, isShared: boolean): Float32Array => {
  const values = wave.slice(phase, phase + length);
  return isShared ? sharedFloats(values) : values;
};

const updates = (kind: Update['kind'], isShared = true): Update[] =>
  lengths.map((length, index) => ({
    kind,
    values: filled(length, index, isShared),
    gradient: filled(length, index + 10, isShared),
    first: filled(length, index + 20, isShared),
    second: squaresOf(filled(length, index + 30, isShared)),
    average: index === 1 ? undefined : filled(length, index + 39, isShared),
    step: 3,
    rate: 1e-2,
    decay: 1e-2,
    clip: 0.5,
    averageDecay: 0.9,
  }));

const squaresOf = (values: Float32Array): Float32Array => {
  for (let index = 0; index < values.length; index++) values[index]! *= values[index]!;
  return values;
};

describe('optimizer threads', () => {
  const pools = [1, 2, 3].map((threads) => new UpdatePool(threads));
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.dispose()));
  });

  it.each(['adamw', 'sgd', 'muon'] as const)('compute the same %s update for any number of threads', async (kind) => {
    const expected = updates(kind);
    for (const update of expected) applyUpdate(update, 0, update.values.length);
    for (const pool of pools) {
      // The second round works on arrays that the threads already have, and on new ones.
      for (let round = 0; round < 2; round++) {
        const found = updates(kind);
        await pool.apply(found);
        found.forEach((update, index) => {
          for (const name of ['values', 'first', 'second', 'average'] as const) {
            const [a, b] = [update[name], expected[index]![name]];
            expect(Buffer.compare(bytesOf(a), bytesOf(b)), `${name} of array ${index}`).toBe(0);
          }
        });
      }
    }
  });

  it.each(['adamw', 'sgd'] as const)('compute the same %s update of a table from some of its rows', async (kind) => {
    const columns = 5;
    const rowsCount = Math.floor(lengths[0]! / columns);
    // The first and last row, and two that reach from a chunk into the next.
    const rows = Int32Array.of(
      0,
      ...[1, 2].map((chunk) => Math.floor((chunk * CHUNK_LENGTH) / columns)),
      rowsCount - 1,
    );
    const tables = (): Update => {
      const { gradient: _, ...table } = updates(kind)[0]!;
      const part = (array: Float32Array): Float32Array => array.subarray(0, rowsCount * columns);
      const [values, first, second, average] = [table.values, table.first, table.second, table.average!].map(part);
      const gradient = wave.slice(40, 40 + rows.length * columns);
      return { ...table, values: values!, first: first!, second: second!, average, rows, gradient };
    };
    const expected = tables();
    const dense = new Float32Array(expected.values.length);
    rows.forEach((row, k) => dense.set(expected.gradient.subarray(k * columns, (k + 1) * columns), row * columns));
    applyUpdate({ ...expected, rows: undefined, gradient: dense }, 0, dense.length);
    for (const pool of pools) {
      const found = tables();
      await pool.apply([...updates(kind), found]);
      for (const name of ['values', 'first', 'second', 'average'] as const)
        expect(Buffer.compare(bytesOf(found[name]), bytesOf(expected[name])), name).toBe(0);
    }
  });

  it.each([true, false])('add gradients (in shared memory: %s)', async (isShared) => {
    for (const pool of pools) {
      const [sums, values] = [0, 30].map((phase) => lengths.map((length) => filled(length, phase, isShared))) as [
        Float32Array[],
        Float32Array[],
      ];
      const expected = sums.map((sum, index) => sum.map((own, k) => own + values[index]![k]!));
      await pool.add(sums, values);
      for (const [index, sum] of sums.entries())
        expect(Buffer.compare(bytesOf(sum), bytesOf(expected[index])), `array ${index}`).toBe(0);
    }
  });

  it('compute a bit-identical norm', async () => {
    const gradients = lengths.map((length, index) => filled(length, index, true));
    const alone = await pools[0]!.norm(gradients);
    for (const pool of pools) expect(await pool.norm(gradients)).toBe(alone);
    let exact = 0;
    for (const data of gradients) for (const value of data) exact += value * value;
    expect(alone).toBeCloseTo(Math.sqrt(exact), 6);
  });

  it('leave arrays outside shared memory to the calling thread', async () => {
    const [found, expected] = [updates('adamw', false), updates('adamw')];
    for (const update of expected) applyUpdate(update, 0, update.values.length);
    const mixed = [found[0]!, updates('adamw')[1]!];
    await pools[2]!.apply(mixed);
    mixed.forEach(({ values }, index) => {
      expect(Buffer.compare(bytesOf(values), bytesOf(expected[index]!.values))).toBe(0);
    });
    const plain = [
      new Float32Array(2 * CHUNK_LENGTH + 1).fill(1),
      sharedFloats(new Float32Array(CHUNK_LENGTH).fill(1)),
    ];
    expect(await pools[2]!.norm(plain)).toBe(Math.sqrt(3 * CHUNK_LENGTH + 1));
  });
});

const bytesOf = (values: Float32Array | undefined): Uint8Array =>
  values === undefined ? new Uint8Array() : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
