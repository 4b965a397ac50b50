/** `mdetr/train`: training runs, loops of one's own, and what runs leave behind. */
export { Training, type OpenTrainingOptions } from '../train/run/training.ts';
export type { TrainingSample } from '../train/data/own-samples.ts';
export { Trainer, type StepReport, type TrainerOptions, type TrainerState } from '../train/step/trainer.ts';
export type { StepTiming } from '../train/step/differentiable-step.ts';
export type { TrainBatch } from '../train/data/train-batch.ts';
export { runTraining, type TrainingRunOptions } from '../train/run/run-training.ts';
export type { RunObserver, RunSummary, Validate, Validation } from '../train/run/run-observer.ts';
export { runReplicas } from '../train/run/replicas.ts';
export { parseTrainConfig, type TrainConfig } from '../train/config/config.ts';
export { readConfigFile, withLoadedModel, type ConfigFile, type ConfigValues } from '../train/config/config-file.ts';
export { readRunCurves, type Curve, type RunCurves } from '../train/run/run-curves.ts';
export type { Communicator } from '../train/parallel/communicator.ts';
export { MdetrError, UsageError } from '../errors.ts';
export type { Span } from '../text/index.ts';
