/**
 * Writes `models/photos` from a trained model: weights in half precision, config with calibration, vocabulary, image size,
 * the model card and the license note that are given. The weights of places, colors and sizes in the logit of "no object" are
 * multiplied by `--qualifiers`, factors that are chosen on training images. `--vocabulary DIR` gives a model whose vocabulary has
 * words only the vocabulary of DIR, a folder of `make-start.ts`: words keep their rows, pieces get those of its `start.safetensors`.
 *
 * `words.json` is that of the model, or `--words`.
 *
 *     npx tsx scripts/photos/ship-model.ts MODEL --threshold 0.55 --qualifiers 3.3,5,4 --card README.md --license LICENSE.md [--out DIR]
 */
import { copyFile, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openCheckpoint, tensorSource, writeSafetensors, type TensorSource } from '../../src/checkpoints/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threshold: { type: 'string' },
    present: { type: 'string', default: '0.812' },
    absent: { type: 'string', default: '0.906' },
    qualifiers: { type: 'string', default: '1,1,1' },
    vocabulary: { type: 'string' },
    words: { type: 'string' },
    card: { type: 'string' },
    license: { type: 'string' },
    out: { type: 'string', default: join(root, 'models/photos') },
  },
});
const [model] = positionals;
const { card, license, out, threshold } = values;
if (model === undefined || card === undefined || license === undefined || threshold === undefined)
  throw new Error('usage: ship-model.ts MODEL --threshold T --card FILE --license FILE [--out DIR]');

/** Tensor of the weights of places, colors and sizes (rows) by absolute and relative evidence (columns). */
const QUALIFIERS = 'priming.tokens.qualifier_weights';
const factors = values.qualifiers.split(',').map(Number);
if (factors.length !== 3 || !factors.every((factor) => factor > 0))
  throw new Error(`--qualifiers ${values.qualifiers}: three positive numbers are needed, of places, colors and sizes`);
const strengthened = (weights: Float32Array): Float32Array =>
  weights.map((weight, index) => weight * factors[Math.floor(index / 2)]!);

/** Tensors with a row for each token: the word embeddings, and the concepts that tokens name. */
const TOKEN_ROWS = ['transformer.text_encoder.embeddings.word_embeddings.weight', 'priming.lexicon'];

const vocabOf = async (folder: string): Promise<Readonly<Record<string, number>>> => {
  const { model: json } = JSON.parse(await readFile(join(folder, 'tokenizer.json'), 'utf8')) as {
    readonly model: { readonly vocab: Readonly<Record<string, number>> };
  };
  return json.vocab;
};

/** A function from the rows of the model's tokens to those of the tokens of `folder`; rows of new tokens are those of its start. */
const rowsFor = async (folder: string) => {
  const [before, after] = [await vocabOf(model), await vocabOf(folder)];
  const start = await openCheckpoint(join(folder, 'start.safetensors'));
  return async (name: string, rows: Float32Array): Promise<TensorSource> => {
    const entry = start.tensors.get(name)!;
    const completed = await entry.readFloat32();
    const width = entry.shape[1]!;
    for (const [token, id] of Object.entries(before)) {
      const place = after[token.startsWith('<') ? token : `▁${token}`];
      if (place === undefined) throw new Error(`${folder}: no token for "${token}"`);
      completed.set(rows.subarray(id * width, (id + 1) * width), place * width);
    }
    return tensorSource(name, entry.shape, completed, 'f16');
  };
};
const withVocabulary = values.vocabulary === undefined ? undefined : await rowsFor(values.vocabulary);

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const checkpoint = await openCheckpoint(join(model, 'model.safetensors'));
const tensors: TensorSource[] = [];
for (const entry of checkpoint.tensors.values()) {
  // Token positions are integers; everything else is stored in half precision.
  if (entry.dtype !== 'f32') tensors.push(entry);
  else {
    const weights = await entry.readFloat32();
    if (withVocabulary !== undefined && TOKEN_ROWS.includes(entry.name)) {
      tensors.push(await withVocabulary(entry.name, weights));
      continue;
    }
    const shipped = entry.name === QUALIFIERS ? strengthened(weights) : weights;
    tensors.push(tensorSource(entry.name, entry.shape, shipped, 'f16'));
  }
}
await writeSafetensors(join(out, 'model.safetensors'), tensors, { format: 'pt' });
await checkpoint.close();
const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as {
  readonly text_encoder: { readonly vocab_size: number };
};
const vocabulary = Object.keys(await vocabOf(values.vocabulary ?? model)).length;
const calibrated = {
  ...config,
  text_encoder: { ...config.text_encoder, vocab_size: Math.max(config.text_encoder.vocab_size, vocabulary) },
  made_for: 'photos',
  calibration: {
    threshold: Number(threshold),
    presence: Number(threshold),
    data: {
      name: 'nouns of 96 held-out photographs with human boxes',
      images: 96,
      captions: 666,
      boxes: 0,
      present_phrases: 282,
      absent_phrases: 384,
      present_found: Number(values.present),
      absent_found: Number(values.absent),
    },
  },
};
await writeFile(join(out, 'config.json'), `${JSON.stringify(calibrated, undefined, 2)}\n`);
await cp(join(values.vocabulary ?? model, 'tokenizer.json'), join(out, 'tokenizer.json'));
await cp(join(model, 'preprocessor_config.json'), join(out, 'preprocessor_config.json'));
await cp(values.words ?? join(model, 'words.json'), join(out, 'words.json'));
await copyFile(card, join(out, 'README.md'));
await copyFile(license, join(out, 'LICENSE.md'));
