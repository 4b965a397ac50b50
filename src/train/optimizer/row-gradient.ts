import { addTo, CHUNK_LENGTH, type Update } from './update-pass.ts';

/** Gradient of a table (V, D) of which a batch reads few rows: all others are 0. */
export interface RowGradient {
  /** Indices of n rows in the table, ascending, each once. */
  readonly indices: readonly number[];
  /** (n, D) gradients of these rows. */
  readonly values: Float32Array;
}

/**
 * Sums rows by their index in the table.
 *
 * @param parts indices (N), in any order and repeated, and rows (N, D) of each batch
 */
export const sumRowGradients = (
  parts: readonly { readonly indices: ArrayLike<number>; readonly values: Float32Array }[],
): RowGradient => {
  const [columns = 0] = parts.flatMap(({ indices, values }) =>
    indices.length === 0 ? [] : [values.length / indices.length],
  );
  const indices = [...new Set(parts.flatMap((part) => Array.from(part.indices)))].sort((a, b) => a - b);
  const places = new Map(indices.map((index, place) => [index, place * columns]));
  const sums = new Float32Array(indices.length * columns);
  for (const part of parts)
    Array.from(part.indices).forEach((index, k) => {
      const start = places.get(index)!;
      addTo(sums.subarray(start, start + columns), part.values.subarray(k * columns, (k + 1) * columns), 0, columns);
    });
  return { indices, values: sums };
};

/** Updates of a table: of the rows with a gradient, and of the ranges between them, where it is 0. */
export const tableUpdates = (table: Omit<Update, 'gradient'>, { indices, values }: RowGradient): readonly Update[] => {
  const columns = indices.length === 0 ? 0 : values.length / indices.length;
  const updates: Update[] = [];
  const push = (start: number, gradient: Float32Array): void => {
    const part = (array: Float32Array): Float32Array => array.subarray(start, start + gradient.length);
    updates.push({
      ...table,
      gradient,
      values: part(table.values),
      first: part(table.first),
      second: part(table.second), // stays empty for SGD
      average: table.average && part(table.average),
    });
  };
  let done = 0;
  const pushZeros = (end: number): void => {
    for (; done < end; done = Math.min(end, done + CHUNK_LENGTH))
      push(done, zeros().subarray(0, Math.min(CHUNK_LENGTH, end - done)));
  };
  indices.forEach((index, place) => {
    pushZeros(index * columns);
    push(done, values.subarray(place * columns, (place + 1) * columns));
    done += columns;
  });
  pushZeros(table.values.length);
  return updates;
};

/** Gradient of a range that no batch has read. */
const zeros = (): Float32Array =>
  (shared ??= new Float32Array(new SharedArrayBuffer(CHUNK_LENGTH * Float32Array.BYTES_PER_ELEMENT)));
let shared: Float32Array | undefined;
