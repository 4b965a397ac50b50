import { BYTES_PER_ELEMENT, type HostTensor } from '../graph/dtype.ts';
import { formatShape, shapesEqual, sizeOf } from '../graph/dim.ts';
import { leafName, makeProgram, type Program } from '../graph/program.ts';
import { staticShape, type Tensor } from '../graph/tensor.ts';
import type { EncodedInitializer, OnnxInitializer } from '../onnx/index.ts';
import { MdetrError } from '../../errors.ts';
import type { Runtime, WeightSource, WeightStorage } from './runtime.ts';

/** Name of the file of external weights beside a compiled program's ONNX file. */
export const WEIGHTS_FILE = 'weights.bin';
/** Smaller values are stored in the ONNX file, where ONNX Runtime can fold them while loading. */
export const INLINE_BYTES = 1024;
/** Alignment of weights in bytes: the page size, so that the file can be mapped into memory. */
export const WEIGHT_ALIGNMENT = 4096;
/** Maximum number of bytes of derived weights that are computed at once. */
const FOLD_BYTES = 64 * 2 ** 20;

/** Bytes of the value of a tensor with a static shape. */
export const byteLengthOf = (tensor: Tensor): number =>
  staticShape(tensor).reduce((product, size) => product * size, BYTES_PER_ELEMENT[tensor.dtype]);

/** Layout of a weights file. */
export interface WeightLayout {
  /** One initializer per tensor; values below the inline limit are replaced by inline ones when the model is written. */
  readonly external: readonly (OnnxInitializer & { readonly name: string })[];
  /** Length of the file. */
  readonly bytes: number;
}

/**
 * Assigns each stored tensor its name and its byte range in the weights file.
 *
 * @param file name of the weights file beside the model file
 * @param inlineBytes smaller values are stored in the model file, where ONNX Runtime can fold them while loading
 */
export const layoutWeights = (
  storedTensors: readonly Tensor[],
  file = WEIGHTS_FILE,
  inlineBytes = INLINE_BYTES,
): WeightLayout => {
  let [next, bytes] = [0, 0];
  const external = storedTensors.map((tensor, index) => {
    const length = byteLengthOf(tensor);
    const isInFile = length >= inlineBytes;
    const offset = isInFile ? next : 0;
    if (isInFile) {
      bytes = offset + length;
      next += Math.ceil(length / WEIGHT_ALIGNMENT) * WEIGHT_ALIGNMENT;
    }
    const name = tensor.node.kind === 'parameter' ? leafName(tensor) : `derived.${index}`;
    return {
      name,
      dtype: tensor.dtype,
      shape: staticShape(tensor),
      external: { location: file, offset, length },
    };
  });
  return { external, bytes };
};

/** Whether a stored tensor is computed from parameters, instead of being one. */
export const isDerived = (tensor: Tensor): boolean => tensor.node.kind !== 'parameter';

/** Program that computes derived weights from parameters. */
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

/**
 * Values of all stored tensors: parameters as they are read, derived weights computed in groups of bounded size.
 *
 * @throws {MdetrError} if a parameter has another shape or dtype than the program declares
 */
export async function* computeWeights(
  storedTensors: readonly Tensor[],
  weights: WeightSource,
  runtime: Runtime,
): AsyncGenerator<[Tensor, HostTensor]> {
  let group: Tensor[] = [];
  let groupBytes = 0;
  for (const tensor of storedTensors) {
    if (!isDerived(tensor)) {
      yield [tensor, await readParameter(tensor, weights)];
      continue;
    }
    group.push(tensor);
    groupBytes += byteLengthOf(tensor);
    if (groupBytes >= FOLD_BYTES) {
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

/** Stores the bytes of an initializer and returns it, with its place or its value. */
export type StoreInitializer = (name: string, value: HostTensor) => Promise<OnnxInitializer>;

/**
 * Stores a weight, in a compact form if there is one.
 *
 * @param names those of all weights of the program
 */
export const storeWeight = async (
  name: string,
  weight: HostTensor,
  names: readonly string[],
  storage: WeightStorage | undefined,
  store: StoreInitializer,
): Promise<OnnxInitializer | EncodedInitializer> => {
  const { values, scales } = storage?.encode(weight, name, names) ?? { values: weight };
  const stored = await store(name, values);
  if (values.dtype === weight.dtype && scales === undefined) return stored;
  return { values: stored, scales: scales && (await store(`${name}.scale`, scales)) };
};
