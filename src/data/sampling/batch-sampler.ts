import { MdetrError } from '../../errors.ts';
import type { MixedDataset } from './mixed-dataset.ts';
import { Random } from '../../random/random.ts';

/** Options of a `BatchSampler`. */
export interface SamplerOptions {
  readonly batchSize: number;
  readonly seed: number;
  /** Shuffle every epoch (training), or keep the order of the files (evaluation). */
  readonly shuffle: boolean;
  /** Drop the last batch when it is not full. */
  readonly dropLast: boolean;
  /** Rank of this process and number of processes. Default 0 of 1. */
  readonly rank?: number;
  readonly worldSize?: number;
  /**
   * Handling of a number of rows that is not divisible by `worldSize`: `pad` repeats some rows, as PyTorch's
   * `DistributedSampler` (and so the official code) does by default; `drop` leaves some out. Default `pad`.
   */
  readonly uneven?: 'pad' | 'drop';
  /** Number of chunks of the dataset; epoch `e` iterates over chunk `e % chunks` (official `epoch_chunks`). Default 0: no chunks. */
  readonly epochChunks?: number;
  /**
   * Number of batches within which rows are sorted by aspect ratio, so that the images of a batch need less padding. The
   * batches of a window come in random order. Default 0: no sorting.
   */
  readonly shapeWindow?: number;
}

/** Position of a training run, stored in every checkpoint. */
export interface SamplerPosition {
  readonly epoch: number;
  /** Number of finished batches of that epoch. */
  readonly batch: number;
}

/**
 * Chooses the rows of each batch. A pure function of options, epoch and batch index, without state, so that training
 * resumes exactly in the middle of an epoch. Reads nothing but image sizes. All processes have the same number of batches.
 */
export class BatchSampler {
  private readonly dataset: MixedDataset;
  private readonly options: Required<SamplerOptions>;
  private cached: { readonly epoch: number; readonly order: Uint32Array } | undefined;

  constructor(dataset: MixedDataset, options: SamplerOptions) {
    this.dataset = dataset;
    this.options = { rank: 0, worldSize: 1, uneven: 'pad', epochChunks: 0, shapeWindow: 0, ...options };
    const { batchSize, rank, worldSize } = this.options;
    if (!(Number.isInteger(batchSize) && batchSize > 0))
      throw new MdetrError(`the batch size must be an integer above 0, not ${batchSize}`);
    if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
      throw new MdetrError(`rank ${rank} is not below the number of processes, ${worldSize}`);
    if (this.options.dropLast && this.batchesIn(0) === 0)
      throw new MdetrError(
        `${dataset.length} rows make no full batch of ${batchSize} for each of ${worldSize} processes` +
          (this.options.epochChunks > 0 ? ` in each of ${this.options.epochChunks} chunks` : ''),
      );
  }

  /** Number of batches of each process in an epoch. */
  batchesIn(epoch: number): number {
    const count = this.rowsPerProcess(this.chunkOf(epoch));
    const { batchSize, dropLast } = this.options;
    return dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  }

  /** Rows of a batch of this process, indices of the concatenated dataset. */
  batch({ epoch, batch }: SamplerPosition): Uint32Array {
    const batches = this.batchesIn(epoch);
    if (!(batch >= 0 && batch < batches)) throw new RangeError(`internal: batch ${batch} of ${batches}`);
    const { batchSize, shapeWindow } = this.options;
    const order = this.orderOf(epoch);
    // Only full batches are reordered; a last one that is not full stays last.
    const full = Math.floor(order.length / batchSize);
    if (shapeWindow <= 1 || batch >= full) return order.slice(batch * batchSize, (batch + 1) * batchSize);
    const first = Math.floor(batch / shapeWindow) * shapeWindow;
    const count = Math.min(shapeWindow, full - first);
    const rows = this.byShape(order.subarray(first * batchSize, (first + count) * batchSize));
    const batchOrder = Random.ofEpochOrder(this.options.seed, epoch, this.options.rank, first, 2).permutation(count);
    const position = batchOrder[batch - first]!;
    return rows.slice(position * batchSize, (position + 1) * batchSize);
  }

  /** Yields all batches from a position to the end of its epoch. */
  *batches(from: SamplerPosition): Generator<Uint32Array> {
    for (let { batch } = from; batch < this.batchesIn(from.epoch); batch++)
      yield this.batch({ epoch: from.epoch, batch });
  }

  /** The rows [begin, end) of an epoch, in chunks like those of `torch.chunk`. */
  private chunkOf(epoch: number): { begin: number; end: number } {
    const { length } = this.dataset;
    const { epochChunks } = this.options;
    if (epochChunks <= 0) return { begin: 0, end: length };
    const size = Math.ceil(length / epochChunks);
    // Rounding up can make fewer chunks than requested.
    const begin = (epoch % Math.ceil(length / size)) * size;
    return { begin, end: Math.min(begin + size, length) };
  }

  private rowsPerProcess({ begin, end }: { begin: number; end: number }): number {
    const { worldSize, uneven } = this.options;
    return uneven === 'pad' ? Math.ceil((end - begin) / worldSize) : Math.floor((end - begin) / worldSize);
  }

  /** Rows of this process in an epoch: every `worldSize`-th of an order that all processes share. */
  private orderOf(epoch: number): Uint32Array {
    if (this.cached?.epoch === epoch) return this.cached.order;
    const { seed, shuffle, rank, worldSize } = this.options;
    const chunk = this.chunkOf(epoch);
    const count = chunk.end - chunk.begin;
    const all = shuffle ? Random.ofEpochOrder(seed, epoch, 1).permutation(count) : undefined;
    const order = new Uint32Array(this.rowsPerProcess(chunk));
    for (let i = 0; i < order.length; i++) {
      const position = (rank + i * worldSize) % count; // padding repeats rows from the beginning
      order[i] = chunk.begin + (all === undefined ? position : all[position]!);
    }
    this.cached = { epoch, order };
    return order;
  }

  private byShape(rows: Uint32Array): Uint32Array {
    const ratios = Float64Array.from(rows, (row) => this.dataset.aspectRatioOf(row));
    const sorted = Uint32Array.from(rows.keys()).sort((a, b) => ratios[a]! - ratios[b]! || a - b);
    return sorted.map((index) => rows[index]!);
  }
}
