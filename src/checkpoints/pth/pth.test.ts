import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/weight-files.ts';
import type { Checkpoint } from '../checkpoint.ts';
import type { TensorEntry } from '../tensor-entry.ts';
import { type CheckpointDtype, toFloat32 } from '../dtype.ts';
import { openCheckpoint } from '../open-checkpoint.ts';
import { jsonOf, type PickleValue } from '../pickle/pickle-values.ts';
import { type PthFile, readPth } from './pth.ts';
import { TorchDevice } from './torch-dialect.ts';
import { TorchTensor } from './torch-tensor.ts';

const fixtures = new URL('../../../test/fixtures/reference/checkpoints/', import.meta.url).pathname;
const shared = new URL('../../../../shared/reference/checkpoints/', import.meta.url).pathname;
const hasShared = existsSync(`${shared}tiny.pth`);
const folder = temporaryFolder();
afterAll(() => folder.remove());

interface TensorRecord {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly first4?: readonly number[];
  readonly values?: readonly number[];
  readonly sum?: number;
  readonly norm?: number;
}
type Expected = Readonly<Record<string, unknown>>;

const expectedOf = (folderPath: string, name: string): Expected =>
  JSON.parse(readFileSync(`${folderPath}${name}.expected.json`, 'utf8')) as Expected;

const DTYPE_NAMES: Readonly<Record<string, string>> = {
  float64: 'f64',
  float32: 'f32',
  float16: 'f16',
  bfloat16: 'bf16',
  int64: 'i64',
  int32: 'i32',
  int16: 'i16',
  int8: 'i8',
  uint8: 'u8',
  bool: 'bool',
};

/** Values that 32-bit floats cannot represent. */
const exactly = (bytes: Uint8Array, dtype: CheckpointDtype): Float32Array | Float64Array => {
  if (dtype === 'f64') return new Float64Array(bytes.buffer);
  if (dtype === 'i64') return Float64Array.from(new BigInt64Array(bytes.buffer), Number);
  if (dtype === 'i32') return Float64Array.from(new Int32Array(bytes.buffer));
  return toFloat32(bytes, dtype);
};

const checkTensor = async (entry: TensorEntry, record: TensorRecord): Promise<void> => {
  expect(entry.shape, entry.name).toEqual(record.shape);
  expect(entry.dtype, entry.name).toBe(DTYPE_NAMES[record.dtype]);
  const bytes = await entry.read();
  expect(bytes.byteLength, entry.name).toBe(entry.byteLength);
  const values = exactly(bytes, entry.dtype);
  if (record.values !== undefined) expect(Array.from(values), entry.name).toEqual(record.values);
  if (record.first4 !== undefined) expect(Array.from(values.slice(0, 4)), entry.name).toEqual(record.first4);
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const near = (actual: number, wanted: number): void =>
    expect(Math.abs(actual - wanted), entry.name).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(wanted)));
  if (record.sum !== undefined) near(sum, record.sum);
  if (record.norm !== undefined) near(Math.sqrt(squares), record.norm);
};

const checkStateDict = async (
  checkpoint: Checkpoint,
  records: Readonly<Record<string, TensorRecord>>,
): Promise<void> => {
  expect([...checkpoint.tensors.keys()]).toEqual(Object.keys(records));
  for (const [name, record] of Object.entries(records)) await checkTensor(checkpoint.tensors.get(name)!, record);
};

const get = (value: PickleValue | undefined, ...path: readonly PickleValue[]): PickleValue | undefined => {
  let found = value;
  for (const key of path)
    found = found instanceof Map ? found.get(key) : Array.isArray(found) ? found[key as number] : undefined;
  return found;
};

/** Compares the optimizer state with the expected one. */
const checkOptimizer = async (file: PthFile, expected: Expected): Promise<void> => {
  const optimizer = get(file.tree, 'optimizer');
  const states = expected['state'] as Readonly<Record<string, Readonly<Record<string, TensorRecord | number>>>>;
  const found = get(optimizer, 'state');
  expect([...(found as Map<number, unknown>).keys()]).toEqual(Object.keys(states).map(Number));
  for (const [index, state] of Object.entries(states)) {
    expect([...(get(found, Number(index)) as Map<string, unknown>).keys()]).toEqual(Object.keys(state));
    for (const [field, record] of Object.entries(state)) {
      const value = get(found, Number(index), field);
      if (value instanceof TorchTensor)
        await checkTensor(file.entry(`${index}.${field}`, value), record as TensorRecord);
      else expect(value).toBe(record);
    }
  }
  expect(jsonOf(get(optimizer, 'param_groups')!, 'param_groups')).toEqual(expected['param_groups']);
};

const checkOfficial = async (
  path: string,
  expected: Expected,
  optimizerKey: string,
  hasEma: boolean,
): Promise<void> => {
  const model = await openCheckpoint(path, { weights: 'model' });
  const preferred = await openCheckpoint(path);
  const file = await readPth(path);
  try {
    expect(model.weights).toBe(hasEma ? 'model' : 'only');
    expect(preferred.weights).toBe(hasEma ? 'ema' : 'only');
    await checkStateDict(model, expected['model'] as Record<string, TensorRecord>);
    await checkStateDict(preferred, expected[hasEma ? 'model_ema' : 'model'] as Record<string, TensorRecord>);
    expect(model.args).toEqual(expected['args']);
    expect(model.contents).toMatchObject({ epoch: expected['epoch'], others: [], notTensors: [] });
    expect(model.contents.ema !== undefined).toBe(hasEma);
    expect(model.contents.optimizer!.tensors).toBeGreaterThan(0);
    await checkOptimizer(file, expected[optimizerKey] as Expected);
  } finally {
    await Promise.all([model.close(), preferred.close(), file.close()]);
  }
};

