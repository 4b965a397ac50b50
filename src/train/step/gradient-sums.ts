import type { HostTensor } from '../../engine/graph/index.ts';
import type { Precision } from '../parallel/bfloat16.ts';
import { allReduceTogether, type Communicator } from '../parallel/communicator.ts';

/** Elements of a bucket. */
const BUCKET_ELEMENTS = 2 ** 22;

/** Gradients by parameter name. */
export type Gradients = ReadonlyMap<string, HostTensor>;

/** How gradients are summed. */
export interface SumOptions {
  readonly communicator: Communicator;
  /** Precision in which processes exchange gradients. */
  readonly precision: Precision;
  /** Adds each array of the second list to the array of the first with the same index. */
  readonly add: (sums: readonly Float32Array[], values: readonly Float32Array[]) => Promise<void>;
}

/**
 * Sums of a step's gradients over its batches and all processes. Gradients are exchanged in buckets, in the order in which the
 * backward pass of the last batch hands them over: while one bucket is exchanged, the next one is added or still computed.
 */
export class GradientSums {
  private readonly begun = new Set<string>();
  private added: Promise<void> = Promise.resolve();
  private exchanged: Promise<void> = Promise.resolve();

  constructor(private readonly options: SumOptions) {}

  /** Adds the gradients of a batch that is not the last one. */
  addBatch(sums: Gradients, batch: Gradients): Promise<void> {
    const names = [...sums.keys()];
    return this.options.add(arraysOf(names, sums), arraysOf(names, batch));
  }

  /**
   * Begins to add gradients of the last batch, and to exchange the sums.
   *
   * @param names parameters in the order of the exchange, which is equal in all processes; those that have begun are skipped
   * @param sums gradients of the batches before, which become the sums; undefined if the last batch is the only one
   */
  begin(names: Iterable<string>, sums: Gradients | undefined, last: Gradients): void {
    const { communicator, precision, add } = this.options;
    const rest = [...names].filter((name) => !this.begun.has(name));
    for (const name of rest) this.begun.add(name);
    for (const bucket of bucketsOf(rest, last)) {
      const values = arraysOf(bucket, last);
      const own = sums === undefined ? values : arraysOf(bucket, sums);
      if (sums !== undefined) this.added = this.added.then(() => add(own, values));
      this.exchanged = Promise.all([this.exchanged, this.added]).then(() =>
        allReduceTogether(communicator, own, precision),
      );
    }
    // `finish` rethrows a failure; until then the backward pass may still run.
    this.exchanged.catch(() => undefined);
    this.added.catch(() => undefined);
  }

  /** Waits until all that has begun is summed. @throws {GroupEnded} if another process has failed */
  async finish(): Promise<void> {
    await this.added;
    await this.exchanged;
  }
}

const arraysOf = (names: readonly string[], gradients: Gradients): Float32Array[] =>
  names.map((name) => gradients.get(name)!.data as Float32Array);

/** Divides parameters into consecutive buckets. */
const bucketsOf = (names: readonly string[], gradients: Gradients): string[][] => {
  const buckets: string[][] = [];
  let elements = BUCKET_ELEMENTS;
  for (const name of names) {
    if (elements >= BUCKET_ELEMENTS) {
      buckets.push([]);
      elements = 0;
    }
    buckets.at(-1)!.push(name);
    elements += gradients.get(name)!.data.length;
  }
  return buckets;
};
