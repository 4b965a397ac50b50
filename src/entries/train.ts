/** `mdetr/train`: training runs, custom training loops, and the files of runs. */
export { Training, type OpenTrainingOptions } from '../train/run/training.ts';
export type { TrainingBox, TrainingSample } from '../train/data/own-samples.ts';
export type { Trainer } from '../train/step/trainer.ts';
export type { PartsChoice } from '../train/step/choose-parts.ts';
export type { StepReport, TrainerState } from '../train/step/trainer-state.ts';
export type { StepTiming } from '../train/step/differentiable-step.ts';
export type { Moments } from '../train/optimizer/optimizer.ts';
export type { LearningRates } from '../train/config/schedule.ts';
export type { TrainBatch } from '../train/data/train-batch.ts';
export { runTraining, type TrainingRunOptions } from '../train/run/run-training.ts';
export type { RunObserver, RunSummary, Validate, Validation } from '../train/run/run-observer.ts';
export type { EventImage } from '../train/run/records/event-file.ts';
export type { LogEntry, TimeUse } from '../train/run/run-log.ts';
export { parseTrainConfig, type TrainConfig } from '../train/config/config.ts';
export type { Orientation } from '../data/images/orientation.ts';
export type * from '../train/config/data-settings.ts';
export type * from '../train/config/run-settings.ts';
export { readConfigFile, withLoadedModel, type ConfigFile, type ConfigValues } from '../train/config/config-file.ts';
export { finetune, type FinetuneOptions, type FinetuneReport } from '../train/finetune/finetune.ts';
export { writeReport, type WriteReportOptions, type WrittenReport } from '../train/report/write-report.ts';
export type { ClassNumbers, Confusion, MetricEstimate, ReportNumbers } from '../benchmarks/report/report-numbers.ts';
export type { ErrorKind } from '../benchmarks/report/caption-errors.ts';
export type { Estimate } from '../benchmarks/report/bootstrap.ts';
export { calibrate, type Calibrated, type CalibrateOptions } from '../train/calibration/calibrate.ts';
export type { MeasureOptions } from '../train/calibration/measure-calibration.ts';
export type { OnBadRow } from '../data/annotation-index/row-reader.ts';
export type { FallbackNodes, Placement } from '../engine/runtime/placement.ts';
export type { FromPretrainedOptions, ProgressEvent } from '../inference/node/load-options.ts';
export type { Calibration, CalibrationData } from '../model-folder/calibration.ts';
export { readRunCurves, type Curve, type CurveAxis, type RunCurves } from '../train/run/run-curves.ts';
export type { EncodableImage, ImageSource } from '../data/images/image-source.ts';
export type { PixelInput } from '../data/images/raw-image.ts';
export type { DType, HostArrays, HostTensor } from '../engine/graph/index.ts';
export type { Feeds } from '../engine/runtime/runtime.ts';
export type { BatchTargets, CriterionConfig, LossConfig, TargetInputs } from '../losses/index.ts';
export type { ModelConfig, SmallBackboneConfig, TextEncoderConfig } from '../models/index.ts';
export { MdetrError, UsageError } from '../errors.ts';
export type { Span } from '../text/index.ts';
export type { Precision } from '../model-folder/export-manifest.ts';
export type { ImportDatasetOptions, ImportReport } from '../datasets/import/import-dataset.ts';
export type {
  PreparationProgress,
  PreparationReport,
  PreparedFile,
  PreparedList,
  Remark,
} from '../datasets/preparation/preparation.ts';
export type { DatasetFacts } from '../datasets/import/training-config.ts';
export type { AttributeChoice } from '../datasets/import/class-texts.ts';
export type { TextKind } from '../datasets/import/made-texts.ts';
export type { ModelLimits } from '../datasets/import/model-limits.ts';
