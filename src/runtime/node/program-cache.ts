import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { parameterFrontier } from '../../graph/fold.ts';
import { bytesPerElement, type HostTensor } from '../../graph/dtype.ts';
import { leafName, makeProgram, type Program } from '../../graph/program.ts';
import { staticShape, type Tensor } from '../../graph/tensor.ts';
import { emitModel, type OnnxInitializer } from '../../onnx/index.ts';
import type { Runtime, WeightSource } from '../runtime.ts';

/** The folder for everything that can be made again: `MDETR_CACHE`, or the system's cache folder. */
export const cacheFolder = (): string => process.env['MDETR_CACHE'] ?? envPaths('mdetr', { suffix: '' }).cache;

export interface CacheEntry {
  readonly key: string;
  readonly program: string;
  readonly bytes: number;
  readonly lastUsed: Date;
}

const modelFile = 'model.onnx';
const weightsFile = 'weights.bin';
/** Pages of this size are what the operating system maps. */
const alignment = 4096;
/** Values smaller than this stay in the model file, where ONNX Runtime can compute with them while loading. */
const inlineBytes = 1024;
/** How many bytes of parameters are transformed in one go. */
const foldBytes = 64 * 2 ** 20;
const defaultCapBytes = 20 * 2 ** 30;
/** Left behind by a process that died; nobody writes for longer than this. */
const staleAfterMs = 3_600_000;

const byteLengthOf = (tensor: Tensor): number =>
  staticShape(tensor).reduce((product, size) => product * size, bytesPerElement[tensor.dtype]);

const versions = ((): string => {
  const require = createRequire(import.meta.url);
  const ort = require('onnxruntime-node/package.json') as { version: string };
  return `layout-1 ort-${ort.version} ${process.platform}-${process.arch}`;
})();

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
    this.capBytes = options.capBytes ?? Number(process.env['MDETR_CACHE_GB'] ?? defaultCapBytes / 2 ** 30) * 2 ** 30;
  }

  /** The path of the program's model file, made now if it is not there. `runtime` computes derived weights. */
  async compile(program: Program, weights: WeightSource, runtime: Runtime): Promise<string> {
    const frontier = parameterFrontier(program);
    const layout = layOut(frontier);
    const model = emitModel(program, {
      stored: new Map(frontier.map((tensor, index) => [tensor, layout.external[index]!])),
    });
    const key = createHash('sha256').update(versions).update(weights.digest).update(model).digest('hex').slice(0, 40);
    const entry = join(this.folder, key);
    const path = join(entry, modelFile);
    if (await exists(path)) {
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

  private async describe(key: string): Promise<CacheEntry | undefined> {
    const folder = join(this.folder, key);
    try {
      const { mtime } = await stat(folder);
      const files = await readdir(folder);
      const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
      const program = files.find((file) => file.endsWith('.name'))?.slice(0, -'.name'.length) ?? '?';
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
    await mkdir(temporary, { recursive: true });
    try {
      const file = await open(join(temporary, weightsFile), 'w');
      const inline = new Map<Tensor, HostTensor>();
      try {
        for await (const [tensor, value] of computeWeights(frontier, weights, runtime)) {
          const external = layout.offsets.get(tensor);
          if (external === undefined) inline.set(tensor, value);
          else await writeAt(file, value, external);
        }
        await file.sync();
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
      await writeFile(join(temporary, modelFile), emitModel(program, { stored }), { flush: true });
      await writeFile(join(temporary, `${program.name}.name`), '');
      await rename(temporary, entry);
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

interface WeightLayout {
  /** As many as there are tensors; those too small for a place of their own become inline when they are written. */
  readonly external: readonly (OnnxInitializer & { readonly name: string })[];
  readonly offsets: ReadonlyMap<Tensor, number>;
}

const layOut = (frontier: readonly Tensor[]): WeightLayout => {
  const offsets = new Map<Tensor, number>();
  let offset = 0;
  const external = frontier.map((tensor, index) => {
    const length = byteLengthOf(tensor);
    if (length >= inlineBytes) {
      offsets.set(tensor, offset);
      offset += Math.ceil(length / alignment) * alignment;
    }
    const name = tensor.node.kind === 'parameter' ? leafName(tensor) : `derived.${index}`;
    return {
      name,
      dtype: tensor.dtype,
      shape: staticShape(tensor),
      external: { location: weightsFile, offset: offsets.get(tensor) ?? 0, length },
    };
  });
  return { external, offsets };
};

/** The values of parameters, and of what is made of them, a bounded number of bytes at a time. */
async function* computeWeights(
  frontier: readonly Tensor[],
  weights: WeightSource,
  runtime: Runtime,
): AsyncGenerator<[Tensor, HostTensor]> {
  let group: Tensor[] = [];
  let groupBytes = 0;
  for (const tensor of frontier) {
    if (tensor.node.kind === 'parameter') {
      yield [tensor, await weights.read(leafName(tensor))];
      continue;
    }
    group.push(tensor);
    groupBytes += byteLengthOf(tensor);
    if (groupBytes >= foldBytes) {
      yield* computeGroup(group, weights, runtime);
      group = [];
      groupBytes = 0;
    }
  }
  if (group.length > 0) yield* computeGroup(group, weights, runtime);
}

async function* computeGroup(
  group: readonly Tensor[],
  weights: WeightSource,
  runtime: Runtime,
): AsyncGenerator<[Tensor, HostTensor]> {
  const program = makeProgram('fold', Object.fromEntries(group.map((tensor, index) => [`out${index}`, tensor])));
  const feeds: Record<string, HostTensor> = {};
  for (const leaf of program.parameters) feeds[leafName(leaf)] = await weights.read(leafName(leaf));
  const session = await runtime.load(program);
  try {
    const results = await session.run(feeds);
    for (const [index, tensor] of group.entries()) yield [tensor, results[`out${index}`]!];
  } finally {
    await session.dispose();
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
