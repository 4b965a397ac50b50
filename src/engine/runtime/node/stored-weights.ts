import { bytesPerElement, type HostTensor } from '../../graph/dtype.ts';
import { formatShape, shapesEqual, sizeOf } from '../../graph/dim.ts';
import { leafName, makeProgram, type Program } from '../../graph/program.ts';
import { staticShape, type Tensor } from '../../graph/tensor.ts';
import type { OnnxInitializer } from '../../onnx/index.ts';
import { MdetrError } from '../../../errors.ts';
import type { Runtime, WeightSource } from '../runtime.ts';

export const weightsFile = 'weights.bin';
/** Pages of this size are what the operating system maps. */
const alignment = 4096;
/** Values smaller than this stay in the model file, where ONNX Runtime can compute with them while loading. */
const inlineBytes = 1024;
/** How many bytes of parameters are transformed in one go. */
const foldBytes = 64 * 2 ** 20;

const byteLengthOf = (tensor: Tensor): number =>
  staticShape(tensor).reduce((product, size) => product * size, bytesPerElement[tensor.dtype]);

/** Where each value of a weights file stands in it. */
export interface WeightLayout {
  /** As many as there are tensors; those too small for a place of their own become inline when they are written. */
  readonly external: readonly (OnnxInitializer & { readonly name: string })[];
  readonly offsets: ReadonlyMap<Tensor, number>;
  /** Length of the whole file. */
  readonly bytes: number;
}

export const layOut = (frontier: readonly Tensor[]): WeightLayout => {
  const offsets = new Map<Tensor, number>();
  let [offset, bytes] = [0, 0];
  const external = frontier.map((tensor, index) => {
    const length = byteLengthOf(tensor);
    if (length >= inlineBytes) {
      offsets.set(tensor, offset);
      bytes = offset + length;
      offset += Math.ceil(length / alignment) * alignment;
    }
    const name = tensor.node.kind === 'parameter' ? leafName(tensor) : `derived.${index}`;
    return {
      name,
      dtype: tensor.dtype,
      shape: staticShape(tensor),
      external: { location: weightsFile, offset: offsets.get(tensor) ?? 0, length },
    };
  });
  return { external, offsets, bytes };
};

/** Whether a value is made of parameters, not one itself. */
export const isDerived = (tensor: Tensor): boolean => tensor.node.kind !== 'parameter';

/** Parameters → what is made of them. */
export const foldProgram = (derived: readonly Tensor[]): Program =>
  makeProgram('fold', Object.fromEntries(derived.map((tensor, index) => [`fold-out${index}`, tensor])));

const readParameter = async (tensor: Tensor, weights: WeightSource): Promise<HostTensor> => {
  const name = leafName(tensor);
  const value = await weights.read(name);
  const count = sizeOf(value.shape);
  if (value.dtype !== tensor.dtype || !shapesEqual(value.shape, tensor.shape) || value.data.length !== count)
    throw new MdetrError(
      `the weight "${name}" must be ${tensor.toString()}, got ${value.dtype}${formatShape(value.shape)}`,
    );
  return value;
};

/** The values of parameters, and of what is made of them, a bounded number of bytes at a time. */
export async function* computeWeights(
  frontier: readonly Tensor[],
  weights: WeightSource,
  runtime: Runtime,
): AsyncGenerator<[Tensor, HostTensor]> {
  let group: Tensor[] = [];
  let groupBytes = 0;
  for (const tensor of frontier) {
    if (!isDerived(tensor)) {
      yield [tensor, await readParameter(tensor, weights)];
      continue;
    }
    group.push(tensor);
    groupBytes += byteLengthOf(tensor);
    if (groupBytes >= foldBytes) {
      yield* computeGroup(group, weights, runtime);
      group = [];
      groupBytes = 0;
    }
  }
  if (group.length > 0) yield* computeGroup(group, weights, runtime);
}

async function* computeGroup(
  group: readonly Tensor[],
  weights: WeightSource,
  runtime: Runtime,
): AsyncGenerator<[Tensor, HostTensor]> {
  const program = foldProgram(group);
  const feeds: Record<string, HostTensor> = {};
  for (const leaf of program.parameters) feeds[leafName(leaf)] = await readParameter(leaf, weights);
  const session = await runtime.load(program);
  try {
    const results = await session.run(feeds);
    for (const [index, tensor] of group.entries()) yield [tensor, results[`fold-out${index}`]!];
  } finally {
    await session.dispose();
  }
}
