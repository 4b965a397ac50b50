import { BPE } from '@huggingface/tokenizers';
import type { AddedToken } from './added-tokens.ts';
import { ByteLevelBpe, type BpeTable, type ByteLevelBpeConfig } from './byte-level.ts';
import type { TokenizerDefinition } from './tokenizer-json.ts';

/**
 * Byte-level BPE as arrays of numbers: a file of them is used as it is, where building the maps of 50,000 tokens and 50,000 merges from
 * text takes 0.15 s of processor time. Only what {@link packBpe} made, of a vocabulary that was checked, may be unpacked.
 */

/** Version of the layout; other ones are made again. */
export const PACKED_BPE_VERSION = 1;

/** Words above this length are left to the library, whose time grows more slowly with the length. */
const LONGEST_MERGED_WORD = 64;

/** Bytes of an element; sections begin at multiples. */
const ALIGNMENT = 8;

/** Everything beside the tables. */
interface Head {
  readonly version: number;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;
  readonly unkId: number | null;
  readonly addedTokens: readonly AddedToken[];
  /** Number of ids, of tokens, of merges and of UTF-16 units of all tokens. */
  readonly counts: readonly [ids: number, tokens: number, merges: number, units: number];
}

/** Tables in the order of the file. */
interface Tables {
  /** First UTF-16 unit of the token of each id, and the end of the last one. */
  readonly starts: Uint32Array;
  /** Ids in the order of their tokens' UTF-16 units. */
  readonly sorted: Uint32Array;
  /** Pairs of ids that are merged, left · number of ids + right, in ascending order. */
  readonly pairs: Float64Array;
  /** Rank of each pair. */
  readonly ranks: Uint32Array;
  readonly units: Uint16Array;
}

/** Packs a vocabulary of byte-level BPE. */
export const packBpe = (
  { vocabulary, bosId, eosId, padId, addedTokens }: TokenizerDefinition,
  { vocab, merges, unkId }: ByteLevelBpeConfig,
): Uint8Array => {
  const ids = vocabulary.length;
  const byToken = [...vocab].sort(([a], [b]) => (a < b ? -1 : 1));
  const rankOf = new Map(merges.map(([left, right], rank) => [vocab.get(left)! * ids + vocab.get(right)!, rank]));
  const byPair = [...rankOf].sort(([a], [b]) => a - b);
  const text = Array.from({ length: ids }, (_, id) => vocabulary.at(id) ?? '');
  const counts = [ids, byToken.length, byPair.length, text.reduce((sum, { length }) => sum + length, 0)] as const;
  const head: Head = { version: PACKED_BPE_VERSION, bosId, eosId, padId, unkId: unkId ?? null, addedTokens, counts };
  const headBytes = new TextEncoder().encode(JSON.stringify(head));
  const start = aligned(4 + headBytes.byteLength);
  const bytes = new Uint8Array(start + sizeOf(counts));
  new DataView(bytes.buffer).setUint32(0, headBytes.byteLength, true);
  bytes.set(headBytes, 4);
  const { starts, sorted, pairs, ranks, units } = tablesAt(bytes.buffer, start, counts);
  let unit = 0;
  text.forEach((token, id) => {
    starts[id] = unit;
    for (let index = 0; index < token.length; index++) units[unit++] = token.charCodeAt(index);
  });
  starts[ids] = unit;
  byToken.forEach(([, id], index) => (sorted[index] = id));
  byPair.forEach(([pair, rank], index) => {
    pairs[index] = pair;
    ranks[index] = rank;
  });
  return bytes;
};

/** Definition of a packed tokenizer; undefined for other versions. @param bytes at an offset that is a multiple of 8 */
export const unpackBpe = (bytes: Uint8Array<ArrayBuffer>): TokenizerDefinition | undefined => {
  const headLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headLength))) as Head;
  if (head.version !== PACKED_BPE_VERSION) return undefined;
  const { bosId, eosId, padId, unkId, addedTokens, counts } = head;
  const table = new PackedBpe(tablesAt(bytes.buffer, bytes.byteOffset + aligned(4 + headLength), counts), counts[0]);
  return {
    words: new ByteLevelBpe(table, unkId ?? undefined),
    vocabulary: { length: counts[0], at: (id) => table.tokenAt(id) },
    bosId,
    eosId,
    padId,
    addedTokens,
  };
};

