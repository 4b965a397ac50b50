import { writeAtomically } from '../../files/atomic-file.ts';
import { bytesPerElement } from '../dtype.ts';
import { byteLengthOf, readChecked, type TensorSource } from '../tensor-source.ts';

/** Alignment of the data in bytes, so that tensors can be mapped as typed arrays. */
const HEADER_ALIGNMENT = 8;

/**
 * Writes a safetensors file atomically, with one tensor in memory at a time.
 * @param metadata strings for `__metadata__` in the header
 * @throws {MdetrError} if the file cannot be written
 */
export const writeSafetensors = async (
  path: string,
  tensors: Iterable<TensorSource>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> => {
  const sources = [...tensors];
  // Data in order of falling element size keeps each tensor aligned. The header keeps the given order.
  const stored = sources.toSorted((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
  const offsets = new Map<TensorSource, readonly [number, number]>();
  let end = 0;
  for (const source of stored) {
    const begin = end;
    end += byteLengthOf(source);
    offsets.set(source, [begin, end]);
  }
  const entries = sources.map((source): [string, unknown] => [
    source.name,
    { dtype: source.dtype.toUpperCase(), shape: source.shape, data_offsets: offsets.get(source) },
  ]);
  // A tensor of that name would replace the metadata.
  if (new Set(['__metadata__', ...sources.map(({ name }) => name)]).size !== sources.length + 1) {
    throw new Error(`internal: two tensors with the same name for ${path}`);
  }
  const hasMetadata = Object.keys(metadata).length > 0;
  const header = Object.fromEntries([...(hasMetadata ? [['__metadata__', metadata] as const] : []), ...entries]);
  const json = Buffer.from(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / HEADER_ALIGNMENT) * HEADER_ALIGNMENT;
  const head = Buffer.alloc(8 + length, ' ');
  head.writeBigUInt64LE(BigInt(length));
  json.copy(head, 8);

  await writeAtomically(path, async (sink) => {
    await sink.write(head);
    for (const source of stored) await sink.write(await readChecked(source));
  });
};
