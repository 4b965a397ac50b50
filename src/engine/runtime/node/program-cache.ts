import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MdetrError, messageOf } from '../../../errors.ts';
import { cacheFolder, environmentSetting } from '../../../files/cache-folder.ts';
import { parameterFrontier } from '../../graph/fold.ts';
import type { HostTensor } from '../../graph/dtype.ts';
import type { Program } from '../../graph/program.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { emitModel, type OnnxInitializer } from '../../onnx/index.ts';
import type { Runtime, WeightSource } from '../runtime.ts';
import { computeWeights, foldProgram, isDerived, layOut, weightsFile, type WeightLayout } from './stored-weights.ts';

/** How many bytes the programs may take: `MDETR_CACHE_GB`, or 20 GB. Throws `MdetrError` when it is no number. */
const capFromSettings = (): number => {
  const text = environmentSetting('MDETR_CACHE_GB');
  if (text === undefined) return defaultCapBytes;
  const gigabytes = Number(text);
  if (!(gigabytes >= 0)) throw new MdetrError(`MDETR_CACHE_GB must be a number of gigabytes, got "${text}"`);
  return gigabytes * 2 ** 30;
};

export interface CacheEntry {
  readonly key: string;
  readonly program: string;
  readonly bytes: number;
  readonly lastUsed: Date;
}

const modelFile = 'model.onnx';
/** An empty file whose name tells the program's. */
const nameEnding = '.name';
const defaultCapBytes = 20 * 2 ** 30;
/** Left behind by a process that died; nobody writes for longer than this. */
const staleAfterMs = 3_600_000;

/** Version of the native ONNX Runtime, which may write optimized entries; `none` if only WebAssembly is installed. */
const ortVersion = (): string => {
  try {
    const require = createRequire(import.meta.url);
    return (require('onnxruntime-node/package.json') as { version: string }).version;
  } catch {
    return 'none';
  }
};

const versions = `layout-1 ort-${ortVersion()} ${process.platform}-${process.arch}`;

/**
 * Programs with their weights on disk, under a key made of everything that went into them. An entry is a folder that
 * appears by one rename, so that two processes may make the same one at once and a killed one leaves none that is
 * taken for whole. ONNX Runtime maps the weights, so that a second start reads only what it touches.
 */
export class ProgramCache {
  readonly folder: string;
  private readonly capBytes: number;

  constructor(options: { readonly folder?: string; readonly capBytes?: number } = {}) {
    this.folder = options.folder ?? join(cacheFolder(), 'programs');
    this.capBytes = options.capBytes ?? capFromSettings();
  }

  /**
   * The path of the program's model file, made now if it is not there. `runtime` computes derived weights.
   * Throws `MdetrError` when the folder cannot be written.
   */
  async compile(program: Program, weights: WeightSource, runtime: Runtime): Promise<string> {
    const frontier = parameterFrontier(program);
    const layout = layOut(frontier);
    const model = emitModel(program, {
      stored: new Map(frontier.map((tensor, index) => [tensor, layout.external[index]!])),
    });
    // The model has the names and sizes of derived weights; how they are made stands in the program that folds them.
    const fold = emitModel(foldProgram(frontier.filter(isDerived)));
    const hash = createHash('sha256').update(versions).update(weights.digest);
    const key = hash.update(model).update(fold).digest('hex').slice(0, 40);
    const entry = join(this.folder, key);
    const path = join(entry, modelFile);
    if (await this.isWhole(entry, layout)) {
      const now = new Date();
      await utimes(entry, now, now).catch(() => undefined);
      return path;
    }
    await this.write(program, frontier, layout, weights, runtime, entry);
    await this.evict(key);
    return path;
  }

  async entries(): Promise<CacheEntry[]> {
    const names = await readdir(this.folder).catch(() => []);
    const entries = await Promise.all(names.filter((name) => !name.startsWith('.')).map((name) => this.describe(name)));
    return entries.filter((entry) => entry !== undefined).sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  }