/** Vocabulary and merges in tables that are searched by bisection. */
class PackedBpe implements BpeTable {
  private library: BPE | undefined;

  constructor(
    private readonly tables: Tables,
    private readonly idCount: number,
  ) {}

  tokenAt(id: number): string | undefined {
    const { starts, units } = this.tables;
    if (!(id >= 0 && id < this.idCount) || starts[id] === starts[id + 1]) return undefined;
    return String.fromCharCode(...units.subarray(starts[id], starts[id + 1]));
  }

  idOf(token: string): number | undefined {
    const { sorted } = this.tables;
    const index = firstNotBelow(sorted.length, (middle) => this.compare(sorted[middle]!, token) < 0);
    const id = sorted[index];
    return id !== undefined && this.compare(id, token) === 0 ? id : undefined;
  }

  merge(word: string): readonly string[] {
    if (word.length > LONGEST_MERGED_WORD) return (this.library ??= this.makeLibrary()).bpe(word);
    const parts = Array.from(word);
    const ids = parts.map((part) => this.idOf(part));
    for (;;) {
      let [best, bestRank] = [-1, Infinity];
      for (let index = 0; index + 1 < ids.length; index++) {
        const rank = this.rankOf(ids[index], ids[index + 1]);
        if (rank < bestRank) [best, bestRank] = [index, rank];
      }
      if (best < 0) return parts;
      parts.splice(best, 2, parts[best]! + parts[best + 1]!);
      ids.splice(best, 2, this.idOf(parts[best]!));
    }
  }

  /** Rank of a pair; infinite for pairs that are not merged. */
  private rankOf(left: number | undefined, right: number | undefined): number {
    if (left === undefined || right === undefined) return Infinity;
    const { pairs, ranks } = this.tables;
    const pair = left * this.idCount + right;
    const index = firstNotBelow(pairs.length, (middle) => pairs[middle]! < pair);
    return pairs[index] === pair ? ranks[index]! : Infinity;
  }

  /** Negative if the token of an id comes before a text in the order of UTF-16 units, 0 if they are equal. */
  private compare(id: number, text: string): number {
    const { starts, units } = this.tables;
    const start = starts[id]!;
    const length = starts[id + 1]! - start;
    for (let index = 0; index < length && index < text.length; index++) {
      const difference = units[start + index]! - text.charCodeAt(index);
      if (difference !== 0) return difference;
    }
    return length - text.length;
  }

  private makeLibrary(): BPE {
    const { pairs, ranks } = this.tables;
    const byRank = Array.from(ranks.keys()).sort((a, b) => ranks[a]! - ranks[b]!);
    const merges = byRank.map((index) => {
      const pair = pairs[index]!;
      const left = Math.floor(pair / this.idCount);
      return [this.tokenAt(left)!, this.tokenAt(pair - left * this.idCount)!] as const;
    });
    return new BPE({ type: 'BPE', vocab: {}, merges });
  }
}

/** First index from 0 to `count` that is not below what is searched. */
const firstNotBelow = (count: number, isBelow: (index: number) => boolean): number => {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
};

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

const lengthsOf = ([ids, tokens, merges, units]: Head['counts']) => [ids + 1, tokens, merges, merges, units] as const;

const sizeOf = (counts: Head['counts']): number => {
  const [starts, sorted, pairs, ranks, units] = lengthsOf(counts);
  return aligned(4 * starts) + aligned(4 * sorted) + 8 * pairs + aligned(4 * ranks) + aligned(2 * units);
};

const tablesAt = (buffer: ArrayBuffer, start: number, counts: Head['counts']): Tables => {
  const lengths = lengthsOf(counts);
  const sizes = [4, 4, 8, 4, 2].map((bytes, index) => aligned(bytes * lengths[index]!));
  const offsets = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, start));
  return {
    starts: new Uint32Array(buffer, offsets[0], lengths[0]),
    sorted: new Uint32Array(buffer, offsets[1], lengths[1]),
    pairs: new Float64Array(buffer, offsets[2], lengths[2]),
    ranks: new Uint32Array(buffer, offsets[3], lengths[3]),
    units: new Uint16Array(buffer, offsets[4], lengths[4]),
  };
};
