import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint, type Checkpoint, type TensorEntry } from '../../src/checkpoints/index.ts';
import { convertModel } from '../../src/model-folder/node/convert.ts';
import { openModelSource } from '../../src/model-folder/node/model-source.ts';
import { referencePath, type ReferenceCase } from '../support/reference-case.ts';
import { Row, TOLERANCES } from './comparison.ts';
import { columnOf } from './forward.ts';
import { runInference, type Batch } from './programs.ts';

interface ExpectedTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly first4: readonly number[];
  readonly sum?: number;
  readonly norm?: number;
}

interface ExpectedCheckpoint {
  readonly epoch: number;
  readonly model: Readonly<Record<string, ExpectedTensor>>;
  readonly model_ema: Readonly<Record<string, ExpectedTensor>>;
  readonly optimizer: { readonly state: Readonly<Record<string, Readonly<Record<string, ExpectedTensor>>>> };
}

const officialDtypes: Readonly<Record<string, string>> = { f32: 'float32', i64: 'int64' };

/** Both sets of weights of `tiny.pth`: names, shapes, types, first values, sums and norms. */
export const compareCheckpoint = async (folder: string): Promise<Row> => {
  const row = new Row('checkpoints/tiny.pth');
  const expected = JSON.parse(await readFile(join(folder, 'tiny.expected.json'), 'utf8')) as ExpectedCheckpoint;
  for (const weights of ['model', 'ema'] as const) {
    const checkpoint = await openCheckpoint(join(folder, 'tiny.pth'), { weights });
    try {
      const tensors = weights === 'model' ? expected.model : expected.model_ema;
      const keys = row.in('keys', TOLERANCES.exact);
      keys.equal(`names of ${weights}`, [...checkpoint.tensors.keys()], Object.keys(tensors));
      keys.equal('epoch', checkpoint.contents.epoch, expected.epoch);
      const states = Object.values(expected.optimizer.state).flatMap((state) => Object.values(state));
      keys.equal('optimizer tensors', checkpoint.contents.optimizer?.tensors, states.length);
      for (const [name, entry] of checkpoint.tensors) await compareTensor(row, entry, tensors[name]!);
    } finally {
      await checkpoint.close();
    }
  }
  return row;
};

const compareTensor = async (row: Row, entry: TensorEntry, expected: ExpectedTensor): Promise<void> => {
  const { name, dtype, shape } = entry;
  row.in('keys', TOLERANCES.exact).equal(name, [shape, officialDtypes[dtype]], [expected.shape, expected.dtype]);
  const values = await entry.readFloat32();
  const cell = row.in('contents', { limit: 1e-6, kind: 'relative' });
  cell.tensors(`${name}: first values`, values.subarray(0, expected.first4.length), expected.first4);
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (expected.norm !== undefined) cell.tensors(`${name}: norm`, [norm], [expected.norm]);
  if (expected.sum === undefined || expected.norm === undefined) return;
  // A sum may be 0, so it is compared relative to the norm.
  const sum = values.reduce((total, value) => total + value, 0);
  cell.note(`${name}: sum`, expected.norm === 0 ? 0 : Math.abs(sum - expected.sum) / expected.norm);
};

/** Converts to a model folder and back to `.pth`: names, types and bytes stay the same. */
export const compareRoundTrip = async (path: string, tokenizer: string): Promise<Row> => {
  const row = new Row('tiny.pth → folder → .pth');
  const folder = await mkdtemp(join(tmpdir(), 'mdetr-parity-'));
  const opened: Checkpoint[] = [];
  const open = async (file: string): Promise<Checkpoint> => {
    const checkpoint = await openCheckpoint(file);
    opened.push(checkpoint);
    return checkpoint;
  };
  try {
    await convertModel(path, join(folder, 'model'), { tokenizer });
    await convertModel(join(folder, 'model'), join(folder, 'back.pth'));
    const original = await open(path);
    const back = await open(join(folder, 'back.pth'));
    const keys = row.in('keys', TOLERANCES.exact);
    keys.equal('names', [...back.tensors.keys()], [...original.tensors.keys()]);
    // The model folder's image size travels as an argument of its own, which the official file does not have.
    const { preprocessor_config: _imageSize, ...officialArgs } = back.args ?? {};
    keys.equal('arguments', officialArgs, original.args);
    for (const [name, entry] of original.tensors) {
      const found = back.tensors.get(name);
      keys.equal(name, [found?.dtype, found?.shape], [entry.dtype, entry.shape]);
      const same = found !== undefined && Buffer.compare(await found.read(), await entry.read()) === 0;
      row.in('bytes', TOLERANCES.exact).equal(name, same, true);
    }
  } finally {
    for (const checkpoint of opened) await checkpoint.close();
    await rm(folder, { recursive: true, force: true });
  }
  return row;
};

/** Outputs with weights read from the file, compared with PyTorch's for the same file (`tiny-checkpoint`). */
export const compareLoadedWeights = async (path: string, batch: Batch, expected: ReferenceCase): Promise<Row[]> => {
  const rows: Row[] = [];
  for (const weights of ['model', 'ema'] as const) {
    const source = await openModelSource(path, { weights, tokenizer: referencePath('roberta') });
    const row = new Row(`tiny.pth, ${weights}`);
    try {
      const outputs = await runInference(source.model, source.weights, batch);
      for (const name of expected.names.filter((known) => known.startsWith(`${weights}.`))) {
        const output = name.slice(weights.length + 1);
        const cell = row.in(columnOf(output), output === 'pred_boxes' ? TOLERANCES.boxes : TOLERANCES.values);
        cell.tensors(name, outputs[output]?.data as Float32Array | undefined, expected.f32(name));
      }
    } finally {
      await source.close();
    }
    rows.push(row);
  }
  return rows;
};
