import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { temporaryPath } from '../../../files/temporary-path.ts';
import { WEIGHTS_FILE } from '../stored-weights.ts';
import { firstCore } from './cpu-info.ts';
import { isIntact, sealedNames, sealEntry } from './entry-seal.ts';

/**
 * Maximum size of the weights of a program that is stored optimized. ONNX Runtime reorders the filters of convolutions, which are
 * then stored a second time; and of large programs, reading the weights takes longer than optimizing.
 */
const MAX_WEIGHT_BYTES = 2 ** 25;

const WEIGHTS_SUFFIX = '.bin';

/** Version of the files: those of another one are not read. */
const LAYOUT = '2';

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

/** Files that ONNX Runtime shall write an optimized program to. */
export interface OptimizedFiles {
  /** Temporary path of the model file. */
  readonly model: string;
  /** Name of the file of weights in the same folder, which the model file refers to. */
  readonly weights: string;
}

/**
 * Result of ONNX Runtime's optimizer for a program in the cache, stored beside it: reading it takes half the time of creating a
 * session. It is valid for one kind of CPU only. Its weights are a file of their own, which ONNX Runtime maps into memory instead of
 * copying them.
 */
export class OptimizedProgram {
  private readonly folder: string;
  private readonly name: string;

  /** @param modelPath model file of an entry of the cache */
  constructor(modelPath: string) {
    const digest = createHash('sha256').update(LAYOUT).update(cpuKind()).digest('hex').slice(0, 16);
    this.folder = dirname(modelPath);
    this.name = `optimized-${digest}`;
  }

  /** Path of the optimized program; undefined if it is not stored, or damaged. */
  async find(): Promise<string | undefined> {
    const names = await sealedNames(this.folder, this.seal);
    const isStored = names.includes(this.model) && (await isIntact(this.folder, names, this.seal));
    return isStored ? join(this.folder, this.model) : undefined;
  }

  /** Files in which it can be stored; undefined for programs that are not worth it. */
  async newFiles(): Promise<OptimizedFiles | undefined> {
    try {
      const { size } = await stat(join(this.folder, WEIGHTS_FILE));
      if (size > MAX_WEIGHT_BYTES) return undefined;
    } catch {
      return undefined; // The weights are in the model file, or another process has evicted the entry.
    }
    const weights = `${this.name}-${randomBytes(8).toString('hex')}${WEIGHTS_SUFFIX}`;
    return { model: temporaryPath(join(this.folder, this.model)), weights };
  }

  /** Keeps new files. A folder that cannot be written only costs time at the next start. */
  async keep({ model, weights }: OptimizedFiles): Promise<void> {
    try {
      await rename(model, join(this.folder, this.model));
      // Programs with small weights have none in a file.
      const isThere = (await readdir(this.folder)).includes(weights);
      await sealEntry(this.folder, isThere ? [this.model, weights] : [this.model], this.seal);
      await this.removeWeights(weights);
    } catch {
      await this.discard({ model, weights });
    }
  }

  /** Removes new files that are of no use. */
  async discard({ model, weights }: OptimizedFiles): Promise<void> {
    await removeFile(model);
    await removeFile(join(this.folder, weights));
  }

  /** Removes the optimized program, since ONNX Runtime cannot read it. */
  async remove(): Promise<void> {
    await removeFile(join(this.folder, this.model));
    await this.removeWeights();
  }

  private get model(): string {
    return `${this.name}.onnx`;
  }

  private get seal(): string {
    return `${this.name}.json`;
  }

  /** Removes weights of earlier versions, and of processes that were killed. */
  private async removeWeights(kept?: string): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => []))
      if (name.startsWith(`${this.name}-`) && name.endsWith(WEIGHTS_SUFFIX) && name !== kept)
        await removeFile(join(this.folder, name));
  }
}

const removeFile = (path: string): Promise<void> => rm(path, { force: true }).catch(() => undefined);
