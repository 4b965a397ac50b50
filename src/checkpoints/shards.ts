import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileReason, MdetrError, quoted } from '../errors.ts';
import type { Checkpoint, TensorTotals } from './checkpoint.ts';
import type { TensorEntry } from './tensor-entry.ts';

/** Maximum size of an index. It has about 100 bytes per tensor. */
const MAX_INDEX_BYTES = 32 * 2 ** 20;
/** Maximum number of shards. All are open at the same time. */
const MAX_SHARDS = 256;

/** Whether a path is the index of a sharded weight file (`model.safetensors.index.json`, `pytorch_model.bin.index.json`). */
export const isShardIndex = (path: string): boolean => path.endsWith('.index.json');

/**
 * Opens the shards of a weight file, as the Hugging Face hub splits large ones, as one checkpoint.
 * @param open opens a shard
 * @throws {MdetrError} if the index is damaged, or a shard or one of its tensors is missing
 */
export const openShards = async (path: string, open: (shard: string) => Promise<Checkpoint>): Promise<Checkpoint> => {
  const shardOf = await readIndex(path);
  const shards = new Map<string, Checkpoint>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const name of new Set(shardOf.values())) shards.set(name, await open(join(dirname(path), name)));
    const tensors = new Map<string, TensorEntry>();
    for (const [name, shard] of shardOf) {
      const entry = shards.get(shard)!.tensors.get(name);
      if (entry === undefined)
        throw new MdetrError(`${path}: tensor ${quoted(name)} is not in its shard ${quoted(shard)}`);
      tensors.set(name, entry);
    }
    const unlisted = [...shards.values()]
      .flatMap((shard) => [...shard.tensors.keys()])
      .find((name) => !tensors.has(name));
    if (unlisted !== undefined) {
      throw new MdetrError(
        `${path}: tensor ${quoted(unlisted)} of a shard is not in the index; the two do not belong together`,
      );
    }
    const [first] = shards.values();
    return {
      path,
      format: first!.format,
      tensors,
      weights: first!.weights,
      contents: { model: totalOf([...shards.values()]), others: [], notTensors: [] },
      args: first!.args,
      metadata: first!.metadata,
      files: [path, ...[...shards.values()].flatMap((shard) => shard.files)],
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Reads the index: the name of the shard of every tensor. Shards lie beside the index. */
const readIndex = async (path: string): Promise<ReadonlyMap<string, string>> => {
  const refuse = (what: string, cause?: unknown): MdetrError =>
    new MdetrError(`${path}: damaged index of a sharded weight file: ${what}`, { cause });
  let map: unknown;
  try {
    const info = await stat(path);
    if (!info.isFile() || info.size > MAX_INDEX_BYTES) throw refuse(`${info.size} bytes are no index`);
    map = (JSON.parse(await readFile(path, 'utf8')) as { weight_map?: unknown } | null)?.weight_map;
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw error instanceof SyntaxError
      ? refuse('it is not JSON', error)
      : new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw refuse('it has no "weight_map"');
  const shardOf = new Map<string, string>(
    Object.entries(map as Record<string, unknown>).map(([name, shard]) => {
      const isName = typeof shard === 'string' && shard !== '' && shard.length <= 255 && !isShardIndex(shard);
      if (!isName || basename(shard) !== shard || shard.includes('\\') || shard.includes('\0') || shard === '..') {
        throw refuse(`the shard of ${quoted(name)} is not the name of a weight file beside it`);
      }
      return [name, shard];
    }),
  );
  if (shardOf.size === 0) throw refuse('its "weight_map" is empty');
  if (new Set(shardOf.values()).size > MAX_SHARDS) throw refuse(`more than ${MAX_SHARDS} shards`);
  return shardOf;
};

const totalOf = (shards: readonly Checkpoint[]): TensorTotals => {
  const totals = shards.map(({ contents }) => contents.model ?? { tensors: 0, elements: 0, bytes: 0 });
  return totals.reduce((a, b) => ({
    tensors: a.tensors + b.tensors,
    elements: a.elements + b.elements,
    bytes: a.bytes + b.bytes,
  }));
};
