import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../../src/files/atomic-file.ts';
import { ZipWriter } from '../../src/checkpoints/pth/zip-writer.ts';

/** Temporary folder of a test file; call `remove` afterwards. */
export const temporaryFolder = (): {
  readonly path: string;
  file(name: string, bytes?: Uint8Array | string): string;
  remove(): void;
} => {
  const path = mkdtempSync(join(tmpdir(), 'mdetr-checkpoints-'));
  return {
    path,
    file(name, bytes) {
      const target = join(path, name);
      if (bytes !== undefined) writeFileSync(target, bytes);
      return target;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
};

/** Bytes of pickle source: opcodes as Latin-1 text and raw numbers. */
export const opcodes = (...parts: readonly (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

/** Opcode BINUNICODE with a string. */
export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.byteLength);
  return opcodes('X', length, bytes);
};

/** The shortest opcode for an integer, of up to 64 bits. */
export const int = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return opcodes('\x8a\x08', bytes);
};

export const tuple = (...items: readonly (string | Uint8Array)[]): Buffer => opcodes('(', ...items, 't');

export interface TensorSpec {
  readonly key?: string;
  readonly storage?: string;
  readonly elements?: number | bigint;
  readonly offset?: number | bigint;
  readonly shape?: readonly (number | bigint)[];
  readonly strides?: readonly (number | bigint)[];
}

/** Opcodes of one tensor as torch.save writes them; by default four floats in storage "0". */
export const tensor = (spec: TensorSpec = {}): Buffer => {
  const { key = '0', storage = 'FloatStorage', elements = 4, offset = 0, shape = [4], strides = [1] } = spec;
  const id = tuple(text('storage'), `ctorch\n${storage}\n`, text(key), text('cpu'), int(elements));
  const hooks = opcodes('ccollections\nOrderedDict\n)R');
  const args = tuple(
    opcodes(id, 'Q'),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    '\x89',
    hooks,
  );
  return opcodes('ctorch._utils\n_rebuild_tensor_v2\n', args, 'R');
};

/** Pickle of a state dict: `{name: tensor}`. */
export const stateDictPickle = (tensors: Readonly<Record<string, TensorSpec>>): Buffer =>
  opcodes('\x80\x02}(', ...Object.entries(tensors).flatMap(([name, spec]) => [text(name), tensor(spec)]), 'u.');

/** Writes a zip file like torch.save, with the given pickle and storages (bytes by name). */
export const writeTorchZip = async (
  path: string,
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  others: Readonly<Record<string, Uint8Array>> = {},
): Promise<string> => {
  await writeAtomically(path, async (sink) => {
    const zip = new ZipWriter(sink);
    await zip.add('x/data.pkl', pickle.byteLength, [pickle]);
    for (const [key, bytes] of Object.entries(storages)) await zip.add(`x/data/${key}`, bytes.byteLength, [bytes]);
    for (const [name, bytes] of Object.entries(others)) await zip.add(name, bytes.byteLength, [bytes]);
    await zip.finish();
  });
  return path;
};

export const floats = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** File of the legacy format: five pickles, then the storages. */
export const legacyFile = (
  pickle: Uint8Array,
  keys: readonly string[],
  storages: readonly { readonly count: bigint; readonly bytes: Uint8Array }[],
): Buffer =>
  opcodes(
    Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex'),
    '\x80\x02M\xe9\x03.',
    opcodes('\x80\x02}(', text('little_endian'), '\x88u.'),
    pickle,
    opcodes('\x80\x02](', ...keys.map(text), 'e.'),
    ...storages.flatMap(({ count, bytes }) => {
      const length = Buffer.alloc(8);
      length.writeBigInt64LE(count);
      return [length, bytes];
    }),
  );
