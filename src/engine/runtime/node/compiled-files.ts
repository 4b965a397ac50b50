import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostTensor } from '../../graph/dtype.ts';
import { parameterFrontier } from '../../graph/fold.ts';
import type { Program } from '../../graph/program.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { emitModel, type EmitOptions, type OnnxInitializer } from '../../onnx/index.ts';
import type { Runtime, WeightSource } from '../runtime.ts';
import { computeWeights, foldProgram, isDerived, layoutWeights } from '../stored-weights.ts';

/** How a program is written with its weights. */
export interface CompiledFileOptions extends Pick<EmitOptions, 'metadata' | 'documentation'> {
  readonly modelFile: string;
  /** Name of the file of weights beside the model file. */
  readonly weightsFile: string;
  /** Smaller values are stored in the model file. `Infinity` stores all of them there, without a weights file. */
  readonly inlineBytes: number;
}

/** Name of the file of weights that belongs to an ONNX file which stores them outside of it, as the hub names it. */
export const externalDataName = (modelFile: string): string => `${modelFile}_data`;

/** Two byte strings that change whenever the files of a program change, weights aside. */
export const describeCompiled = (program: Program, { weightsFile, inlineBytes }: CompiledFileOptions): Uint8Array[] => {
  const storedTensors = parameterFrontier(program);
  const layout = layoutWeights(storedTensors, weightsFile, inlineBytes);
  const stored = new Map(storedTensors.map((tensor, index) => [tensor, layout.external[index]!]));
  // The model has only the names and shapes of derived weights; the folding program has their computation.
  return [emitModel(program, { stored }), emitModel(foldProgram(storedTensors.filter(isDerived)))];
};

/** Bytes of a program's weights, those that are derived from parameters included. */
export const weightBytesOf = (program: Program): number =>
  layoutWeights(parameterFrontier(program), '', 0).external.reduce(
    (sum, initializer) => sum + ('external' in initializer ? initializer.external.length : 0),
    0,
  );

/**
 * Writes a program with its weights as an ONNX file and, if it stores weights outside of it, a file of weights that can be
 * mapped into memory. One group of weights is in memory at a time.
 *
 * @param runtime computes derived weights
 * @throws {MdetrError} if a weight is missing or has another shape or dtype
 */
export const writeCompiled = async (
  folder: string,
  program: Program,
  weights: WeightSource,
  runtime: Runtime,
  { modelFile, weightsFile, inlineBytes, ...options }: CompiledFileOptions,
): Promise<void> => {
  const storedTensors = parameterFrontier(program);
  const layout = layoutWeights(storedTensors, weightsFile, inlineBytes);
  const inline = new Map<Tensor, HostTensor>();
  const file = inlineBytes === Infinity ? undefined : await open(join(folder, weightsFile), 'w');
  try {
    for await (const [tensor, value] of computeWeights(storedTensors, weights, runtime)) {
      const offset = layout.offsets.get(tensor);
      if (offset === undefined || file === undefined) inline.set(tensor, value);
      else await writeAt(file, value, offset);
    }
    await file?.sync();
  } finally {
    await file?.close();
  }
  const stored = new Map(
    storedTensors.map((tensor, index): [Tensor, OnnxInitializer] => {
      const value = inline.get(tensor);
      const external = layout.external[index]!;
      return [tensor, value === undefined ? external : { name: external.name, value }];
    }),
  );
  await writeFile(join(folder, modelFile), emitModel(program, { ...options, stored }), { flush: true });
};

const writeAt = async (file: FileHandle, value: HostTensor, offset: number): Promise<void> => {
  const bytes = new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength);
  let written = 0;
  // Linux writes at most 2 GiB in one call.
  while (written < bytes.length)
    written += (await file.write(bytes, written, Math.min(bytes.length - written, 2 ** 30), offset + written))
      .bytesWritten;
};
