import { MdetrError } from '../../errors.ts';
import type { MixedDataset } from './mixed-dataset.ts';
import { Random } from '../../random/random.ts';

export interface SamplerOptions {
  readonly batchSize: number;
  readonly seed: number;
  /** A new order every epoch (training), or the order of the files (evaluation). */
  readonly shuffle: boolean;
  /** Leave out a last batch that is not full. */
  readonly dropLast: boolean;
  /** Number of this worker and of all. Default 0 of 1. */
  readonly rank?: number;
  readonly worldSize?: number;
  /**
   * When rows do not divide by workers: `pad` gives some rows twice, as PyTorch's `DistributedSampler` (and so the
   * official code) does by default; `drop` leaves some out.
   */
  readonly uneven?: 'pad' | 'drop';
  /** Above 0: the rows are cut into so many chunks, and epoch `e` goes over chunk `e % chunks` (official `epoch_chunks`). */
  readonly epochChunks?: number;
  /**
   * Above 1: batches of images of similar shape, which saves padding. So many batches at a time are filled from as many
   * randomly drawn rows, sorted by aspect ratio, and given out in random order.
   */
  readonly shapeWindow?: number;
}

/** Where a training stands; small enough for every checkpoint. */
export interface SamplerPosition {
  readonly epoch: number;
  /** Batches of that epoch that are done. */
  readonly batch: number;
}

/**
 * Which rows make which batch. A pure function of (options, epoch, batch number): nothing is read but image shapes,
 * nothing is remembered, so a training continues in the middle of an epoch exactly where it stopped.
 * All workers have the same number of batches.
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
      throw new MdetrError(`a batch size must be a whole number above 0, not ${batchSize}`);
    if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
      throw new MdetrError(`rank ${rank} is not one of ${worldSize} workers`);
    if (this.options.dropLast && this.batchesIn(0) === 0)
      throw new MdetrError(
        `${dataset.length} rows make no full batch of ${batchSize} for each of ${worldSize} workers` +
          (this.options.epochChunks > 0 ? ` in each of ${this.options.epochChunks} chunks` : ''),
      );
  }

  /** Number of batches that each worker goes through in an epoch. */
  batchesIn(epoch: number): number {
    const count = this.fractionLength(this.chunkOf(epoch));
    const { batchSize, dropLast } = this.options;
    return dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  }

  /** The rows of the whole dataset that make batch `batch` of an epoch for this worker. */
  batch({ epoch, batch }: SamplerPosition): Uint32Array {
    const batches = this.batchesIn(epoch);
    if (!(batch >= 0 && batch < batches)) throw new RangeError(`internal: batch ${batch} of ${batches}`);
    const { batchSize, shapeWindow } = this.options;
    const order = this.orderOf(epoch);
    // Only full batches change places; a last one that is not full stays last.
    const full = Math.floor(order.length / batchSize);
    if (shapeWindow <= 1 || batch >= full) return order.slice(batch * batchSize, (batch + 1) * batchSize);
    const first = Math.floor(batch / shapeWindow) * shapeWindow;
    const count = Math.min(shapeWindow, full - first);
    const rows = this.byShape(order.subarray(first * batchSize, (first + count) * batchSize));
    const places = Random.ofEpochOrder(this.options.seed, epoch, this.options.rank, first, 2).permutation(count);
    const place = places[batch - first]!;
    return rows.slice(place * batchSize, (place + 1) * batchSize);
  }

  /** All batches from a position to the end of its epoch. */
  *batches(from: SamplerPosition): Generator<Uint32Array> {
    for (let { batch } = from; batch < this.batchesIn(from.epoch); batch++)
      yield this.batch({ epoch: from.epoch, batch });
  }

  /** The rows [begin, end) that an epoch goes over, cut as `torch.chunk` cuts. */
  private chunkOf(epoch: number): { begin: number; end: number } {
    const { length } = this.dataset;
    const { epochChunks } = this.options;
    if (epochChunks <= 0) return { begin: 0, end: length };
    const size = Math.ceil(length / epochChunks);
    // Rounding up can make fewer chunks than were asked for.
    const begin = (epoch % Math.ceil(length / size)) * size;
    return { begin, end: Math.min(begin + size, length) };
  }

  private fractionLength({ begin, end }: { begin: number; end: number }): number {
    const { worldSize, uneven } = this.options;
    return uneven === 'pad' ? Math.ceil((end - begin) / worldSize) : Math.floor((end - begin) / worldSize);
  }

  /** This worker's rows of an epoch, in order: every `worldSize`-th of a common order. */
  private orderOf(epoch: number): Uint32Array {
    if (this.cached?.epoch === epoch) return this.cached.order;
    const { seed, shuffle, rank, worldSize } = this.options;
    const chunk = this.chunkOf(epoch);
    const count = chunk.end - chunk.begin;
    const all = shuffle ? Random.ofEpochOrder(seed, epoch, 1).permutation(count) : undefined;
    const order = new Uint32Array(this.fractionLength(chunk));
    for (let i = 0; i < order.length; i++) {
      const position = (rank + i * worldSize) % count; // beyond the end, padding starts over at the beginning
      order[i] = chunk.begin + (all === undefined ? position : all[position]!);
    }
    this.cached = { epoch, order };
    return order;
  }

  private byShape(rows: Uint32Array): Uint32Array {
    const ratios = Float64Array.from(rows, (row) => this.dataset.aspectRatioOf(row));
    const places = Uint32Array.from(rows.keys()).sort((a, b) => ratios[a]! - ratios[b]! || a - b);
    return places.map((place) => rows[place]!);
  }
}
