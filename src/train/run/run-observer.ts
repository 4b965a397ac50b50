import type { Placement } from '../../engine/runtime/placement.ts';
import type { EventImage } from './records/event-file.ts';
import type { LogEntry } from './run-log.ts';
import type { SharedValidation } from './shared-validation.ts';

/** Metrics of a validation by name, and the one that selects the best model. */
export interface Validation {
  /** Metrics by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Higher is better. */
  readonly metric: number;
  /** Images with detections, for TensorBoard. */
  readonly images?: readonly EventImage[] | undefined;
}

/** Validates the model in a folder. Throws if `signal` is aborted: the validation is repeated when the run resumes. */
export type Validate = (folder: string, signal?: AbortSignal) => Promise<Validation>;

/**
 * Validates the model in a folder, together with the other processes of the run. The result of the first process counts.
 *
 * @internal
 */
export type ValidateTogether = (
  folder: string,
  signal?: AbortSignal,
  sharing?: SharedValidation,
) => Promise<Validation>;

/** Result of a training run, or of the training stage in which it was stopped. */
export interface RunSummary {
  /** Folder of the training stage. */
  readonly folder: string;
  /** Steps done so far, including those before a resume. */
  readonly steps: number;
  /** False if the run was stopped before its last step. */
  readonly isDone: boolean;
  /** Loss of the last step; undefined if there was nothing left to do. */
  readonly loss: number | undefined;
  /** Rows that could not be used, with `on_bad_row: "skip"`. */
  readonly skippedRows: number;
  /** The best validation, if there was one. */
  readonly best: { readonly metric: number; readonly step: number } | undefined;
}

/** Callbacks of a training run. */
export interface RunObserver {
  /** Before a training stage, if the config has several. */
  onStage?(stage: { readonly name: string; readonly index: number; readonly count: number }): void;
  /** Before the first step of a training stage. `done` steps were done before a resume. */
  onStart?(run: { readonly steps: number; readonly done: number; readonly stepsPerEpoch: number }): void;
  /** After every step; `step` counts from 1. */
  onStep?(step: number, loss: number): void;
  /** After each entry of the training log. */
  onLog?(entry: LogEntry): void;
  /** During a validation: images of the validation set that are done. */
  onValidationProgress?(set: string, done: number, total: number): void;
  /** After a validation, with its metrics. */
  onValidation?(metrics: Readonly<Record<string, number>>, isBest: boolean): void;
  /** After a training stage, or when it is stopped. */
  onStageEnd?(summary: RunSummary): void;
  /**
   * After the first run of a program on another device than the CPU: which of its nodes ran on the CPU. Observing it
   * slows down the first step.
   */
  readonly onPlacement?: ((placement: Placement) => void) | undefined;
  /** A message for the user. */
  onNote?(text: string): void;
}
