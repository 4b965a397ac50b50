import { join } from 'node:path';
import { AppendFile } from '../../files/append-file.ts';
import { makeFolderSync } from '../../files/make-folder.ts';
import {
  eventFileStart,
  imagesEvent,
  scalarsEvent,
  completeRecordBytes,
  type EventImage,
} from './records/event-file.ts';
import type { StepReport } from '../step/trainer-state.ts';

/** The log of a run, one JSON object per line. */
export const LOG_FILE = 'log.jsonl';

/** Time of the parts of a step, in milliseconds. `data` is the wait for a batch, `other` the rest of the loop. */
export interface TimeUse {
  /** Waiting for batches. */
  data: number;
  /** Forward pass. */
  forward: number;
  /** Matching on the host. */
  matching: number;
  /** Losses and the gradients of the outputs. */
  loss: number;
  /** Backward pass. */
  backward: number;
  /** Waiting for the gradients of other processes. */
  exchange: number;
  /** Update of the parameters. */
  update: number;
  /** All else. */
  other: number;
}

const noTime = (): TimeUse => ({
  data: 0,
  forward: 0,
  matching: 0,
  loss: 0,
  backward: 0,
  exchange: 0,
  update: 0,
  other: 0,
});

/** An entry of the log: means over the steps since the last one. */
export interface LogEntry {
  /** Number of completed steps. */
  readonly step: number;
  /** Epoch, from 0. */
  readonly epoch: number;
  /** Image-text pairs of the run so far. */
  readonly pairs: number;
  /** Weighted sum of the losses, averaged since the last entry. */
  readonly loss: number;
  /** Unweighted losses by official name, averaged since the last entry. */
  readonly terms: Readonly<Record<string, number>>;
  /** Learning rate. */
  readonly lr: number;
  /** Learning rate of the backbone. */
  readonly lr_backbone: number;
  /** Learning rate of the text encoder. */
  readonly text_encoder_lr: number;
  /** Norm of the gradients before clipping. */
  readonly grad_norm: number;
  /** Images per second since the last entry. */
  readonly images_per_s: number;
  /** Image-text pairs per second since the last entry. */
  readonly pairs_per_s: number;
  /** Fractions of the time, which sum to 1. */
  readonly time: Readonly<Record<keyof TimeUse, number>>;
}

/** Accumulates steps into log entries. */
export class LogWindow {
  private count = 0;
  private loss = 0;
  private norm = 0;
  private terms = new Map<string, number>();
  private time = noTime();
  private images = 0;
  private pairs = 0;
  private last: StepReport | undefined;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  add(
    report: StepReport,
    use: { readonly dataMs: number; readonly wholeMs: number; readonly images: number; readonly pairs: number },
  ): void {
    const { forwardMs, matchingMs, lossMs, backwardMs, exchangeMs, updateMs } = report.timing;
    this.count++;
    this.loss += report.total;
    this.norm += report.gradientNorm;
    for (const [name, value] of Object.entries(report.terms)) this.terms.set(name, (this.terms.get(name) ?? 0) + value);
    this.images += use.images;
    this.pairs += use.pairs;
    this.time.data += use.dataMs;
    this.time.forward += forwardMs;
    this.time.matching += matchingMs;
    this.time.loss += lossMs;
    this.time.backward += backwardMs;
    this.time.exchange += exchangeMs;
    this.time.update += updateMs;
    const measuredMs = use.dataMs + forwardMs + matchingMs + lossMs + backwardMs + exchangeMs + updateMs;
    this.time.other += Math.max(0, use.wholeMs - measuredMs);
    this.last = report;
  }

