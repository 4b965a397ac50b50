/**
 * Metrics of MDETR's benchmarks, for predictions of any model. Each evaluator gets the ground truth, then predictions one
 * at a time (`add`), and computes the metrics by name (`summarize`).
 */
export { ClevrEvaluator, clevrAnswerType, clevrQuestionFamily } from './clevr.ts';
export type { ClevrAnswerType, ClevrQuestion } from './clevr.ts';
export { CocoApEvaluator } from './coco-ap.ts';
export type { CocoApOptions, CocoGroundTruth, XywhDetections } from './coco-ap-data.ts';
export type { AreaName, IdZero, PrecisionRecall } from './average-precision.ts';
export { FlickrRecallEvaluator } from './flickr-recall.ts';
export type { FlickrGroundTruth, FlickrPhrase, FlickrRecallOptions } from './flickr-recall.ts';
export { GqaEvaluator } from './gqa.ts';
export type { GqaChoices, GqaOptions, GqaQuestion } from './gqa.ts';
export { LvisApEvaluator } from './lvis-ap.ts';
export type { LvisAnnotation, LvisApOptions, LvisFrequency, LvisGroundTruth, LvisImage } from './lvis-ap.ts';
export type { Evaluator, Metrics } from './metrics.ts';
export { PhraseCutEvaluator } from './phrasecut.ts';
export type {
  PhraseCutGroundTruth,
  PhraseCutImage,
  PhraseCutOptions,
  PhraseCutSubsetResult,
  PhraseCutTask,
  PhraseCutTaskResult,
} from './phrasecut-data.ts';
export { PHRASECUT_SUBSETS } from './phrasecut-subsets.ts';
export type { PhraseCutCounts, PhraseCutSubset, PhraseStructure } from './phrasecut-subsets.ts';
export { parsePredictions, PREDICTION_FORMATS, predictionHeader, PredictionParser } from './predictions.ts';
export type {
  AnswerPrediction,
  DetectionPrediction,
  FlickrPrediction,
  LvisPrediction,
  PredictedBox,
  PredictedMask,
  PhraseCutPrediction,
  PredictionFormat,
  PredictionFormats,
  RefexpPrediction,
} from './predictions.ts';
export { RefexpPrecisionEvaluator } from './refexp-precision.ts';
export type { RefexpGroundTruth, RefexpPrecisionOptions } from './refexp-precision.ts';
export { resultsJson, resultsTable } from './results-table.ts';
export type { Results, TableOptions } from './results-table.ts';
export { RunningMetrics, SmoothedValue, topKAccuracy } from './running-metrics.ts';
