import { dirname, join } from 'node:path';
import type { ConfigValues } from '../config/config-file.ts';
import { stateFile, writeStages } from './run-folder.ts';
import type { RunObserver, RunSummary, Validate } from './run-observer.ts';
import { openStages, stageToResume, type Stage } from './stages.ts';

/** Options of `runTraining`. */
export interface TrainingRunOptions {
  /** Settings that override the config, as `--set` of the command line: `['lr=1e-5', 'max_steps=100']`. */
  readonly settings?: readonly string[];
  /** Continue from the state in `output_dir`, if there is one. */
  readonly resume?: boolean;
  /** Threads that prepare batches. Default: `num_workers` of the config. The result does not depend on it. */
  readonly workers?: number;
  /** Stops after the current step and saves. */
  readonly signal?: AbortSignal;
  readonly observer?: RunObserver;
  /** Validates a model folder, instead of the validation on `datasets_val`. */
  readonly validate?: Validate;
  /** Command that repeats the run, for the model card. */
  readonly command?: string;
}

/**
 * Trains as `mdetr train` does: all training stages of a config, validation on `datasets_val`, the best model in `best/`, the
 * last one in `last/`, the log and the resumable state, in `output_dir`. With `replicas`, copies of the network share the
 * batches of every step.
 *
 *     const { best } = await runTraining('my.json', { settings: ['epochs=5'] });
 *
 * @param config path of a config file, or its values
 * @returns the summary of the last training stage, or of the one in which `signal` stopped the run
 * @throws {MdetrError} for data, files and settings that cannot be used, and when the loss is not finite
 */
export const runTraining = async (
  config: string | ConfigValues,
  options: TrainingRunOptions = {},
): Promise<RunSummary> => {
  const { observer = {} } = options;
  const { stages: opened, notes } = await openStages(config, options.settings);
  for (const note of notes) observer.onNote?.(note);
  const { withWords } = await import('../words/run-words.ts');
  const words = await withWords(opened, {
    resume: options.resume === true,
    onNote: (text) => observer.onNote?.(text),
  });
  const { stages } = words;
  const first = options.resume === true ? stageToResume(stages, stateFile) : 0;
  if (stages.length > 1)
    await writeStages(
      dirname(stages[0]!.config.output_dir),
      stages.map(({ name }) => name),
    );
  let summary: RunSummary | undefined;
  for (let index = first; index < stages.length; index++) {
    const { name, config: own } = stages[index]!;
    if (stages.length > 1) observer.onStage?.({ name, index, count: stages.length });
    const before = stages[index - 1]?.config.output_dir;
    summary = await runStage(own, options, {
      startFrom: before === undefined ? undefined : join(before, stateFile),
      prepare: () => words.write(own),
    });
    observer.onStageEnd?.(summary);
    if (!summary.isDone) break;
  }
  return summary!;
};

const runStage = async (
  config: Stage['config'],
  { observer = {}, resume, workers, signal, validate, command }: TrainingRunOptions,
  { startFrom, prepare }: { readonly startFrom: string | undefined; readonly prepare: () => Promise<void> },
): Promise<RunSummary> => {
  // Loading the engine takes a while: an invalid config is reported before.
  const { runReplicas } = await import('./replicas.ts');
  const { validatorFor } = await import('./validation.ts');
  const validator =
    validate ??
    validatorFor(config, {
      onProgress: (set, done, total) => observer.onValidationProgress?.(set, done, total),
      onNote: (text) => observer.onNote?.(text),
    });
  await prepare();
  return runReplicas(config, {
    resume: resume === true,
    workers,
    signal,
    observer,
    validate: validator,
    command,
    startFrom,
  });
};
