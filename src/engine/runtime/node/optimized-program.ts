import { createHash } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { temporaryPath } from '../../../files/temporary-path.ts';
import { WEIGHTS_FILE } from '../stored-weights.ts';
import { firstCore } from './cpu-info.ts';
import { isIntact, sealEntry } from './entry-seal.ts';

/**
 * Maximum size of the weights of a program that is stored optimized. ONNX Runtime reorders the filters of convolutions, which are
 * then stored a second time; and of large programs, reading the weights takes longer than optimizing.
 */
const MAX_WEIGHT_BYTES = 2 ** 25;

/** Fields that tell apart the CPUs for which ONNX Runtime optimizes programs. */
const CPU_FIELDS = /^(?:vendor_id|cpu family|model|model name|stepping|flags|Features|CPU \w+)\s*:.*$/gm;

/** Text that identifies the kind of CPU. */
const cpuKind = (): string => {
  try {
    const fields = firstCore().match(CPU_FIELDS);
    if (fields !== null) return fields.join('\n');
  } catch {
    // Not Linux.
  }
  return cpus()[0]?.model ?? '';
};

/**
 * Result of ONNX Runtime's optimizer for a program in the cache, stored beside it: reading it takes half the time of creating a
 * session. It is valid for one kind of CPU only.
 */
export class OptimizedProgram {
  private readonly path: string;
  private readonly seal: string;

  /** @param modelPath model file of an entry of the cache */
  constructor(private readonly modelPath: string) {
    const digest = createHash('sha256').update(cpuKind()).digest('hex').slice(0, 16);
    this.path = join(dirname(modelPath), `optimized-${digest}.onnx`);
    this.seal = `optimized-${digest}.json`;
  }

  /** Path of the optimized program; undefined if it is not stored, or damaged. */
  async find(): Promise<string | undefined> {
    return (await isIntact(dirname(this.path), [basename(this.path)], this.seal)) ? this.path : undefined;
  }

  /** Temporary path at which it can be stored; undefined for programs that are not worth it. */
  async newPath(): Promise<string | undefined> {
    try {
      const { size } = await stat(join(dirname(this.modelPath), WEIGHTS_FILE));
      return size <= MAX_WEIGHT_BYTES ? temporaryPath(this.path) : undefined;
    } catch {
      return undefined; // The weights are in the model file, or another process has evicted the entry.
    }
  }

  /** Keeps the file at a temporary path. A folder that cannot be written only costs time at the next start. */
  async keep(temporary: string): Promise<void> {
    try {
      await rename(temporary, this.path);
      await sealEntry(dirname(this.path), [basename(this.path)], this.seal);
    } catch {
      await this.remove(temporary);
    }
  }

  /** Removes a file that is of no use: by default the optimized program, since ONNX Runtime cannot read it. */
  async remove(path = this.path): Promise<void> {
    await rm(path, { force: true }).catch(() => undefined);
  }
}
