import { existsSync } from 'node:fs';
import { UsageError } from '../../../errors.ts';
import { leafName, type Program, type ProgramInput } from '../../graph/program.ts';
import { emitModel } from '../../onnx/index.ts';
import type { LoadOptions, Runtime, Session } from '../runtime.ts';
import type { ProgramCache } from './program-cache.ts';

/** Creates a session from a model, given as bytes or as the path of a file. */
export type CreateSession = (
  program: Program,
  model: Uint8Array | string,
  inputs: readonly ProgramInput[],
) => Promise<Session>;

/** Loads a program. A compiled one is loaded as it is. With weights, it is compiled into the cache if necessary; without, its parameters are inputs. */
export const loadProgram = async (
  program: Program,
  { weights, storage, compiled }: LoadOptions,
  cache: ProgramCache,
  runtime: Runtime,
  create: CreateSession,
): Promise<Session> => {
  if (typeof compiled === 'string') return create(program, compiled, program.inputs);
  if (compiled !== undefined) {
    if (compiled.weights !== undefined)
      throw new UsageError(`program "${program.name}": weights in a file of their own need the path of the ONNX file`);
    return create(program, compiled.model, program.inputs);
  }
  if (weights === undefined)
    return create(program, emitModel(program, { isForCpu: runtime.device === 'cpu' }), [
      ...program.inputs,
      ...program.parameters.map((tensor) => ({ name: leafName(tensor), tensor })),
    ]);
  for (let attempt = 1; ; attempt++) {
    const path = await cache.compile(program, weights, runtime, storage);
    try {
      return await create(program, path, program.inputs);
    } catch (error) {
      // Another process may have evicted the entry after it was found.
      if (attempt > 1 || existsSync(path)) throw error;
    }
  }
};
