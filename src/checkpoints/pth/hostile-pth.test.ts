import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  floats,
  legacyFile,
  opcodes,
  stateDictPickle,
  temporaryFolder,
  tensor,
  type TensorSpec,
  text,
  tuple,
  writeTorchZip,
} from '../../../test/support/weight-files.ts';
import { MdetrError } from '../../errors.ts';
import { openCheckpoint } from '../open-checkpoint.ts';

const fixtures = new URL('../../../test/fixtures/reference/checkpoints/', import.meta.url).pathname;
const folder = temporaryFolder();
afterAll(() => folder.remove());

const FOUR = floats(1, 2, 3, 4);

const readAll = async (path: string): Promise<Map<string, number[]>> => {
  const checkpoint = await openCheckpoint(path);
  try {
    const found = new Map<string, number[]>();
    for (const [name, entry] of checkpoint.tensors) found.set(name, Array.from(await entry.readFloat32()));
    return found;
  } finally {
    await checkpoint.close();
  }
};

/** Checks that opening and reading either succeeds or throws an MdetrError that names the file. */
const survives = async (path: string): Promise<boolean> => {
  try {
    await readAll(path);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(MdetrError);
    expect((error as Error).message).toContain(path);
    return false;
  }
};

const zipWith = (pickle: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = { 0: FOUR }): Promise<string> =>
  writeTorchZip(folder.file('hostile.pth'), pickle, storages);

describe('code in a checkpoint', () => {
  const attacks: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'os.system in the tree': [opcodes('\x80\x02cos\nsystem\n', text('touch /tmp/pwned'), '\x85R.'), /"os\.system"/],
    'eval beside real tensors': [
      opcodes('\x80\x02}(', text('w'), tensor(), text('x'), 'c__builtin__\neval\n', text('1'), '\x85Ru.'),
      /"__builtin__\.eval"/,
    ],
    'a tensor rebuilder that loads another file': [
      opcodes('\x80\x02ctorch.storage\n_load_from_bytes\n', text('x'), '\x85R.'),
      /"torch\.storage\._load_from_bytes"/,
    ],
    'getattr through torch': [opcodes('\x80\x02ctorch._utils\n__import__\n.'), /"torch\._utils\.__import__"/],
    'state for a tensor': [opcodes('\x80\x02', tensor(), '}b.'), /object that has none/],
    'a module as a source container': [
      opcodes('\x80\x02', tuple(text('module'), 'N', text('a.py'), text('import os')), 'Q.'),
      /not a storage/,
    ],
    'a negated view that would read with the wrong sign': [
      opcodes(
        '\x80\x02',
        Buffer.from(tensor().toString('latin1').replace(/tR$/, ''), 'latin1'),
        '}',
        text('neg'),
        '\x88stR.',
      ),
      /lazily negated/,
    ],
    'wrappers around wrappers': [
      opcodes(
        '\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n',
        tuple('ctorch._tensor\n_rebuild_from_type_v2\n', 'ctorch\nTensor\n', ')', '}'),
        'R.',
      ),
      /custom class/,
    ],
  };
  it.each(Object.keys(attacks))('%s', async (name) => {
    const [pickle, message] = attacks[name]!;
    await expect(readAll(await zipWith(pickle))).rejects.toThrow(message);
    const legacy = folder.file('hostile_legacy.pth', legacyFile(pickle, ['0'], [{ count: 4n, bytes: FOUR }]));
    await expect(readAll(legacy)).rejects.toThrow(message);
  });
});

