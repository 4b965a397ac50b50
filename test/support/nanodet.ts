import { openCheckpoint } from '../../src/checkpoints/index.ts';
import { input, makeProgram, type HostTensor } from '../../src/engine/graph/index.ts';
import { NodeRuntime } from '../../src/engine/runtime/node/node-runtime.ts';
import { NanoDet } from '../../src/models/backbones/nanodet.ts';
import { Scope } from '../../src/nn/index.ts';
import { syntheticNumbers } from './synthetic-weights.ts';

const PREFIX = 'backbone.0.body';

/** Rectangles of noisy colors, RGB in 0 to 255, (3, side, side): as the original normalizes it (BGR), and as this package does. */
export const syntheticImage = (
  side: number,
): { readonly original: Float32Array; readonly normalized: Float32Array } => {
  const area = side * side;
  const noise = syntheticNumbers('nanodet image', 3 * area, (u) => 40 * u);
  const colors = syntheticNumbers('nanodet rectangles', 3 * 64, (u) => 215 * u);
  const rgb = noise.map((value, i) => {
    const [channel, y, x] = [Math.floor(i / area), Math.floor((i % area) / side), i % side];
    return value + colors[channel * 64 + Math.floor((y * 8) / side) * 8 + Math.floor((x * 8) / side)]!;
  });
  const scaled = (channels: readonly number[], mean: readonly number[], std: readonly number[]): Float32Array =>
    Float32Array.from({ length: 3 * area }, (_, i) => {
      const k = Math.floor(i / area);
      return (rgb[channels[k]! * area + (i % area)]! - mean[k]!) / std[k]!;
    });
  return {
    original: scaled([2, 1, 0], [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]),
    normalized: scaled(
      [0, 1, 2],
      [0.485, 0.456, 0.406].map((value) => 255 * value),
      [0.229, 0.224, 0.225].map((value) => 255 * value),
    ),
  };
};

/** Scores and distances of all positions, at strides 8, 16 and 32, for one image (3, side, side) with the weights of a file. */
export const nanodetLevels = async (
  weights: string,
  image: Float32Array,
  side: number,
): Promise<readonly { readonly scores: Float32Array; readonly distances: Float32Array }[]> => {
  const scope = new Scope();
  const network = new NanoDet(scope.at(PREFIX));
  const outputs = network.levels(input('image', [1, 3, side, side])).map(({ scores, distances }, level) => ({
    [`scores${level}`]: scores,
    [`distances${level}`]: distances,
  }));
  const session = await new NodeRuntime({ threads: 1 }).load(makeProgram('nanodet', Object.assign({}, ...outputs)));
  const checkpoint = await openCheckpoint(weights);
  const feeds: Record<string, HostTensor> = { image: { dtype: 'float32', shape: [1, 3, side, side], data: image } };
  for (const { name, shape } of scope.registry.specs)
    feeds[name] = { dtype: 'float32', shape, data: await checkpoint.tensors.get(name)!.readFloat32() };
  try {
    const results = await session.run(feeds);
    return [0, 1, 2].map((level) => ({
      scores: results[`scores${level}`]!.data as Float32Array,
      distances: results[`distances${level}`]!.data as Float32Array,
    }));
  } finally {
    await session.dispose();
    await checkpoint.close();
  }
};