  /** Removes entries; all of them without a filter. Returns how many bytes that freed. */
  async clear(filter: (entry: CacheEntry) => boolean = () => true): Promise<number> {
    let freed = 0;
    for (const entry of await this.entries()) {
      if (!filter(entry)) continue;
      await rm(join(this.folder, entry.key), { recursive: true, force: true });
      freed += entry.bytes;
    }
    await this.removeStale();
    return freed;
  }

  /** Whether an entry is there with all its bytes. What a full disk or a hand has damaged is removed. */
  private async isWhole(entry: string, layout: WeightLayout): Promise<boolean> {
    if (!(await exists(join(entry, modelFile)))) return false;
    const weightBytes = await stat(join(entry, weightsFile)).then(
      ({ size }) => size,
      () => -1,
    );
    if (weightBytes === layout.bytes) return true;
    await this.onDisk(rm(entry, { recursive: true, force: true }));
    return false;
  }

  /** Work on the cache's files, with an error that says how to have the cache elsewhere. */
  private async onDisk<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw new MdetrError(
        `cannot write to the cache folder "${this.folder}": ${messageOf(error)}. ` +
          'Set MDETR_CACHE to a folder that can be written and has room for the weights.',
        { cause: error },
      );
    }
  }

  private async describe(key: string): Promise<CacheEntry | undefined> {
    const folder = join(this.folder, key);
    try {
      const { mtime } = await stat(folder);
      const files = await readdir(folder);
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
      const program = files.find((file) => file.endsWith(nameEnding))?.slice(0, -nameEnding.length) ?? '?';
      return { key, program, bytes: sizes.reduce((a, b) => a + b, 0), lastUsed: mtime };
    } catch {
      return undefined; // removed by another process meanwhile
    }
  }

  private async write(
    program: Program,
    frontier: readonly Tensor[],
    layout: WeightLayout,
    weights: WeightSource,
    runtime: Runtime,
    entry: string,
  ): Promise<void> {
    const temporary = join(this.folder, `.${process.pid}-${randomBytes(6).toString('hex')}`);
    await this.onDisk(mkdir(temporary, { recursive: true }));
    try {
      const file = await this.onDisk(open(join(temporary, weightsFile), 'w'));
      const inline = new Map<Tensor, HostTensor>();
      try {
        for await (const [tensor, value] of computeWeights(frontier, weights, runtime)) {
          const external = layout.offsets.get(tensor);
          if (external === undefined) inline.set(tensor, value);
          else await this.onDisk(writeAt(file, value, external));
        }
        await this.onDisk(file.sync());
      } finally {
        await file.close();
      }
      const stored = new Map(
        frontier.map((tensor, index): [Tensor, OnnxInitializer] => {
          const value = inline.get(tensor);
          return [
            tensor,
            value === undefined ? layout.external[index]! : { name: layout.external[index]!.name, value },
          ];
        }),
      );
      await this.onDisk(writeFile(join(temporary, modelFile), emitModel(program, { stored }), { flush: true }));
      await this.onDisk(writeFile(join(temporary, program.name.replaceAll(/[^\w.-]/g, '_') + nameEnding), ''));
      await this.onDisk(rename(temporary, entry));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      // Another process was faster: its entry is as good as ours.
      if (!(await exists(join(entry, modelFile)))) throw error;
    }
  }

  private async evict(keep: string): Promise<void> {
    const entries = await this.entries();
    let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const entry of entries.reverse()) {
      if (total <= this.capBytes) break;
      if (entry.key === keep) continue;
      await rm(join(this.folder, entry.key), { recursive: true, force: true });
      total -= entry.bytes;
    }
    await this.removeStale();
  }

  private async removeStale(): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      if (!name.startsWith('.')) continue;
      const path = join(this.folder, name);
      const info = await stat(path).catch(() => undefined);
      if (info !== undefined && Date.now() - info.mtimeMs > staleAfterMs)
        await rm(path, { recursive: true, force: true });
    }
  }
}

const writeAt = async (file: FileHandle, value: HostTensor, offset: number): Promise<void> => {
  const bytes = new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength);
  let written = 0;
  // Linux writes at most 2 GiB in one call.
  while (written < bytes.length)
    written += (await file.write(bytes, written, Math.min(bytes.length - written, 2 ** 30), offset + written))
      .bytesWritten;
};

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
