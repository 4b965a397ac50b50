import { MdetrError } from '../../errors.ts';
import type { NodeRuntimeOptions } from './node/node-runtime.ts';
import type { Runtime } from './runtime.ts';

export interface RuntimeOptions extends NodeRuntimeOptions {
  /** Runs on the calling thread, which does nothing else meanwhile: for threads that have nothing else to do. */
  readonly blocking?: boolean;
}

/**
 * The fastest runtime that this machine can load for a device: on the CPU the one that hands results on without copies,
 * where its native parts are installed; else the Node binding's.
 *
 * @throws {MdetrError} for a device that is not there
 */
export const createRuntime = async (options: RuntimeOptions = {}): Promise<Runtime> => {
  if ((options.device ?? 'cpu') === 'cpu') {
    try {
      const { NativeRuntime } = await import('./native/native-runtime.ts');
      return new NativeRuntime(options);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
    }
  }
  const { NodeRuntime } = await import('./node/node-runtime.ts');
  return new NodeRuntime(options);
};
