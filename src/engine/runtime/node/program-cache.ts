import { createHash } from 'node:crypto';
import { readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, MdetrError, messageOf } from '../../../errors.ts';
import { cacheFolder, environmentSetting } from '../../../files/cache-folder.ts';
import { packageRequire } from '../../../files/package-folder.ts';
import { isAbandoned, temporaryPath } from '../../../files/temporary-path.ts';
import type { Program } from '../../graph/program.ts';
import type { Runtime, WeightSource, WeightStorage } from '../runtime.ts';
import { INLINE_BYTES, WEIGHTS_FILE } from '../stored-weights.ts';
import { describeCompiled, writeCompiled, type CompiledFileOptions } from './compiled-files.ts';
import { isIntact, sealEntry } from './entry-seal.ts';
import { makeFolders } from '../../../files/make-folder.ts';

/** Maximum size of the cache in bytes: `MDETR_CACHE_GB`, or 20 GB. @throws {MdetrError} if it is not a number */
const capBytesFromEnvironment = (): number => {
  const setting = environmentSetting('MDETR_CACHE_GB');
  if (setting === undefined) return DEFAULT_CAP_BYTES;
  const gigabytes = Number(setting);
  if (!(gigabytes >= 0)) throw new MdetrError(`MDETR_CACHE_GB must be a number of gigabytes, got "${setting}"`);
  return gigabytes * 2 ** 30;
};

/** A compiled program in the cache. */
export interface CacheEntry {
  /** Name of its folder. */
  readonly key: string;
  /** Name of the program. */
  readonly program: string;
  /** Size of its files. */
  readonly bytes: number;
  /** Time of the last use. */
  readonly lastUsed: Date;
}

const MODEL_FILE = 'model.onnx';
/** Files of an entry. */
const ENTRY_FILES = { modelFile: MODEL_FILE, weightsFile: WEIGHTS_FILE, inlineBytes: INLINE_BYTES };
const SEALED_FILES = [MODEL_FILE, WEIGHTS_FILE];
/** Suffix of an empty file that is named after the program. */
const NAME_SUFFIX = '.name';
const DEFAULT_CAP_BYTES = 20 * 2 ** 30;
/** Age after which a temporary folder must belong to a process that died, perhaps on another machine. */
const STALE_AFTER_MS = 3_600_000;
/** Suffix of files beside the entries that name the entries of a model (`inference/node/known-programs.ts`). */
export const PROGRAMS_SUFFIX = '.programs.json';
/** Age after which such a file is removed; it is written again when it is missed. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3_600_000;

/** Version of the native ONNX Runtime, which may write optimized entries; `none` if only WebAssembly is installed. */
const ortVersion = (): string => {
  try {
    return (packageRequire('onnxruntime-node/package.json') as { version: string }).version;
  } catch {
    return 'none';
  }
};

const VERSIONS = `layout-3 ort-${ortVersion()} ${process.platform}-${process.arch}`;

/**
 * Cache of compiled programs with their weights on disk. The key is a digest of all inputs of the compilation. An entry is
 * a folder that is written under a temporary name and then renamed: processes may write the same entry concurrently, and a
 * killed process never leaves an incomplete one. ONNX Runtime maps the weights into memory, so that loading an entry reads
 * only the pages that are used.
 */
export class ProgramCache {
  /** Versions of the layout of entries, of ONNX Runtime, and the platform. */
  static readonly versions = VERSIONS;
  /** Folder of the cache. */
  readonly folder: string;
  private readonly capBytes: number;

  constructor(options: { readonly folder?: string; readonly capBytes?: number } = {}) {
    this.folder = options.folder ?? join(cacheFolder(), 'programs');
    this.capBytes = options.capBytes ?? capBytesFromEnvironment();
  }

