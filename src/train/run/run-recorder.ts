import { join } from 'node:path';
import type { TrainConfig } from '../config/config.ts';
import type { ValidationConfig } from '../config/run-settings.ts';
import type { Trainer } from '../step/trainer.ts';
import type { StepReport, TrainerState } from '../step/trainer-state.ts';
import { writeTrainedModel } from './model-output.ts';
import { BEST_FOLDER, LAST_FOLDER, STATE_FILE, writeConfig } from './run-folder.ts';
import { LogWindow, RunLog, type LogEntry } from './run-log.ts';
import type { ValidateTogether, Validation } from './run-observer.ts';
import type { SharedValidation } from './shared-validation.ts';
import { pairsPerStep } from './run-data.ts';
import { writeMlflowRun } from './records/mlflow-run.ts';
import { writeWandbRun } from './records/wandb-run.ts';
import { writeProvenance } from './records/run-provenance.ts';
import { writeRunState, type RunPosition } from './run-state.ts';

/** Options of a recorder. */
export interface RecorderOptions {
  readonly tokenizerFiles: readonly string[];
  /** Command that repeats the run, for the model card. */
  readonly command: string;
  /** False for processes that leave writing to another one. */
  readonly isWriter: boolean;
}

/**
 * Writes what a run leaves in its folder: config, log, model folders and the resumable state. It has the complete config
 * because the folder and the state store it.
 */
export class RunRecorder {
  /** The best validation so far. */
  best: RunPosition['best'];
  /** A validation was due when the run was stopped. */
  isValidationDue: boolean;
  /** Validations since the best one. */
  private staleValidations: number;
  private readonly window = new LogWindow();
  private readonly skipped: Set<number>;
  private metrics: Readonly<Record<string, number>>;
  private savedAt: number;
  private readonly secondsBefore: number;
  private readonly startedAt = performance.now();

  private constructor(
    private readonly config: TrainConfig,
    private readonly trainer: Trainer,
    private readonly options: RecorderOptions,
    private readonly log: RunLog | undefined,
    before: RunPosition | undefined,
  ) {
    this.skipped = new Set(before?.skippedRows);
    this.best = before?.best;
    this.staleValidations = before?.staleValidations ?? 0;
    this.metrics = finiteOf(before?.metrics ?? {});
    this.isValidationDue = before?.isValidationDue === true;
    this.secondsBefore = before?.seconds ?? 0;
    this.savedAt = trainer.steps;
  }

  /** Writes the config and opens the log, cut back to the stored state. */
  static async open(
    config: TrainConfig,
    trainer: Trainer,
    options: RecorderOptions,
    before: RunPosition | undefined,
  ): Promise<RunRecorder> {
    if (!options.isWriter) return new RunRecorder(config, trainer, options, undefined, before);
    await writeConfig(config.output_dir, config);
    await writeProvenance(config);
    const log = new RunLog(config.output_dir, before ?? { logBytes: 0, eventBytes: 0 });
    return new RunRecorder(config, trainer, options, log, before);
  }

  /** The log lacks entries of steps before the stored state. */
  get hasGap(): boolean {
    return this.log?.hasGap === true;
  }

  get skippedRows(): number {
    return this.skipped.size;
  }

  /** Step of the last save; 0 if there is none. */
  get savedStep(): number {
    return this.savedAt;
  }

  /** True after `patience` validations in a row that were not better than the best one. */
  get isExhausted(): boolean {
    return isExhausted(this.config, { staleValidations: this.staleValidations });
  }

  /** Adds a step to the entry of the log that is being gathered. */
  add(report: StepReport, use: Parameters<LogWindow['add']>[1]): void {
    this.window.add(report, use);
  }

  /** Writes the gathered entry of the log; undefined if no step was added since the last one. */
  writeLog(epoch: number): LogEntry | undefined {
    if (this.window.isEmpty) return undefined;
    const entry = this.window.take(epoch, this.pairsDone);
    this.log?.training(entry);
    return entry;
  }

