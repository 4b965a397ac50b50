import { MdetrError, messageOf } from '../../errors.ts';
import type { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import type { Tokenizer } from '../../text/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import type { DatasetConfig } from '../config/slices/datasets.ts';
import { openSources } from './dataset-sources.ts';
import { makeBatch } from './make-batch.ts';
import type { ImageSample, SampleKey, SampleSource } from './sample-source.ts';
import type { TrainBatch } from './train-batch.ts';
import type { DataConfig, OfficialDataConfig } from '../config/data-settings.ts';
import type {
  AugmentationConfig,
  AuxiliaryConfig,
  OptimizerSettings,
  SceneTextConfig,
} from '../config/run-settings.ts';
import type { LossConfig } from '../../losses/index.ts';

/** Settings of a `BatchMaker`; plain data, so that they can be sent to a worker thread. */
export interface BatchMakerSettings {
  readonly config: LossConfig &
    DataConfig &
    OfficialDataConfig &
    SceneTextConfig &
    AugmentationConfig &
    AuxiliaryConfig &
    OptimizerSettings;
  readonly datasets: readonly DatasetConfig[];
  /** Folder or file of the vocabulary. */
  readonly tokenizer: string;
  /** Maximum number of tokens that the text encoder reads. */
  readonly maxTokens: number;
}

/** The rows of the joined datasets that make a batch, and the key of their random choices. */
export interface BatchRequest {
  readonly rows: readonly number[];
  readonly key: SampleKey;
}

/** A row that was skipped, and the error that it gave. */
export interface SkippedRow {
  /** Row of the joined datasets. */
  readonly row: number;
  readonly reason: string;
}

/** A batch, and the rows that were skipped while it was made. */
export interface MadeBatch {
  readonly batch: TrainBatch;
  readonly skipped: readonly SkippedRow[];
  /** Reasons to look at the boxes of images in the batch. */
  readonly notes: readonly string[];
}

/** Maximum number of consecutive rows that are skipped: more of them mean that something else is wrong. */
const MAX_CONSECUTIVE_SKIPS = 100;

/** Makes batches from rows of the joined datasets. The result depends on the request alone. */
export class BatchMaker {
  private constructor(
    private readonly config: LossConfig & DataConfig & AuxiliaryConfig & OptimizerSettings,
    private readonly dataset: MixedDataset<SampleSource>,
    private readonly tokenizer: Tokenizer,
  ) {}

  static async open({ config, datasets, tokenizer, maxTokens }: BatchMakerSettings): Promise<BatchMaker> {
    return new BatchMaker(config, openSources(datasets, config), await loadTokenizer(tokenizer, { maxTokens }));
  }

  /**
   * Makes one batch. With `on_bad_row: skip`, a row that cannot be used is replaced by the next usable one.
   *
   * @throws {MdetrError} naming file, row and field of a row that cannot be used, with `on_bad_row: stop`
   */
  async make({ rows, key }: BatchRequest): Promise<MadeBatch> {
    const skipped: SkippedRow[] = [];
    const samples: ImageSample[] = [];
    for (const row of rows) samples.push(await this.sample(row, key, skipped));
    return {
      batch: makeBatch(samples, this.tokenizer.padId, this.config),
      skipped,
      notes: samples.flatMap(({ note }) => note ?? []),
    };
  }

  private async sample(row: number, key: SampleKey, skipped: SkippedRow[]): Promise<ImageSample> {
    const { length } = this.dataset;
    for (let tries = 0; ; tries++) {
      const candidate = (row + tries) % length;
      const { part, row: rowOfPart } = this.dataset.locate(candidate);
      try {
        return await part.source.get(rowOfPart, key, this.tokenizer);
      } catch (error) {
        if (this.config.on_bad_row === 'stop' || !(error instanceof MdetrError)) throw error;
        skipped.push({ row: candidate, reason: messageOf(error) });
        if (tries >= Math.min(MAX_CONSECUTIVE_SKIPS, length - 1))
          throw new MdetrError(`${tries + 1} consecutive rows cannot be used; the last: ${messageOf(error)}`, {
            cause: error,
          });
      }
    }
  }

  close(): void {
    for (const { source } of this.dataset.parts) source.close();
  }
}
