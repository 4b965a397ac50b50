import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { float16ToFloat32 } from '../../src/checkpoints/half.ts';

/** Weights of a convolution of a tfjs graph: filter (h, w, in, out) and bias (out). */
export interface ConvWeights {
  readonly shape: readonly [height: number, width: number, inputs: number, outputs: number];
  readonly filter: Float32Array;
  readonly bias: Float32Array;
}

interface GraphFile {
  readonly modelTopology: {
    readonly node: readonly { readonly name: string; readonly op: string; readonly input?: readonly string[] }[];
  };
  readonly weightsManifest: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly dtype: string;
      readonly quantization?: { readonly dtype: string };
    }[];
  }[];
}

/**
 * Reads the convolutions of a tfjs graph model, in the order of the graph's numbering (`convolution`, `convolution_1`, …).
 *
 * @throws {Error} naming a convolution without filter or bias
 */
export const readTfjsGraph = (path: string): { readonly convolutions: readonly ConvWeights[] } => {
  const graph = JSON.parse(readFileSync(path, 'utf8')) as GraphFile;
  const weights = readWeights(graph, dirname(path));
  const nodes = graph.modelTopology.node;
  const numberOf = (name: string): number => Number(/convolution(?:_(\d+))?$/.exec(name)?.[1] ?? 0);
  const convolutions = nodes
    .filter(({ op }) => op === 'Conv2D')
    .sort((a, b) => numberOf(a.name) - numberOf(b.name))
    .map(({ name, input: inputs = [] }): ConvWeights => {
      const filter = weights.get(inputs[1] ?? '');
      const sum = nodes.find(({ op, input = [] }) => op === 'Add' && input.includes(name));
      const bias = sum?.input?.map((input) => weights.get(input)).find((found) => found !== undefined);
      if (filter?.shape.length !== 4 || bias === undefined)
        throw new Error(`${path}: ${name} has no filter or no bias`);
      return { shape: filter.shape as unknown as ConvWeights['shape'], filter: filter.data, bias: bias.data };
    });
  return { convolutions };
};

const readWeights = (
  { weightsManifest }: GraphFile,
  folder: string,
): ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }> => {
  const found = new Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>();
  for (const { paths, weights } of weightsManifest) {
    const bytes = Buffer.concat(paths.map((file) => readFileSync(join(folder, file))));
    let offset = 0;
    for (const { name, shape, dtype, quantization } of weights) {
      const count = shape.reduce((product, size) => product * size, 1);
      const isHalf = quantization?.dtype === 'float16';
      if (dtype === 'float32' && isHalf)
        found.set(name, { shape, data: halves(bytes.subarray(offset, offset + 2 * count)) });
      offset += count * (isHalf ? 2 : 4);
    }
  }
  return found;
};

/** Values of half floats, whose bytes may be unaligned. */
const halves = (bytes: Uint8Array): Float32Array => float16ToFloat32(new Uint16Array(Uint8Array.from(bytes).buffer));