describe('reference checkpoints', () => {
  it.each([
    ['mini', 'optimizer', true],
    ['mini_legacy', 'optimizer', true],
    ['mini_old_optimizer', 'optimizer_old', false],
    ['mini_old_optimizer_legacy', 'optimizer_old', false],
  ] as const)('%s.pth', async (name, optimizerKey, hasEma) => {
    await checkOfficial(`${fixtures}${name}.pth`, expectedOf(fixtures, 'mini'), optimizerKey, hasEma);
  });

  it.skipIf(!hasShared)('tiny.pth (needs ../shared/reference)', async () => {
    await checkOfficial(`${shared}tiny.pth`, expectedOf(shared, 'tiny'), 'optimizer', true);
  });

  it.skipIf(!existsSync(`${shared}tiny_legacy.pth`))('tiny_legacy.pth (needs it in ../shared/reference)', async () => {
    const checkpoint = await openCheckpoint(`${shared}tiny_legacy.pth`);
    expect(checkpoint.format).toBe('pth-legacy');
    await checkStateDict(checkpoint, expectedOf(shared, 'tiny')['model'] as Record<string, TensorRecord>);
    await checkpoint.close();
  });

  it.each(['edge', 'edge_legacy'])(
    '%s.pth: strided and shared views, every dtype, other Python values',
    async (name) => {
      const checkpoint = await openCheckpoint(`${fixtures}${name}.pth`);
      await checkStateDict(checkpoint, expectedOf(fixtures, 'edge')['keys'] as Record<string, TensorRecord>);
      await checkpoint.close();

      const file = await readPth(`${fixtures}${name}.pth`);
      expect(file.format).toBe(name === 'edge' ? 'pth-zip' : 'pth-legacy');
      const nested = get(file.tree, 'nested') as PickleValue[];
      expect(nested.slice(0, 6)).toEqual([1, 2.5, null, true, 'ünï', [1, 2]]);
      const inner = get(nested, 6, 'a', 0) as TorchTensor;
      expect(Array.from(await file.entry('inner', inner).readFloat32())).toEqual([1, 2]);
      expect(get(file.tree, 'big_int')).toBe(2n ** 70n);
      expect(get(file.tree, 'neg')).toBe(-5);
      expect(get(file.tree, 'range_list')).toEqual(Array.from({ length: 300 }, (_, i) => i));
      expect(get(file.tree, 'set')).toEqual(new Set([1, 2]));
      expect(get(file.tree, 'size')).toEqual([2, 3]);
      expect(get(file.tree, 'device')).toEqual(new TorchDevice('cpu'));
      expect(jsonOf(get(file.tree, 'dtype')!, name)).toBe('torch.float32');
      expect(get(file.tree, 'bytes')).toEqual(Uint8Array.of(97, 98, 0));
      expect(get(file.tree, 'np_scalar')).toBe(1.25);
      const tensors = [...(get(file.tree, 'tensors') as Map<string, TorchTensor>)];
      const sharing = tensors.filter(([, { storage }]) => storage.byteLength === 240).map(([key]) => key);
      expect(sharing).toEqual(['contig', 'transposed', 'slice', 'offset', 'param']);
      await file.close();
    },
  );

  it('has no EMA weights if model_ema is None', async () => {
    await expect(openCheckpoint(`${fixtures}mini_old_optimizer.pth`, { weights: 'ema' })).rejects.toThrow(
      /mini_old_optimizer\.pth: holds no EMA weights/,
    );
  });
});

describe('files that are not checkpoints', () => {
  const others: Readonly<Record<string, readonly [string | Uint8Array, RegExp]>> = {
    'an empty file': ['', /empty/],
    'a web page': ['<!DOCTYPE html><html></html>', /web page/],
    'a Git LFS pointer': ['version https://git-lfs.github.com/spec/v1\noid sha256:00\n', /git lfs pull/],
    'a plain pickle': [Uint8Array.of(0x80, 2, 0x4e, 0x2e), /not from torch\.save/],
    'a PNG': [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), /neither/],
    'an old tar': [Buffer.concat([Buffer.alloc(257), Buffer.from('ustar'), Buffer.alloc(250)]), /tar file/],
  };
  it.each(Object.keys(others))('%s', async (name) => {
    const [content, message] = others[name]!;
    await expect(openCheckpoint(folder.file('other.pth', content))).rejects.toThrow(message);
  });

  it('a missing file, a folder, a URL', async () => {
    await expect(openCheckpoint(folder.file('missing.pth'))).rejects.toThrow(
      /missing\.pth: cannot be read \(there is no such file/,
    );
    await expect(openCheckpoint(folder.path)).rejects.toThrow(/not a regular file/);
    await expect(openCheckpoint('https://example.org/a.pth')).rejects.toThrow(/from disk only/);
    await expect(openCheckpoint('data:application/octet-stream;base64,gAJOLg==')).rejects.toThrow(/from disk only/);
  });
});