  /** Logs a row that was skipped. Returns false if it was logged before. */
  skipRow(row: number, reason: string): boolean {
    if (this.skipped.has(row)) return false;
    this.skipped.add(row);
    this.log?.skippedRow(this.trainer.steps, row, reason);
    return true;
  }

  /**
   * Validates the weights that are shipped, and keeps them as `best/` if no validation was better. Returns undefined in
   * processes that do not write; they take part only in a shared validation. Throws what `validate` throws.
   */
  async validate(
    validate: ValidateTogether,
    epoch: number,
    { signal, sharing }: { readonly signal?: AbortSignal | undefined; readonly sharing?: SharedValidation | undefined },
  ): Promise<{ readonly metrics: Readonly<Record<string, number>>; readonly isBest: boolean } | undefined> {
    const { log, trainer, config } = this;
    const folder = config.output_dir;
    if (log !== undefined) await this.writeModel(join(folder, LAST_FOLDER), epoch);
    // The others read what the first process has written.
    await sharing?.barrier();
    if (log === undefined) {
      if (sharing !== undefined) await validate(join(folder, LAST_FOLDER), signal, sharing);
      return undefined;
    }
    const found: Validation = await validate(join(folder, LAST_FOLDER), signal, sharing);
    this.metrics = finiteOf(found.metrics);
    log.validation(trainer.steps, epoch, this.metrics, found.images);
    const isBest = Number.isFinite(found.metric) && (this.best === undefined || found.metric > this.best.metric);
    this.staleValidations = isBest ? 0 : this.staleValidations + 1;
    if (isBest) {
      this.best = { metric: found.metric, step: trainer.steps };
      await this.writeModel(join(folder, BEST_FOLDER), epoch);
    }
    return { metrics: this.metrics, isBest };
  }

  /** Writes the model and the resumable state. */
  async save(position: Pick<RunPosition, 'epoch' | 'batch'>, state: TrainerState, isDone: boolean): Promise<void> {
    const { config, log, trainer } = this;
    if (log === undefined) return;
    await this.writeModel(join(config.output_dir, LAST_FOLDER), position.epoch);
    log.flush();
    // The state is written last: from then on the run resumes after this step.
    await writeRunState(join(config.output_dir, STATE_FILE), {
      trainer: state,
      config: { ...config },
      position: {
        ...position,
        seconds: this.seconds,
        ...log.lengths,
        best: this.best,
        staleValidations: this.staleValidations > 0 ? this.staleValidations : undefined,
        metrics: this.metrics,
        isValidationDue: this.isValidationDue ? true : undefined,
        skippedRows: [...this.skipped],
        isDone,
        batchParts: trainer.parts > 1 ? trainer.parts : undefined,
      },
    });
    this.savedAt = trainer.steps;
    if (config.report_to === 'mlflow') await writeMlflowRun(config, isDone);
    if (config.report_to === 'wandb-offline') await writeWandbRun(config, isDone);
  }

  close(): void {
    this.log?.close();
  }

  private get pairsDone(): number {
    return this.trainer.steps * pairsPerStep(this.config);
  }

  private get seconds(): number {
    return this.secondsBefore + (performance.now() - this.startedAt) / 1000;
  }

  private writeModel(folder: string, epoch: number): Promise<void> {
    const { config, trainer, options } = this;
    return writeTrainedModel(folder, trainer.average ?? trainer.parameters, config, options.tokenizerFiles, {
      command: options.command,
      step: trainer.steps,
      epoch,
      pairs: this.pairsDone,
      hours: this.seconds / 3600,
      metrics: this.metrics,
    });
  }
}

/** Whether a run has ended because no validation improved on the best one for long enough. */
export const isExhausted = (
  { patience }: Pick<ValidationConfig, 'patience'>,
  { staleValidations = 0 }: Pick<RunPosition, 'staleValidations'>,
): boolean => patience !== undefined && staleValidations >= patience;

/** Only the metrics that are finite. */
const finiteOf = (metrics: Readonly<Record<string, number | null>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(metrics).filter((entry): entry is [string, number] => Number.isFinite(entry[1] ?? NaN)),
  );