describe('tensors against their storages', () => {
  it('reads the contents of valid ones with any strides', async () => {
    const six = floats(0, 1, 2, 3, 4, 5);
    const specs: Record<string, TensorSpec> = {
      plain: { elements: 6, shape: [2, 3], strides: [3, 1] },
      transposed: { elements: 6, shape: [3, 2], strides: [1, 3] },
      column: { elements: 6, shape: [2], strides: [3], offset: 2 },
      repeated: { elements: 6, shape: [2, 2], strides: [0, 1], offset: 4 },
      overlapping: { elements: 6, shape: [3, 3], strides: [1, 1] },
      scalar: { elements: 6, shape: [], strides: [], offset: 5 },
      empty: { elements: 6, shape: [0, 7], strides: [7, 1], offset: 6 },
    };
    const expected = {
      plain: [0, 1, 2, 3, 4, 5],
      transposed: [0, 3, 1, 4, 2, 5],
      column: [2, 5],
      repeated: [4, 5, 4, 5],
      overlapping: [0, 1, 2, 1, 2, 3, 2, 3, 4],
      scalar: [5],
      empty: [],
    };
    const pickle = stateDictPickle(specs);
    expect(Object.fromEntries(await readAll(await zipWith(pickle, { 0: six })))).toEqual(expected);
    const legacy = folder.file('views_legacy.pth', legacyFile(pickle, ['0'], [{ count: 6n, bytes: six }]));
    expect(Object.fromEntries(await readAll(legacy))).toEqual(expected);
  });

  const lies: Readonly<Record<string, readonly [TensorSpec, RegExp]>> = {
    'shape beyond the storage': [{ shape: [5] }, /exceeds its storage "0" of 16 bytes/],
    'offset beyond the storage': [{ offset: 1 }, /exceeds/],
    'stride beyond the storage': [{ shape: [2], strides: [4] }, /exceeds/],
    'negative offset': [{ offset: -1 }, /offset is not a valid size/],
    'negative size': [{ shape: [-4] }, /shape is not a list/],
    'negative stride': [{ strides: [-1], offset: 3 }, /strides is not a list/],
    'more strides than sizes': [{ strides: [1, 1] }, /shape \[4\] with strides \[1,1\]/],
    'more than 64 axes': [{ shape: new Array<number>(65).fill(1), strides: new Array<number>(65).fill(1) }, /64 sizes/],
    'product beyond 2^53': [{ shape: [2 ** 30, 2 ** 30], strides: [0, 0] }, /impossible shape/],
    'size beyond 2^53': [{ shape: [2n ** 60n], strides: [0] }, /shape is not a list/],
    'extent beyond 2^53': [{ shape: [2 ** 27, 2 ** 20], strides: [2 ** 40, 0] }, /exceeds/],
    'a few bytes repeated into terabytes': [
      { shape: [2 ** 40], strides: [0] },
      /its tensors take more than 64 MB in a file of/,
    ],
    'storage larger than its bytes': [{ elements: 5 }, /should have 20 bytes and has 16/],
    'storage smaller than its bytes': [{ elements: 3, shape: [3] }, /should have 12 bytes and has 16/],
    'impossible storage': [{ elements: 2n ** 62n }, /not a storage/],
    'negative storage': [{ elements: -4 }, /not a storage/],
    'storage of a wider type': [{ storage: 'DoubleStorage' }, /should have 32 bytes/],
    'missing storage': [{ key: '7' }, /storage "7" are missing/],
    'storage outside the folder': [{ key: '../data.pkl' }, /are missing/],
    'unknown storage type': [{ storage: 'QInt8Storage' }, /"torch\.QInt8Storage"/],
  };
  it.each(Object.keys(lies))('rejects: %s', async (name) => {
    const [spec, message] = lies[name]!;
    await expect(readAll(await zipWith(stateDictPickle({ w: spec })))).rejects.toThrow(message);
  });

  it('rejects the same in the legacy format', async () => {
    const write = (spec: TensorSpec, keys: readonly string[], count: bigint, bytes = FOUR): string =>
      folder.file('lies_legacy.pth', legacyFile(stateDictPickle({ w: spec }), keys, [{ count, bytes }]));
    await expect(readAll(write({ shape: [5] }, ['0'], 4n))).rejects.toThrow(/exceeds/);
    await expect(readAll(write({}, ['0'], 5n))).rejects.toThrow(/should have 4 elements and declares 5/);
    await expect(readAll(write({}, ['0'], -1n))).rejects.toThrow(/declares -1/);
    await expect(readAll(write({}, ['1'], 4n))).rejects.toThrow(/"1" belongs to no tensor/);
    await expect(readAll(write({}, [], 4n))).rejects.toThrow(/storage "0" are missing/);
    await expect(readAll(write({}, ['0'], 4n, FOUR.subarray(1)))).rejects.toThrow(/truncated/);
    await expect(readAll(write({ elements: 2 ** 52, shape: [1] }, ['0'], 2n ** 52n))).rejects.toThrow(
      /impossible size/,
    );
    const twice = stateDictPickle({ a: {}, b: { elements: 3, shape: [3] } });
    const path = folder.file('twice_legacy.pth', legacyFile(twice, ['0'], [{ count: 4n, bytes: FOUR }]));
    await expect(readAll(path)).rejects.toThrow(/two types or sizes/);
  });

  it('reads parts of storages as written by old versions, within bounds', async () => {
    const id = (offset: number, size: number): Buffer =>
      tuple(
        text('storage'),
        'ctorch\nFloatStorage\n',
        text('0'),
        text('cpu'),
        'K\x04',
        tuple(text('part'), opcodes('K', Uint8Array.of(offset)), opcodes('K', Uint8Array.of(size))),
      );
    const pickle = (offset: number, size: number): Buffer =>
      opcodes(
        '\x80\x02}',
        text('w'),
        opcodes(
          'ctorch._utils\n_rebuild_tensor\n',
          tuple(opcodes(id(offset, size), 'Q'), 'K\x00', 'K\x02\x85', 'K\x01\x85'),
          'R',
        ),
        's.',
      );
    const write = (offset: number, size: number): string =>
      folder.file('part_legacy.pth', legacyFile(pickle(offset, size), ['0'], [{ count: 4n, bytes: FOUR }]));
    expect((await readAll(write(2, 2))).get('w')).toEqual([3, 4]);
    await expect(readAll(write(3, 2))).rejects.toThrow(/impossible size/);
    await expect(readAll(write(0, 1))).rejects.toThrow(/exceeds/);
  });
});