  /** Returns the entry of the steps so far and starts a new one. */
  take(epoch: number, pairsOfRun: number): LogEntry {
    const { count, last, time } = this;
    if (last === undefined) throw new Error('internal: a log entry without steps');
    const totalMs = Object.values<number>({ ...time }).reduce((sum, part) => sum + part, 0);
    const fractions = Object.fromEntries(
      Object.entries(time).map(([name, part]) => [name, rounded(part / totalMs)]),
    ) as unknown as LogEntry['time'];
    const entry: LogEntry = {
      step: last.step + 1,
      epoch,
      pairs: pairsOfRun,
      loss: this.loss / count,
      terms: Object.fromEntries([...this.terms].map(([name, sum]) => [name, sum / count])),
      lr: last.rates.main,
      lr_backbone: last.rates.backbone,
      text_encoder_lr: last.rates.textEncoder,
      grad_norm: this.norm / count,
      images_per_s: rounded((this.images / totalMs) * 1000),
      pairs_per_s: rounded((this.pairs / totalMs) * 1000),
      time: fractions,
    };
    Object.assign(this, new LogWindow());
    return entry;
  }
}

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Number of bytes up to the end of the last complete line. */
const completeLineBytes = (bytes: Uint8Array): number => bytes.lastIndexOf(10) + 1;

/** The log of a run: `log.jsonl`, and the same values as scalars for TensorBoard. */
export class RunLog {
  /** The end of the log was missing: steps before the stored state are not logged. */
  readonly hasGap: boolean;
  private readonly lines: AppendFile;
  private readonly events: AppendFile;

  /** @param keep lengths at the state from which the run resumes */
  constructor(folder: string, keep: { readonly logBytes: number; readonly eventBytes: number }) {
    makeFolderSync(join(folder, 'tensorboard'));
    this.lines = new AppendFile(join(folder, LOG_FILE), keep.logBytes, completeLineBytes);
    this.events = new AppendFile(
      join(folder, 'tensorboard', 'events.out.tfevents.0'),
      keep.eventBytes,
      completeRecordBytes,
    );
    this.hasGap = this.lines.isShort || this.events.isShort;
    if (this.events.length === 0) this.events.append(eventFileStart(Date.now() / 1000));
  }

  get lengths(): { readonly logBytes: number; readonly eventBytes: number } {
    return { logBytes: this.lines.length, eventBytes: this.events.length };
  }

  /** Waits until all is on disk. */
  flush(): void {
    this.lines.flush();
    this.events.flush();
  }

  training(entry: LogEntry): void {
    this.lines.append(`${JSON.stringify({ kind: 'train', ...entry })}\n`);
    this.scalars(entry.step, trainingScalars(entry));
  }

  validation(
    step: number,
    epoch: number,
    metrics: Readonly<Record<string, number>>,
    images: readonly EventImage[] = [],
  ): void {
    this.lines.append(`${JSON.stringify({ kind: 'validation', step, epoch, metrics })}\n`);
    this.scalars(step, validationScalars(metrics));
    if (images.length > 0) this.events.append(imagesEvent(Date.now() / 1000, step, images));
  }

  skippedRow(step: number, row: number, reason: string): void {
    this.lines.append(`${JSON.stringify({ kind: 'skipped_row', step, row, reason })}\n`);
  }

  close(): void {
    this.lines.close();
    this.events.close();
  }

  private scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.events.append(scalarsEvent(Date.now() / 1000, step, values));
  }
}

/** Values of an entry of the log under the names that other programs show. */
export const trainingScalars = (entry: LogEntry): Record<string, number> => ({
  'train/loss': entry.loss,
  ...prefixed('train/', entry.terms),
  'rates/lr': entry.lr,
  'rates/lr_backbone': entry.lr_backbone,
  'rates/text_encoder_lr': entry.text_encoder_lr,
  'train/grad_norm': entry.grad_norm,
  'speed/images_per_s': entry.images_per_s,
});

/** Metrics of a validation under the names that other programs show. */
export const validationScalars = (metrics: Readonly<Record<string, number>>): Record<string, number> =>
  prefixed('validation/', metrics);

const prefixed = (prefix: string, values: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
