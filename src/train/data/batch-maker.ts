import { MdetrError, messageOf } from '../../errors.ts';
import type { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import { createPositiveMap, type Tokenizer } from '../../text/index.ts';
import { loadTokenizer } from '../../text/node/tokenizer-files.ts';
import type { TrainConfig } from '../config/config.ts';
import type { DatasetConfig } from '../config/slices/datasets.ts';
import type { TrainBatch } from '../step/train-step.ts';
import { openSources } from './dataset-sources.ts';
import { makeBatch } from './make-batch.ts';
import type { Draw, ImageSample, SampleSource } from './sample-source.ts';

/** All that a thread needs to know to make batches. */
export interface BatchMakerSettings {
  readonly config: TrainConfig;
  readonly datasets: readonly DatasetConfig[];
  /** Folder or file of the vocabulary, and the most tokens that the text encoder reads. */
  readonly tokenizer: string;
  readonly maxTokens: number;
}

/** Which rows of the joined datasets make a batch, and when in the run. */
export interface BatchRequest {
  readonly rows: readonly number[];
  readonly draw: Draw;
}

/** A row that was left out. */
export interface SkippedRow {
  readonly row: number;
  readonly reason: string;
}

export interface MadeBatch {
  readonly batch: TrainBatch;
  readonly skipped: readonly SkippedRow[];
}

/** So many bad rows one behind the other are no accident. */
const mostSkippedInARow = 100;

/** Makes batches out of row numbers, on whichever thread. */
export class BatchMaker {
  private constructor(
    private readonly config: TrainConfig,
    private readonly dataset: MixedDataset<SampleSource>,
    private readonly tokenizer: Tokenizer,
  ) {}

  static async open({ config, datasets, tokenizer, maxTokens }: BatchMakerSettings): Promise<BatchMaker> {
    return new BatchMaker(config, openSources(datasets, config), await loadTokenizer(tokenizer, { maxTokens }));
  }

  /** A row that cannot be used ends this with an error, or (`on_bad_row: skip`) the next usable one takes its place. */
  async make({ rows, draw }: BatchRequest): Promise<MadeBatch> {
    const skipped: SkippedRow[] = [];
    const images: ImageSample[] = [];
    for (const row of rows) images.push(await this.image(row, draw, skipped));
    return { batch: makeBatch(images, this.tokenizer, this.config), skipped };
  }

  private async image(row: number, draw: Draw, skipped: SkippedRow[]): Promise<ImageSample> {
    const { length } = this.dataset;
    for (let tries = 0; ; tries++) {
      const candidate = (row + tries) % length;
      const { part, row: own } = this.dataset.locate(candidate);
      try {
        const image = await part.source.get(own, draw);
        this.checkTexts(image);
        return image;
      } catch (error) {
        if (this.config.on_bad_row === 'stop' || !(error instanceof MdetrError)) throw error;
        skipped.push({ row: candidate, reason: messageOf(error) });
        if (tries >= Math.min(mostSkippedInARow, length - 1))
          throw new MdetrError(`${tries + 1} rows one behind the other cannot be used; the last: ${messageOf(error)}`, {
            cause: error,
          });
      }
    }
  }

  /** A caption too long for the text encoder, and a span that is no range of it, are the row's fault as well. */
  private checkTexts({ id, texts }: ImageSample): void {
    for (const { caption, tokensPositive } of texts) {
      let field = 'caption';
      try {
        const encoding = this.tokenizer.encode(caption);
        field = 'tokens_positive';
        createPositiveMap(encoding, tokensPositive);
      } catch (error) {
        if (!(error instanceof MdetrError)) throw error;
        throw new MdetrError(`${id}: ${field}: ${messageOf(error)}`, { cause: error });
      }
    }
  }

  close(): void {
    for (const { source } of this.dataset.parts) source.close();
  }
}
