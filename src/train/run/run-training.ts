import { dirname, join } from 'node:path';
import type { ConfigValues } from '../config/config-file.ts';
import { ProcessGroup } from '../parallel/mpi/process-group.ts';
import { STATE_FILE, writeStages } from './run-folder.ts';
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
  /** Callbacks of the run. */
  readonly observer?: RunObserver;
  /** Validates a model folder, instead of the validation on `datasets_val`. */
  readonly validate?: Validate;
  /** Command that repeats the run, for the model card. */
  readonly command?: string;
}

/**
 * Trains as `mdetr train` does: all training stages of a config, validation on `datasets_val`, the best model in `best/`, the
 * last one in `last/`, the log and the resumable state, in `output_dir`. With `replicas`, copies of the network share the
 * batches of every step; so do the processes that a launcher of MPI has started together (`mpirun -n 8 node train.mjs`).
 *
 *     const { best } = await runTraining('my.json', { settings: ['epochs=5'] });
 *
 * @param config path of a config file, or its values
 * @returns the summary of the last training stage, or of the one in which `signal` stopped the run
 * @throws {MdetrError} for data, files and settings that cannot be used, and when the loss is not finite
 * @throws {GroupEnded} when another process of the group has failed; `isReported` if that is reported elsewhere
 */
export const runTraining = async (
  config: string | ConfigValues,
  options: TrainingRunOptions = {},
): Promise<RunSummary> => {
  const group = await ProcessGroup.join();
  if (group === undefined) return runStages(config, options, undefined);
  try {
    // The first process speaks for all.
    const observer = group.rank === 0 ? options.observer : {};
    observer?.onNote?.(`training in ${group.description}`);
    const summary = await runStages(config, { ...options, observer }, group);
    await group.leave();
    return summary;
  } catch (error) {
    throw await group.fail(error instanceof Error ? error : new Error(String(error)));
  }
};

const runStages = async (
  config: string | ConfigValues,
  options: TrainingRunOptions,
  group: ProcessGroup | undefined,
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
  const first = options.resume === true ? stageToResume(stages, STATE_FILE) : 0;
  if (stages.length > 1 && (group === undefined || group.rank === 0))
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
      startFrom: before === undefined ? undefined : join(before, STATE_FILE),
      prepare: async () => {
        if (group === undefined || group.rank === 0) await words.write(own);
        // The other processes read the vocabulary that the first one has written.
        await group?.communicator.barrier();
      },
      group,
    });
    // The next stage reads the state that the first process has written.
    await group?.communicator.barrier();
    observer.onStageEnd?.(summary);
    if (!summary.isDone) break;
  }
  return summary!;
};

/** Circumstances in which a training stage begins. */
interface StageStart {
  /** State file of the stage before. */
  readonly startFrom: string | undefined;
  /** Writes what the stage reads from its own folder. */
  readonly prepare: () => Promise<void>;
  readonly group: ProcessGroup | undefined;
}

const runStage = async (
  config: Stage['config'],
  { observer = {}, resume, workers, signal, validate, command }: TrainingRunOptions,
  { startFrom, prepare, group }: StageStart,
): Promise<RunSummary> => {
  // Loading the engine takes a while: an invalid config is reported before.
  const { runReplicas } = await import('./replicas.ts');
  const { validatorFor } = await import('./validation.ts');
  // A function of the caller's cannot run in other threads, nor in processes in which it was not given.
  const sharesValidation = validate === undefined;
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
    sharesValidation,
    command,
    startFrom,
    group,
  });
};
