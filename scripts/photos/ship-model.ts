/**
 * Writes `models/photos` from a trained model: weights in half precision, config with calibration, vocabulary, image size,
 * the model card and the license note that are given. The weights of places, colors and sizes in the logit of "no object" are
 * multiplied by `--qualifiers`, factors that are chosen on training images.
 *
 *     npx tsx scripts/photos/ship-model.ts MODEL --threshold 0.63 --qualifiers 3.3,5,4 --card README.md --license LICENSE.md [--out DIR]
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
    present: { type: 'string', default: '0.766' },
    absent: { type: 'string', default: '0.909' },
    qualifiers: { type: 'string', default: '1,1,1' },
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

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const checkpoint = await openCheckpoint(join(model, 'model.safetensors'));
const tensors: TensorSource[] = [];
for (const entry of checkpoint.tensors.values()) {
  // Token positions are integers; everything else is stored in half precision.
  if (entry.dtype !== 'f32') tensors.push(entry);
  else {
    const weights = await entry.readFloat32();
    const shipped = entry.name === QUALIFIERS ? strengthened(weights) : weights;
    tensors.push(tensorSource(entry.name, entry.shape, shipped, 'f16'));
  }
}
await writeSafetensors(join(out, 'model.safetensors'), tensors, { format: 'pt' });
await checkpoint.close();
const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as Record<string, unknown>;
const calibrated = {
  ...config,
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
for (const name of ['tokenizer.json', 'preprocessor_config.json', 'words.json'])
  await cp(join(model, name), join(out, name));
await copyFile(card, join(out, 'README.md'));
await copyFile(license, join(out, 'LICENSE.md'));
