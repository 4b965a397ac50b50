import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { HostTensor } from '../../graph/dtype.ts';
import { parameterFrontier } from '../../graph/fold.ts';
import type { Program } from '../../graph/program.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { emitModel, type EmitOptions, type EncodedInitializer, type OnnxInitializer } from '../../onnx/index.ts';
import type { Runtime, WeightSource, WeightStorage } from '../runtime.ts';
import {
  byteLengthOf,
  computeWeights,
  foldProgram,
  isDerived,
  layoutWeights,
  storeWeight,
  WEIGHT_ALIGNMENT,
  type StoreInitializer,
} from '../stored-weights.ts';

/** How a program is written with its weights. */
export interface CompiledFileOptions extends Pick<EmitOptions, 'metadata' | 'documentation' | 'isForCpu'> {
  readonly modelFile: string;
  /** Name of the file of weights beside the model file. */
  readonly weightsFile: string;
  /** Smaller values are stored in the model file. `Infinity` stores all of them there, without a weights file. */
  readonly inlineBytes: number;
  /** Form in which weights are stored. Default: as they are. */
  readonly storage?: WeightStorage | undefined;
}

/** Name of the file of weights that belongs to an ONNX file which stores them outside of it, as the hub names it. */
export const externalDataName = (modelFile: string): string => `${modelFile}_data`;

/** Two byte strings that change whenever the files of a program change, weights aside. */
export const describeCompiled = (
  program: Program,
  { weightsFile, inlineBytes, isForCpu }: CompiledFileOptions,
): Uint8Array[] => {
  const storedTensors = parameterFrontier(program);
  const layout = layoutWeights(storedTensors, weightsFile, inlineBytes);
  const stored = new Map(storedTensors.map((tensor, index) => [tensor, layout.external[index]!]));
  // The model has only the names and shapes of derived weights; the folding program has their computation.
  return [emitModel(program, { stored, isForCpu }), emitModel(foldProgram(storedTensors.filter(isDerived)))];
};

/** Bytes of a program's weights, those that are derived from parameters included. */
export const weightBytesOf = (program: Program): number =>
  parameterFrontier(program).reduce((sum, tensor) => sum + byteLengthOf(tensor), 0);

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
  { modelFile, weightsFile, inlineBytes, storage, ...options }: CompiledFileOptions,
): Promise<void> => {
  const storedTensors = parameterFrontier(program);
  const { external } = layoutWeights(storedTensors, weightsFile, inlineBytes);
  const names = external.map(({ name }) => name);
  const nameOf = new Map(storedTensors.map((tensor, index) => [tensor, names[index]!]));
  const stored = new Map<Tensor, OnnxInitializer | EncodedInitializer>();
  const file = inlineBytes === Infinity ? undefined : await WeightsFile.create(join(folder, weightsFile));
  try {
    for await (const [tensor, weight] of computeWeights(storedTensors, weights, runtime)) {
      const store: StoreInitializer = async (name, value) =>
        file === undefined || value.data.byteLength < inlineBytes ? { name, value } : file.store(name, value);
      stored.set(tensor, await storeWeight(nameOf.get(tensor)!, weight, names, storage, store));
    }
    await file?.sync();
  } finally {
    await file?.close();
  }
  await writeFile(join(folder, modelFile), emitModel(program, { ...options, stored }), { flush: true });
};

/** A file of weights, each aligned to a page so that the file can be mapped into memory. */
class WeightsFile {
  private position = 0;

  private constructor(
    private readonly handle: FileHandle,
    private readonly location: string,
  ) {}

  static async create(path: string): Promise<WeightsFile> {
    return new WeightsFile(await open(path, 'w'), basename(path));
  }

  async store(name: string, { dtype, shape, data }: HostTensor): Promise<OnnxInitializer> {
    const offset = this.position;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    let written = 0;
    // Linux writes at most 2 GiB in one call.
    while (written < bytes.length)
      written += (await this.handle.write(bytes, written, Math.min(bytes.length - written, 2 ** 30), offset + written))
        .bytesWritten;
    this.position = offset + Math.ceil(bytes.length / WEIGHT_ALIGNMENT) * WEIGHT_ALIGNMENT;
    return { name, dtype, shape, external: { location: this.location, offset, length: bytes.length } };
  }

  sync(): Promise<void> {
    return this.handle.sync();
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
