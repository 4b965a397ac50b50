import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { smallDataset, smallValues, type SmallDataset } from '../../../test/support/small-run.ts';
import { openCheckpoint } from '../../checkpoints/index.ts';
import { describeModel } from '../../model-folder/node/model-info.ts';
import { knownWords } from '../../model-folder/node/known-words.ts';
import { createTokenizer } from '../../text/index.ts';
import { runTraining } from '../run/run-training.ts';
import { wordsOfFile } from './dataset-words.ts';

vi.setConfig({ testTimeout: 120_000 });

let root: string;
let data: SmallDataset;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'mdetr-words-'));
  data = await smallDataset(join(root, 'data'), 4);
  // Three nouns that the vocabulary lacks take the place of words of the captions.
  data.annotations.images.forEach((image, index) => {
    image['caption'] = ['a blicket', 'the wug, a red cube', 'Dax left of the wug', 'a ball'][index];
    image['tokens_positive_eval'] = undefined;
  });
  for (const annotation of data.annotations.annotations) annotation['tokens_positive'] = [[0, 3]];
  data.write();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const notes: string[] = [];
const train = async (name: string, more: Readonly<Record<string, unknown>>): Promise<string> => {
  notes.length = 0;
  const folder = join(root, name);
  const datasets = [{ annotations: data.file, images: data.images }];
  const values = { ...smallValues, datasets, max_steps: 2, output_dir: folder, ...more };
  await runTraining(values, { observer: { onNote: (text) => notes.push(text) } });
  return folder;
};

const rowsOf = async (model: string): Promise<{ readonly values: Float32Array; readonly rows: number }> => {
  const checkpoint = await openCheckpoint(join(model, 'model.safetensors'));
  try {
    const table = [...checkpoint.tensors.values()].find(({ name }) => name.endsWith('word_embeddings.weight'))!;
    return { values: await table.readFloat32(), rows: table.shape[0]! };
  } finally {
    await checkpoint.close();
  }
};

it('reads the words of captions in lower case, without punctuation and numbers', () => {
  expect([...wordsOfFile(data.file)].sort()).toEqual(
    ['a', 'ball', 'blicket', 'cube', 'dax', 'left', 'of', 'red', 'the', 'wug'].sort(),
  );
});

it('gives new words of a word-level model rows of their own, names them, and records what was learned', async () => {
  const base = await train('base', { datasets: smallValues['datasets'] });
  expect((await describeModel(join(base, 'last'))).words?.learned).toEqual([]);
  const { rows, values: before } = await rowsOf(join(base, 'last'));
  const run = await train('tuned', { load: join(base, 'last'), tokenizer: undefined, lr: 0, text_encoder_lr: 0 });
  expect(notes).toContain('3 words of the captions are new to the model and will be learned: blicket, dax, wug');
  const model = join(run, 'last');
  const info = await describeModel(model);
  expect(info.words?.learned).toEqual(['blicket', 'dax', 'wug']);
  expect(info.words?.words).toEqual(expect.arrayContaining(['blicket', 'cube']));
  expect((await knownWords(model))?.has('dax')).toBe(true);
  const tokenizer = createTokenizer(JSON.parse(readFileSync(join(model, 'tokenizer.json'), 'utf8')) as unknown);
  const ids = ['blicket', 'dax', 'wug'].map((word) => tokenizer.encode(word).ids[1]!);
  expect(new Set(ids).size).toBe(3);
  expect(Math.min(...ids)).toBe(rows);
  // Known words keep their trained vectors; new ones differ from each other, and are as long as the others.
  const { values } = await rowsOf(model);
  const width = before.length / rows;
  expect(values.subarray(0, before.length)).toEqual(before);
  const [first, second] = ids.map((id) => values.subarray(id * width, (id + 1) * width));
  expect(first).not.toEqual(second);
  const length = (vector: Float32Array): number => Math.hypot(...vector);
  expect(length(first!)).toBeGreaterThan(0.2 * (length(before) / Math.sqrt(rows)));

  // Nothing is new to the model any more.
  await train('again', { load: model, tokenizer: undefined });
  expect(notes.filter((text) => text.includes('new to the model'))).toEqual([]);
});

it('leaves the folder of another run as it is', async () => {
  const folder = await train('taken', {});
  const record = readFileSync(join(folder, 'words/words.json'), 'utf8');
  await expect(train('taken', { datasets: smallValues['datasets'] })).rejects.toThrow('holds a run already');
  expect(readFileSync(join(folder, 'words/words.json'), 'utf8')).toBe(record);
});

it('leaves data that cannot be read to the checks of the run', async () => {
  const datasets = [{ annotations: join(root, 'none.json'), images: data.images }];
  await expect(train('missing', { datasets })).rejects.toThrow('none.json');
  expect(existsSync(join(root, 'missing/words'))).toBe(false);
});
