/**
 * Computes what the frozen detector sees in the images of a training file, once: feature maps, proposals and colors as half
 * floats in a folder beside it. Can be interrupted and resumed; several processes may share the work by --part.
 *
 *     npx tsx scripts/photos/compute-features.ts DATASET IMAGES WEIGHTS.safetensors [--part 1/2]
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { openCheckpoint } from '../../src/checkpoints/index.ts';
import { collateImages } from '../../src/data/sampling/collate.ts';
import { composeImage } from '../../src/datasets/photos/compose-image.ts';
import type { PhotoRow } from '../../src/datasets/photos/photo-row.ts';
import { input, makeProgram, type HostTensor, type Tensor } from '../../src/engine/graph/index.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { NanoDet, NANODET_SIDE } from '../../src/models/backbones/nanodet.ts';
import type { PrecomputedName } from '../../src/models/index.ts';
import { Scope } from '../../src/nn/index.ts';
import { FeatureFile } from '../../src/train/features/feature-file.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { part: { type: 'string', default: '1/1' } },
});
const [dataset, images, weights] = positionals;
if (dataset === undefined || images === undefined || weights === undefined)
  throw new Error('usage: compute-features.ts DATASET IMAGES WEIGHTS.safetensors [--part 1/2]');
const [part, parts] = values.part.split('/').map(Number) as [number, number];
sharp.concurrency(1);

const text = readFileSync(join(dataset, 'photos.jsonl'), 'utf8');
const rows = text
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as PhotoRow);

const scope = new Scope();
const network = new NanoDet(scope.at('backbone').at(0).at('body'));
const { maps, proposals, colors } = network.detect(input('image', [1, 3, NANODET_SIDE, NANODET_SIDE]));
const outputs = {
  map: maps.at(-1)!,
  colors,
  proposal_scores: proposals.scores,
  proposal_boxes: proposals.boxes,
  proposal_features: proposals.features,
} satisfies Record<PrecomputedName, Tensor>;
const session = await new NodeRuntime({ threads: 1 }).load(makeProgram('features', outputs));
const checkpoint = await openCheckpoint(weights);
const parameters: Record<string, HostTensor> = {};
for (const { name, shape } of scope.registry.specs)
  parameters[name] = { dtype: 'float32', shape, data: await checkpoint.tensors.get(name)!.readFloat32() };
await checkpoint.close();

// Labels may change without making the features stale: only images and weights count.
const digest = createHash('sha256')
  .update(readFileSync(weights))
  .update(JSON.stringify(rows.map((row) => row.parts)))
  .digest('hex');
const file = FeatureFile.create(
  join(dataset, 'features'),
  digest,
  rows.length,
  Object.entries(outputs).map(([name, tensor]) => ({ name, shape: tensor.shape.slice(1) as number[] })),
);
const started = Date.now();
let computed = 0;
for (let index = part - 1; index < rows.length; index += parts) {
  if (file.has(index)) continue;
  const image = await composeImage(rows[index]!.parts, images, NANODET_SIDE);
  const { tensors } = collateImages([image]);
  const results = await session.run({
    ...parameters,
    image: { dtype: 'float32', shape: [1, 3, NANODET_SIDE, NANODET_SIDE], data: tensors },
  });
  file.write(
    index,
    Object.fromEntries(Object.keys(outputs).map((name) => [name, results[name]!.data as Float32Array])),
  );
  computed++;
  if (computed % 200 === 0)
    console.log(`${index + 1} of ${rows.length}; ${((Date.now() - started) / computed).toFixed(1)} ms an image`);
}
console.log(`part ${part} of ${parts}: ${computed} computed; ${file.count} of ${rows.length} images are there`);
file.close();
await session.dispose();