  /**
   * Returns the path of the program's model file, which is compiled first if it is not in the cache.
   *
   * @param runtime computes derived weights
   * @param storage form in which the weights are stored; default: as they are
   * @throws {MdetrError} if the folder cannot be written, or a weight is missing or has another shape or dtype
   */
  async compile(program: Program, weights: WeightSource, runtime: Runtime, storage?: WeightStorage): Promise<string> {
    const hash = createHash('sha256').update(VERSIONS).update(weights.digest);
    if (storage !== undefined) hash.update(storage.name);
    const files = { ...ENTRY_FILES, storage, isForCpu: runtime.device === 'cpu' };
    for (const part of describeCompiled(program, files)) hash.update(part);
    const key = hash.digest('hex').slice(0, 40);
    const found = await this.find(key);
    if (found !== undefined) return found;
    const entry = join(this.folder, key);
    await this.write(program, weights, runtime, files, entry);
    await this.evict(key);
    return join(entry, MODEL_FILE);
  }

  /** Path of the model file of an entry, which counts as used; `undefined` if the cache does not have it. */
  async find(key: string): Promise<string | undefined> {
    const entry = join(this.folder, key);
    if (!(await this.isComplete(entry))) return undefined;
    const now = new Date();
    await utimes(entry, now, now).catch(() => undefined);
    return join(entry, MODEL_FILE);
  }

  /** Entries of the cache, most recently used first. */
  async entries(): Promise<CacheEntry[]> {
    const names = await readdir(this.folder).catch(() => []);
    const entries = await Promise.all(names.filter((name) => !name.startsWith('.')).map((name) => this.describe(name)));
    return entries.filter((entry) => entry !== undefined).sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
  }

  /** Removes entries; all of them without a filter. Returns the number of freed bytes. */
  async clear(filter: (entry: CacheEntry) => boolean = () => true): Promise<number> {
    let freed = 0;
    for (const entry of await this.entries()) {
      if (!filter(entry)) continue;
      await rm(join(this.folder, entry.key), { recursive: true, force: true });
      freed += entry.bytes;
    }
    await this.removeStale(0);
    return freed;
  }

  /** Whether an entry exists with the contents that were written. A damaged one (disk, edited files) is removed. */
  private async isComplete(entry: string): Promise<boolean> {
    if (!(await exists(join(entry, MODEL_FILE)))) return false;
    if (await isIntact(entry, SEALED_FILES)) return true;
    await this.onDisk(rm(entry, { recursive: true, force: true }));
    return false;
  }

  /** Waits for a file operation. Errors of other kinds are passed on. @throws {MdetrError} naming the folder and the setting that moves it */
  private async onDisk<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
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
      const program = files.find((file) => file.endsWith(NAME_SUFFIX))?.slice(0, -NAME_SUFFIX.length) ?? '?';
      return { key, program, bytes: sizes.reduce((a, b) => a + b, 0), lastUsed: mtime };
    } catch {
      return undefined; // removed by another process in the meantime
    }
  }

  private async write(
    program: Program,
    weights: WeightSource,
    runtime: Runtime,
    files: CompiledFileOptions,
    entry: string,
  ): Promise<void> {
    const temporary = temporaryPath(join(this.folder, '.entry'));
    await this.onDisk(makeFolders(temporary));
    try {
      await this.onDisk(writeCompiled(temporary, program, weights, runtime, files));
      await this.onDisk(writeFile(join(temporary, program.name.replaceAll(/[^\w.-]/g, '_') + NAME_SUFFIX), ''));
      await this.onDisk(sealEntry(temporary, SEALED_FILES));
      await this.onDisk(rename(temporary, entry));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      // Another process wrote the same entry first.
      if (!(await exists(join(entry, MODEL_FILE)))) throw error;
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

  private async removeStale(forgottenAfterMs = FORGOTTEN_AFTER_MS): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      const path = join(this.folder, name);
      const info = await stat(path).catch(() => undefined);
      if (name.endsWith(PROGRAMS_SUFFIX) && info !== undefined && Date.now() - info.mtimeMs >= forgottenAfterMs)
        await rm(path, { force: true });
      if (!name.startsWith('.')) continue;
      if (info !== undefined && (isAbandoned(name) || Date.now() - info.mtimeMs > STALE_AFTER_MS))
        await rm(path, { recursive: true, force: true });
    }
  }
}

const exists = async (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
