import type { HostTensor } from '../../graph/dtype.ts';
import { parameterFrontier } from '../../graph/fold.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { emitModel, type EncodedInitializer, type OnnxInitializer } from '../../onnx/index.ts';
import { computeWeights, INLINE_BYTES, layoutWeights, storeWeight, WEIGHTS_FILE } from '../stored-weights.ts';
import type { CompileWithWeights } from './web-runtime.ts';

/** Combines a program with its weights in memory, for platforms without files. */
export const compileInMemory: CompileWithWeights = async (program, weights, runtime, storage) => {
  const storedTensors = parameterFrontier(program);
  const { external, bytes } = layoutWeights(storedTensors);
  const names = external.map(({ name }) => name);
  const nameOf = new Map(storedTensors.map((tensor, index) => [tensor, names[index]!]));
  const data = new Uint8Array(bytes);
  let end = 0;
  const store = (name: string, value: HostTensor): Promise<OnnxInitializer> => {
    const { dtype, shape, data: array } = value;
    const [offset, length] = [Math.ceil(end / OFFSET_ALIGNMENT) * OFFSET_ALIGNMENT, array.byteLength];
    // Compact forms take less room than the layout allows for; the rare rest is stored inline.
    if (length < INLINE_BYTES || offset + length > bytes) return Promise.resolve({ name, value });
    data.set(new Uint8Array(array.buffer, array.byteOffset, length), offset);
    end = offset + length;
    return Promise.resolve({ name, dtype, shape, external: { location: WEIGHTS_FILE, offset, length } });
  };
  const stored = new Map<Tensor, OnnxInitializer | EncodedInitializer>();
  for await (const [tensor, weight] of computeWeights(storedTensors, weights, runtime))
    stored.set(tensor, await storeWeight(nameOf.get(tensor)!, weight, names, storage, store));
  return { model: emitModel(program, { stored }), weights: { path: WEIGHTS_FILE, data: data.subarray(0, end) } };
};

/** Alignment of weights in memory, for the widest element type. */
const OFFSET_ALIGNMENT = 8;