describe('inconsistent zip files', () => {
  const honest = async (): Promise<Buffer> => readFileSync(await zipWith(stateDictPickle({ w: {} })));
  const localHeaderOf = (bytes: Buffer, name: string): number => bytes.indexOf(name) - 30;
  const centralHeaderOf = (bytes: Buffer, name: string): number => bytes.lastIndexOf(name) - 46;

  const lies: Readonly<Record<string, readonly [(bytes: Buffer) => void, RegExp]>> = {
    'size in the local header': [
      (b) => b.writeUInt32LE(12, localHeaderOf(b, 'x/data/0') + 22),
      /16 bytes in the directory and 12/,
    ],
    'compression in the local header': [(b) => b.writeUInt16LE(8, localHeaderOf(b, 'x/data/0') + 8), /compressed/],
    'name in the local header': [(b) => b.write('y', localHeaderOf(b, 'x/data/0') + 30), /different name/],
    'no local header': [(b) => b.writeUInt32LE(0, localHeaderOf(b, 'x/data/0')), /no local header/],
    'compression in the directory': [
      (b) => b.writeUInt16LE(8, centralHeaderOf(b, 'x/data/0') + 10),
      /"x\/data\/0" is compressed: .*torch\.save/,
    ],
    'encryption in the directory': [
      (b) => b.writeUInt16LE(1, centralHeaderOf(b, 'x/data/0') + 8),
      /mismatch|encrypted/,
    ],
    'size beyond the file': [
      (b) => {
        for (const at of [20, 24]) b.writeUInt32LE(0x7000_0000, centralHeaderOf(b, 'x/data/0') + at);
      },
      /local header|exceeds the file/,
    ],
    'one entry inside another': [
      (b) => {
        const size = b.lastIndexOf('x/data.pkl') - 46;
        const grown = b.readUInt32LE(size + 24) + 64;
        for (const at of [20, 24]) b.writeUInt32LE(grown, size + at);
        for (const at of [18, 22]) b.writeUInt32LE(grown, localHeaderOf(b, 'x/data.pkl') + at);
      },
      /"x\/data\.pkl" overlaps "x\/data\/0"/,
    ],
    'offset beyond the file': [
      (b) => b.writeUInt32LE(0x7000_0000, centralHeaderOf(b, 'x/data/0') + 42),
      /exceeds the file/,
    ],
    'directory beyond the file': [(b) => b.writeUInt32LE(0x7000_0000, b.byteLength - 6), /the file ends|damaged/],
    'more entries than exist': [(b) => b.writeUInt16LE(9, b.byteLength - 12), /the file ends at/],
    'fewer entries than exist': [(b) => b.writeUInt16LE(1, b.byteLength - 12), /storage "0" are missing/],
  };
  it.each(Object.keys(lies))('%s', async (name) => {
    const [lie, message] = lies[name]!;
    const bytes = await honest();
    lie(bytes);
    await expect(readAll(folder.file('lying.pth', bytes))).rejects.toThrow(message);
    expect(await survives(folder.file('lying.pth', bytes))).toBe(false);
  });

  it('two entries with the same name', async () => {
    const path = await writeTorchZip(
      folder.file('double.pth'),
      stateDictPickle({ w: {} }),
      { 0: FOUR },
      { 'x/data/0': FOUR },
    );
    await expect(readAll(path)).rejects.toThrow(/"x\/data\/0" twice/);
  });

  it('names outside of the archive', async () => {
    const path = await writeTorchZip(
      folder.file('climbing.pth'),
      stateDictPickle({ w: {} }),
      { 0: FOUR },
      { '../evil': FOUR },
    );
    await expect(readAll(path)).rejects.toThrow(/invalid relative path/);
  });

  it('a TorchScript program, two pickles, none, and big-endian contents', async () => {
    const write = (others: Record<string, Uint8Array>): Promise<string> =>
      writeTorchZip(folder.file('special.pth'), stateDictPickle({ w: {} }), { 0: FOUR }, others);
    await expect(readAll(await write({ 'x/constants.pkl': FOUR }))).rejects.toThrow(/TorchScript/);
    await expect(readAll(await write({ 'y/data.pkl': FOUR }))).rejects.toThrow(/2 data\.pkl/);
    await expect(readAll(await write({ 'x/byteorder': Buffer.from('big') }))).rejects.toThrow(/byte order "big"/);
    expect((await readAll(await write({ 'x/byteorder': Buffer.from('little') }))).get('w')).toEqual([1, 2, 3, 4]);
  });
});

