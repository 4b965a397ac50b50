import type { HostTensor } from '../../graph/dtype.ts';
import { parameterFrontier } from '../../graph/fold.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { emitModel, type OnnxInitializer } from '../../onnx/index.ts';
import { computeWeights, layoutWeights, WEIGHTS_FILE } from '../stored-weights.ts';
import type { CompileWithWeights } from './web-runtime.ts';

/** Combines a program with its weights in memory, for platforms without files. */
export const compileInMemory: CompileWithWeights = async (program, weights, runtime) => {
  const storedTensors = parameterFrontier(program);
  const { external, offsets, bytes } = layoutWeights(storedTensors);
  const data = new Uint8Array(bytes);
  const inline = new Map<Tensor, HostTensor>();
  for await (const [tensor, value] of computeWeights(storedTensors, weights, runtime)) {
    const offset = offsets.get(tensor);
    if (offset === undefined) inline.set(tensor, value);
    else data.set(new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength), offset);
  }
  const stored = new Map(
    storedTensors.map((tensor, index): [Tensor, OnnxInitializer] => {
      const value = inline.get(tensor);
      return [tensor, value === undefined ? external[index]! : { name: external[index]!.name, value }];
    }),
  );
  return { model: emitModel(program, { stored }), weights: { path: WEIGHTS_FILE, data } };
};
