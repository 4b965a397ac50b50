import { describe, expect, it } from 'vitest';
import { float32Tensor, type HostTensor } from '../../engine/graph/index.ts';
import { Optimizer } from './optimizer.ts';
import { sumRowGradients, type RowGradient } from './row-gradient.ts';
import { sharedTensor } from './shared-values.ts';
import { applyUpdate, CHUNK_LENGTH } from './update-pass.ts';

const NAME = 'text_encoder.embeddings.word_embeddings.weight';
const rates = { main: 1e-2, backbone: 1e-3, textEncoder: 1e-3, wordVectors: 1e-4 };

/** The same gradient with all rows. */
const dense = ({ indices, values }: RowGradient, rows: number, columns: number): HostTensor => {
  const data = new Float32Array(rows * columns);
  indices.forEach((index, k) => data.set(values.subarray(k * columns, (k + 1) * columns), index * columns));
  return float32Tensor([rows, columns], data);
};

describe('the gradient of a table', () => {
  it('is summed over rows that several positions and batches read', () => {
    const first = { indices: Int32Array.of(4, 0, 4), values: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const second = { indices: Int32Array.of(2, 4), values: Float32Array.of(7, 8, 9, 10) };
    expect(sumRowGradients([first, second])).toEqual({
      indices: Int32Array.of(0, 2, 4),
      values: Float32Array.of(3, 4, 7, 8, 15, 18),
    });
    expect(sumRowGradients([{ indices: new Int32Array(), values: new Float32Array() }])).toEqual({
      indices: new Int32Array(),
      values: new Float32Array(),
    });
  });

  it.each([
    ['adamw', [0, 3, 4, 99_999]],
    ['adamw', []],
    ['sgd', [17]],
  ] as const)('updates the table with %s bit by bit as a dense gradient (rows %j)', (optimizer, indices) => {
    const [rows, columns] = [100_000, 10];
    expect(rows * columns).toBeGreaterThan(3 * CHUNK_LENGTH);
    const start = Float32Array.from({ length: rows * columns }, (_, k) => Math.sin(k));
    const [tables, whole] = [1, 2].map(() => new Optimizer({ optimizer, weight_decay: 1e-2 })) as [
      Optimizer,
      Optimizer,
    ];
    const [found, expected] = [1, 2].map(
      () => new Map([[NAME, sharedTensor(float32Tensor([rows, columns], start.slice()))]]),
    ) as [Map<string, HostTensor>, Map<string, HostTensor>];
    for (let step = 0; step < 3; step++) {
      const values = Float32Array.from({ length: indices.length * columns }, (_, k) => Math.cos(k + step));
      const gradient = sumRowGradients([
        { indices: Int32Array.from(indices, (index) => (index + step) % rows), values },
      ]);
      for (const update of tables.plan(found, new Map(), rates, 0.5, undefined, new Map([[NAME, gradient]])).values())
        applyUpdate(update, 0, update.values.length);
      whole.step(expected, new Map([[NAME, dense(gradient, rows, columns)]]), rates, 0.5);
    }
    const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
      new Uint8Array(buffer, byteOffset, byteLength);
    const arrays = (values: ReadonlyMap<string, HostTensor>, { state }: Optimizer): readonly Uint8Array[] =>
      [values.get(NAME)!.data, state.get(NAME)!.first, state.get(NAME)!.second].map(bytes);
    const wanted = arrays(expected, whole);
    // Comparing these arrays element by element would take seconds.
    for (const [index, array] of arrays(found, tables).entries())
      expect(Buffer.compare(array, wanted[index]!), ['values', 'first moment', 'second moment'][index]).toBe(0);
    expect(tables.state.get(NAME)!.step).toBe(3);
  });
});
