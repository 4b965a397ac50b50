import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/weight-files.ts';
import { writeAtomically } from '../../files/atomic-file.ts';
import { openFileSource } from '../file-source.ts';
import { readBytes } from '../byte-source.ts';
import { openCheckpoint } from '../open-checkpoint.ts';
import { readPth } from './pth.ts';
import { tensorSource, type TensorSource } from '../tensor-source.ts';
import { TorchTensor } from './torch-tensor.ts';
import { PickledTensor, writePth } from './write-pth.ts';
import { readZipRecords } from './zip-records.ts';
import { ZipWriter } from './zip-writer.ts';

const fixtures = new URL('../../../test/fixtures/reference/checkpoints/', import.meta.url).pathname;
const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('writePth', () => {
  it('writes the contents of official checkpoints: weights, EMA, epoch, args', async () => {
    const path = folder.file('again.pth');
    const model = await openCheckpoint(`${fixtures}mini.pth`, { weights: 'model' });
    const ema = await openCheckpoint(`${fixtures}mini.pth`, { weights: 'ema' });
    await writePth(path, { model: model.tensors.values(), ema: ema.tensors.values(), epoch: 7, args: model.args! });
    for (const original of [model, ema]) {
      const copy = await openCheckpoint(path, { weights: original === model ? 'model' : 'ema' });
      expect(copy).toMatchObject({ format: 'pth-zip', weights: original.weights, args: model.args });
      expect(copy.contents).toEqual({
        epoch: 7,
        model: model.contents.model,
        ema: model.contents.ema,
        others: [],
        notTensors: [],
      });
      expect([...copy.tensors.keys()]).toEqual([...original.tensors.keys()]);
      for (const [name, tensor] of original.tensors) {
        expect(copy.tensors.get(name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
        expect(await copy.tensors.get(name)!.read()).toEqual(await tensor.read());
      }
      await copy.close();
    }
    await model.close();
    await ema.close();
  });

  it('writes every dtype and shape that PyTorch has', async () => {
    const path = folder.file('edge.pth');
    const original = await openCheckpoint(`${fixtures}edge.pth`);
    await writePth(path, { model: original.tensors.values() });
    const copy = await openCheckpoint(path);
    for (const [name, tensor] of original.tensors) {
      expect(copy.tensors.get(name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
      expect(await copy.tensors.get(name)!.read()).toEqual(await tensor.read());
    }
    await copy.close();
    await original.close();
  });

  it('writes optimizer state with nested tensors', async () => {
    const path = folder.file('optimizer.pth');
    const moment = new PickledTensor(tensorSource('exp_avg', [2], Float32Array.of(3, 4)));
    const optimizer = new Map([
      [
        'state',
        new Map([
          [
            0,
            new Map<string, number | PickledTensor>([
              ['step', 2],
              ['exp_avg', moment],
            ]),
          ],
        ]),
      ],
    ]);
    await writePth(path, { model: [tensorSource('w', [1], Float32Array.of(1))], optimizer });
    const file = await readPth(path);
    const state = (
      (file.tree as Map<string, unknown>).get('optimizer') as Map<string, Map<number, Map<string, unknown>>>
    )
      .get('state')!
      .get(0)!;
    expect(state.get('step')).toBe(2);
    const tensor = state.get('exp_avg');
    expect(tensor).toBeInstanceOf(TorchTensor);
    expect(Array.from(await file.entry('exp_avg', tensor as TorchTensor).readFloat32())).toEqual([3, 4]);
    await file.close();
  });

  it('writes equal bytes for equal weights, with each tensor aligned to 64 bytes', async () => {
    const write = async (name: string): Promise<Buffer> => {
      const path = folder.file(name);
      await writePth(path, {
        model: [tensorSource('a', [3], Float32Array.of(1, 2, 3)), tensorSource('b', [1], Float32Array.of(4))],
      });
      return readFileSync(path);
    };
    expect(await write('one.pth')).toEqual(await write('two.pth'));
    const source = await openFileSource(folder.file('one.pth'));
    for (const [name, record] of await readZipRecords(source)) expect((await record.locate()) % 64, name).toBe(0);
    await source.close();
  });

  it('rejects a dtype without a PyTorch storage, naming the tensor', async () => {
    const path = folder.file('unsigned.pth');
    const odd: TensorSource = { name: 'odd', dtype: 'u32', shape: [1], read: () => Promise.resolve(new Uint8Array(4)) };
    await expect(writePth(path, { model: [odd] })).rejects.toThrow(/tensor "odd": PyTorch files cannot hold u32/);
  });
});

describe('zip64', () => {
  it('is used where sizes and offsets require it', async () => {
    const path = folder.file('zip64.zip');
    const contents = Array.from({ length: 5 }, (_, i) => new Uint8Array(10 + i * 40).fill(i));
    await writeAtomically(path, async (sink) => {
      const zip = new ZipWriter(sink, 60);
      for (const [i, bytes] of contents.entries())
        await zip.add(`a/${i}`, bytes.byteLength, [bytes.subarray(0, 5), bytes.subarray(5)]);
      await zip.finish();
    });
    const source = await openFileSource(path);
    const records = await readZipRecords(source);
    expect([...records.keys()]).toEqual(contents.map((_, i) => `a/${i}`));
    for (const [i, bytes] of contents.entries()) {
      const record = records.get(`a/${i}`)!;
      expect(await readBytes(source, await record.locate(), record.byteLength)).toEqual(bytes);
    }
    await source.close();
  });
});
