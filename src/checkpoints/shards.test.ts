import { afterAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/weight-files.ts';
import { openCheckpoint } from './open-checkpoint.ts';
import { writeSafetensors } from './safetensors/write-safetensors.ts';
import { tensorSource } from './tensor-source.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const writeIndex = (weightMap: unknown): string =>
  folder.file('model.safetensors.index.json', JSON.stringify({ metadata: {}, weight_map: weightMap }));

it('reads the shards of a file as one checkpoint', async () => {
  for (const [name, value] of [['a', 1] as const, ['b', 2] as const]) {
    await writeSafetensors(folder.file(`${name}.safetensors`), [tensorSource(name, [1], Float32Array.of(value))]);
  }
  const path = writeIndex({ a: 'a.safetensors', b: 'b.safetensors' });
  const checkpoint = await openCheckpoint(path);
  const values = await Promise.all([...checkpoint.tensors.values()].map((entry) => entry.readFloat32()));
  expect(values).toEqual([Float32Array.of(1), Float32Array.of(2)]);
  expect(checkpoint.contents.model).toEqual({ tensors: 2, elements: 2, bytes: 8 });
  expect(checkpoint.files).toEqual([path, folder.file('a.safetensors'), folder.file('b.safetensors')]);
  await checkpoint.close();
});

it.each([
  [{ a: 'a.safetensors', c: 'b.safetensors' }, /tensor "c" is not in its shard "b.safetensors"/],
  [{ a: 'a.safetensors' }, undefined],
  [{ a: '../a.safetensors' }, /the shard of "a" is not the name of a weight file beside it/],
  [{ a: 'model.safetensors.index.json' }, /not the name of a weight file/],
  [{ a: 'gone.safetensors' }, /gone\.safetensors: cannot be read \(there is no such file or folder\)/],
  [{ a: 1 }, /not the name of a weight file/],
  [{}, /is empty/],
  ['x', /has no "weight_map"/],
])('an index that names %j', async (weightMap, message) => {
  const opened = openCheckpoint(writeIndex(weightMap));
  if (message === undefined) await (await opened).close();
  else await expect(opened).rejects.toThrow(message);
});

it('an index that is not JSON', async () => {
  await expect(openCheckpoint(folder.file('x.index.json', '{'))).rejects.toThrow(/damaged index .*: it is not JSON/);
});
