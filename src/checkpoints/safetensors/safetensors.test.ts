import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { floats, temporaryFolder } from '../../../test/support/weight-files.ts';
import { MdetrError } from '../../errors.ts';
import { bytesPerElement, CHECKPOINT_DTYPES, elementCount } from '../dtype.ts';
import { openCheckpoint } from '../open-checkpoint.ts';
import { openSafetensors } from './open-safetensors.ts';
import { tensorSource, type TensorSource } from '../tensor-source.ts';
import { writeSafetensors } from './write-safetensors.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const fileOf = (
  header: string,
  data: Uint8Array = new Uint8Array(0),
  length = BigInt(Buffer.byteLength(header)),
): string => {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(length);
  return folder.file('hostile.safetensors', Buffer.concat([head, Buffer.from(header), data]));
};

const tensors = (...spans: readonly (readonly [number, number])[]): string =>
  JSON.stringify(
    Object.fromEntries(
      spans.map(([begin, end], i) => [`t${i}`, { dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] }]),
    ),
  );

describe('round trips', () => {
  it('for every dtype, shape and name', async () => {
    const tensor = fc.record({
      name: fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
      dtype: fc.constantFrom(...CHECKPOINT_DTYPES),
      shape: fc.array(fc.nat(4), { maxLength: 4 }),
      seed: fc.nat(255),
    });
    const path = folder.file('written.safetensors');
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(tensor, { selector: ({ name }) => name }),
        fc.dictionary(fc.string(), fc.string()),
        async (specs, metadata) => {
          const sources = specs.map(({ name, dtype, shape, seed }): TensorSource & { bytes: Uint8Array } => {
            const bytes = Uint8Array.from(
              { length: elementCount(shape)! * bytesPerElement(dtype) },
              (_, i) => seed + i,
            );
            return { name, dtype, shape, bytes, read: () => Promise.resolve(bytes) };
          });
          await writeSafetensors(path, sources, metadata);
          const file = await openSafetensors(path);
          expect(file.metadata).toEqual(metadata);
          expect([...file.tensors.keys()].sort()).toEqual(sources.map(({ name }) => name).sort());
          for (const { name, dtype, shape, bytes } of sources) {
            expect(file.tensors.get(name)).toMatchObject({ dtype, shape, byteLength: bytes.byteLength });
            expect(await file.tensors.get(name)!.read()).toEqual(bytes);
          }
          await file.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps the order of names, aligns data to 8 bytes, and converts to half floats on request', async () => {
    const path = folder.file('order.safetensors');
    const values = Float32Array.of(1, -2, 65536);
    const odd: TensorSource = {
      name: 'odd',
      dtype: 'u8',
      shape: [3],
      read: () => Promise.resolve(Uint8Array.of(1, 2, 3)),
    };
    await writeSafetensors(path, [odd, tensorSource('wide', [3], values), tensorSource('half', [3], values, 'f16')]);
    const checkpoint = await openCheckpoint(path);
    expect([...checkpoint.tensors.keys()]).toEqual(['odd', 'wide', 'half']);
    expect(checkpoint).toMatchObject({ format: 'safetensors', weights: 'only', metadata: {} });
    expect(checkpoint.contents.model).toEqual({ tensors: 3, elements: 9, bytes: 21 });
    expect(Array.from(await checkpoint.tensors.get('half')!.readFloat32())).toEqual([1, -2, Infinity]);
    await checkpoint.close();
    const header = readFileSync(path).readBigUInt64LE();
    expect(header % 8n).toBe(0n);
  });

  it('rejects a source whose contents do not have the size of its shape, and keeps the old file', async () => {
    const path = folder.file('kept.safetensors', 'old');
    const wrong: TensorSource = { name: 'w', dtype: 'f32', shape: [2], read: () => Promise.resolve(new Uint8Array(4)) };
    await expect(writeSafetensors(path, [wrong])).rejects.toThrow(/internal: tensor "w".*4 bytes, not 8/);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('has no EMA weights', async () => {
    const path = folder.file('plain.safetensors');
    await writeSafetensors(path, [tensorSource('w', [1], Float32Array.of(1))]);
    await expect(openCheckpoint(path, { weights: 'ema' })).rejects.toThrow(/no EMA weights/);
  });
});

describe('hostile safetensors', () => {
  const bytes = (count: number): Uint8Array => new Uint8Array(count);
  const cases: Readonly<Record<string, readonly [() => string, RegExp]>> = {
    'header longer than the file': [() => fileOf('{}', bytes(0), 100n), /truncated: a header of 100 bytes/],
    'header of exabytes': [() => fileOf('{}', bytes(0), 2n ** 63n), /more than 33554432/],
    'header of 100 MB': [() => fileOf('{}', bytes(0), 100_000_000n), /more than 33554432/],
    'header that is not JSON': [() => fileOf('{"a":'), /not JSON/],
    'header nested deeply': [() => fileOf(`{"a":${'['.repeat(1_000_000)}`), /not JSON/],
    'header that is an array': [() => fileOf('[]'), /not a JSON object/],
    'tensors that overlap': [() => fileOf(tensors([0, 4], [3, 8]), bytes(8)), /"t1" overlaps/],
    'tensors at the same position': [() => fileOf(tensors([0, 4], [0, 4]), bytes(4)), /overlaps/],
    'a gap between tensors': [() => fileOf(tensors([0, 4], [5, 8]), bytes(8)), /bytes 4 to 5 belong to no tensor/],
    'a gap before the first tensor': [() => fileOf(tensors([1, 4]), bytes(4)), /bytes 0 to 1/],
    'unused bytes': [() => fileOf(tensors([0, 4]), bytes(5)), /take 4 bytes, the file has 5/],
    'bytes missing': [() => fileOf(tensors([0, 4]), bytes(3)), /take 4 bytes, the file has 3 \(truncated/],
    'offsets backwards': [
      () => fileOf('{"t":{"dtype":"U8","shape":[0],"data_offsets":[4,0]}}', bytes(4)),
      /needs 0 bytes/,
    ],
    'negative offsets': [
      () => fileOf('{"t":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}', bytes(4)),
      /data_offsets/,
    ],
    'fractional offsets': [
      () => fileOf('{"t":{"dtype":"U8","shape":[1],"data_offsets":[0.5,1.5]}}', bytes(2)),
      /data_offsets/,
    ],
    'shape too large for its bytes': [
      () => fileOf('{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', bytes(4)),
      /needs 8 bytes, its data_offsets say 4/,
    ],
    'shape that overflows': [
      () => fileOf('{"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
      /needs Infinity bytes/,
    ],
    'negative shape': [() => fileOf('{"t":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}'), /no valid shape/],
    'unknown dtype': [
      () => fileOf('{"t":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}}'),
      /unknown dtype "F8_E4M3"/,
    ],
    'dtype from the prototype': [
      () => fileOf('{"t":{"dtype":"constructor","shape":[],"data_offsets":[0,0]}}'),
      /unknown dtype/,
    ],
    'no description': [() => fileOf('{"t":3}'), /has no description/],
    'metadata that is not a string': [() => fileOf('{"__metadata__":{"a":1}}'), /metadata "a" is not a string/],
    'metadata that is a list': [() => fileOf('{"__metadata__":[]}'), /metadata is not a JSON object/],
  };
  it.each(Object.keys(cases))('%s', async (name) => {
    const [make, message] = cases[name]!;
    await expect(openSafetensors(make())).rejects.toThrow(MdetrError);
    await expect(openSafetensors(make())).rejects.toThrow(message);
    await expect(openSafetensors(make())).rejects.toThrow(/hostile\.safetensors/);
  });

  it('header that is not UTF-8', async () => {
    const path = folder.file('latin1.safetensors', Buffer.from('\x0a\0\0\0\0\0\0\0{"\xff\xfe": {}}', 'latin1'));
    await expect(openSafetensors(path)).rejects.toThrow(/not JSON/);
  });

  it('treats a tensor called __proto__ like any other', async () => {
    const file = await openSafetensors(
      fileOf('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', floats(7)),
    );
    expect(Array.from(await file.tensors.get('__proto__')!.readFloat32())).toEqual([7]);
    await file.close();
  });

  it('rejects every truncation and handles any change', async () => {
    const path = folder.file('damaged.safetensors');
    await writeSafetensors(path, [
      tensorSource('a', [3], Float32Array.of(1, 2, 3)),
      tensorSource('b', [2, 2], new Float32Array(4), 'f16'),
    ]);
    const whole = readFileSync(path);
    for (let length = whole.byteLength - 1; length >= 0; length--) {
      truncateSync(path, length);
      await expect(openCheckpoint(path), `${length} bytes`).rejects.toThrow(MdetrError);
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.byteLength - 1), fc.nat(255), async (position, byte) => {
        const changed = Buffer.from(whole);
        changed[position] = byte;
        writeFileSync(path, changed);
        try {
          const file = await openSafetensors(path);
          for (const tensor of file.tensors.values()) await tensor.readFloat32();
          await file.close();
        } catch (error) {
          expect(error).toBeInstanceOf(MdetrError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
