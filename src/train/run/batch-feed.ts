import type { BatchLoader } from '../data/batch-loader.ts';
import type { BatchRequest, MadeBatch } from '../data/batch-maker.ts';
import { gatherStrings, type Communicator } from '../parallel/communicator.ts';
import { batchesOfProcess, pairsPerStep, type RunData } from './run-data.ts';
import type { RunPosition } from './run-state.ts';
import type { OptimizerSettings, RunConfig, SceneTextConfig } from '../config/run-settings.ts';
import type { DataConfig } from '../config/data-settings.ts';

/** A row that could not be used, and why. */
export type SkippedRow = MadeBatch['skipped'][number];

/** The batches of a run for one process, step after step, from any position on. */
export class BatchFeed {
  /** Counted in batches of all processes. */
  private readonly position: { epoch: number; batch: number };
  private readonly ownBatches: number;
  private readonly batches: AsyncGenerator<MadeBatch>;

  /** @param steps steps done before `before` */
  constructor(
    private readonly config: DataConfig & SceneTextConfig & OptimizerSettings & RunConfig,
    private readonly data: RunData,
    loader: BatchLoader,
    private readonly communicator: Communicator,
    before: RunPosition | undefined,
    steps: number,
  ) {
    this.position = this.validPosition(before);
    this.ownBatches = batchesOfProcess(config, communicator);
    this.batches = loader.batches(this.requests(steps));
  }

  get epoch(): number {
    return this.position.epoch;
  }

  /** Position after the steps that `advance` counted. */
  get current(): Pick<RunPosition, 'epoch' | 'batch'> {
    return { ...this.position };
  }

  /** The batches of this process for the next step, and the rows that any process had to skip. */
  async next(): Promise<{ readonly made: readonly MadeBatch[]; readonly skipped: readonly SkippedRow[] }> {
    const made: MadeBatch[] = [];
    while (made.length < this.ownBatches) {
      const next = await this.batches.next();
      if (next.done === true) throw new Error('internal: batches ended before the run');
      made.push(next.value);
    }
    return { made, skipped: await this.skippedByAll(made) };
  }

  /** Counts a step. Returns true at the end of an epoch. */
  advance(): boolean {
    const { position } = this;
    position.batch += this.config.accumulate;
    if (position.batch < this.stepsIn(position.epoch) * this.config.accumulate) return false;
    position.epoch++;
    position.batch = 0;
    return true;
  }

  async close(): Promise<void> {
    await this.batches.return(undefined);
  }

  /** The stored position, moved to the next step if the data or the batch size changed. */
  private validPosition(before: RunPosition | undefined): { epoch: number; batch: number } {
    const { epoch = 0, batch = 0 } = before ?? {};
    const { accumulate } = this.config;
    const first = Math.floor(batch / accumulate) * accumulate;
    return first < this.stepsIn(epoch) * accumulate ? { epoch, batch: first } : { epoch: epoch + 1, batch: 0 };
  }

  /** Requests for the batches of this process, epoch after epoch, without end. */
  private *requests(stepsBefore: number): Generator<BatchRequest> {
    const { seed, accumulate } = this.config;
    const { rank, size } = this.communicator;
    let { epoch, batch } = this.position;
    let steps = stepsBefore;
    for (; ; epoch++, batch = 0) {
      // Batches of an incomplete step at the end of an epoch are left out, like incomplete batches.
      const count = this.stepsIn(epoch) * accumulate;
      for (; batch < count; batch += accumulate, steps++)
        for (let own = rank; own < accumulate; own += size)
          yield {
            rows: [...this.data.sampler.batch({ epoch, batch: batch + own })],
            key: { seed, epoch, pairsBefore: steps * pairsPerStep(this.config) },
          };
    }
  }

  private stepsIn(epoch: number): number {
    return Math.floor(this.data.sampler.batchesIn(epoch) / this.config.accumulate);
  }

  private async skippedByAll(made: readonly MadeBatch[]): Promise<readonly SkippedRow[]> {
    const own = made.flatMap(({ skipped }) => skipped);
    if (this.communicator.size === 1) return own;
    const gathered = await gatherStrings(this.communicator, own.length === 0 ? '' : JSON.stringify(own));
    return gathered.flatMap((text) => JSON.parse(text) as MadeBatch['skipped']);
  }
}