describe('damaged files', () => {
  it.each(['edge.pth', 'edge_legacy.pth'])('%s: every truncation is rejected', async (name) => {
    const bytes = readFileSync(fixtures + name);
    const path = folder.file(`cut_${name}`, bytes);
    for (let length = bytes.byteLength - 1; length >= 0; length--) {
      truncateSync(path, length);
      if (await survives(path)) expect.fail(`${length} of ${bytes.byteLength} bytes were accepted`);
    }
  });

  it.each(['mini.pth', 'mini_legacy.pth', 'mini_old_optimizer.pth', 'mini_old_optimizer_legacy.pth'])(
    '%s: truncations at sampled lengths are rejected',
    async (name) => {
      const bytes = readFileSync(fixtures + name);
      const path = folder.file(`cut_${name}`, bytes);
      for (let length = bytes.byteLength - 1; length >= 0; length -= 997) {
        truncateSync(path, length);
        if (await survives(path)) expect.fail(`${length} of ${bytes.byteLength} bytes were accepted`);
      }
    },
  );

  it.each(['edge.pth', 'edge_legacy.pth'])('%s: changed bytes are read or rejected', async (name) => {
    const bytes = readFileSync(fixtures + name);
    const path = folder.file(`changed_${name}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const changed = Buffer.from(bytes);
          for (const [position, byte] of changes) changed[position] = byte;
          writeFileSync(path, changed);
          await survives(path);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('state dicts in other containers', () => {
  const dict = (...entries: readonly (string | Uint8Array)[]): Buffer => opcodes('}(', ...entries, 'u');
  const open = async (tree: Uint8Array): Promise<[string[], string]> => {
    const checkpoint = await openCheckpoint(await zipWith(opcodes('\x80\x02', tree, '.')));
    await checkpoint.close();
    return [[...checkpoint.tensors.keys()], checkpoint.weights];
  };
  const weights = dict(text('w'), tensor());
  const other = dict(text('v'), tensor());

  it('are found at the top level, under model, under state_dict, and under any single key', async () => {
    expect(await open(weights)).toEqual([['w'], 'only']);
    expect(await open(dict(text('model'), weights))).toEqual([['w'], 'only']);
    expect(await open(dict(text('state_dict'), weights, text('epoch'), 'K\x01'))).toEqual([['w'], 'only']);
    expect(await open(dict(text('net'), weights, text('epoch'), 'K\x01'))).toEqual([['w'], 'only']);
    expect(await open(dict(text('model'), weights, text('model_ema'), 'N'))).toEqual([['w'], 'only']);
    expect(await open(dict(text('model'), weights, text('model_ema'), other))).toEqual([['v'], 'ema']);
    expect(await open(dict(text('model_ema'), other))).toEqual([['v'], 'only']);
  });

  it('error messages name what was found instead', async () => {
    await expect(open(dict(text('a'), weights, text('b'), other))).rejects.toThrow(
      /no state dict; its keys are "a", "b"/,
    );
    await expect(open(opcodes('K\x01'))).rejects.toThrow(/not hold a dictionary/);
    await expect(open(dict())).rejects.toThrow(/its keys are \(none\)/);
  });

  it('skips entries that are not tensors and reports them', async () => {
    const checkpoint = await openCheckpoint(
      await zipWith(
        opcodes('\x80\x02', dict(text('model'), dict(text('w'), tensor(), text('_extra_state'), 'N')), '.'),
      ),
    );
    expect(checkpoint.contents.notTensors).toEqual(['_extra_state']);
    await checkpoint.close();
  });

  it('treats __proto__ in args as an ordinary key', async () => {
    const args = opcodes('cargparse\nNamespace\n)\x81', dict(text('__proto__'), dict(text('polluted'), '\x88')), 'b');
    const checkpoint = await openCheckpoint(
      await zipWith(opcodes('\x80\x02', dict(text('model'), weights, text('args'), args), '.')),
    );
    await checkpoint.close();
    expect(Object.keys(checkpoint.args!)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
