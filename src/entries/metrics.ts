/** `mdetr/metrics`: the published metrics of every task, from predictions of any model. Nothing here runs a network. */
export { ClevrEvaluator, type ClevrQuestion } from '../metrics/clevr.ts';
export { CocoApEvaluator, type CocoApOptions, type CocoGroundTruth } from '../metrics/coco-ap.ts';
export {
  FlickrRecallEvaluator,
  type FlickrGroundTruth,
  type FlickrPhrase,
  type FlickrRecallOptions,
} from '../metrics/flickr-recall.ts';
export { GqaEvaluator, type GqaChoices, type GqaOptions, type GqaQuestion } from '../metrics/gqa.ts';
export {
  LvisApEvaluator,
  type LvisAnnotation,
  type LvisApOptions,
  type LvisImage,
  type LvisGroundTruth,
} from '../metrics/lvis-ap.ts';
export type { Evaluator, Metrics } from '../metrics/metrics.ts';
export {
  PhraseCutEvaluator,
  type PhraseCutGroundTruth,
  type PhraseCutImage,
  type PhraseCutOptions,
  type PhraseCutTask,
} from '../metrics/phrasecut.ts';
export {
  parsePredictions,
  PREDICTION_FORMATS,
  PredictionParser,
  predictionHeader,
  type AnswerPrediction,
  type DetectionPrediction,
  type FlickrPrediction,
  type LvisPrediction,
  type PhraseCutPrediction,
  type PredictionFormat,
  type RefexpPrediction,
} from '../metrics/predictions.ts';
export { PredictionWriter, readPredictions } from '../benchmarks/prediction-file.ts';
export {
  RefexpPrecisionEvaluator,
  type RefexpGroundTruth,
  type RefexpPrecisionOptions,
} from '../metrics/refexp-precision.ts';
export { resultsJson, resultsTable, type Results, type TableOptions } from '../metrics/results-table.ts';
export { MdetrError } from '../errors.ts';
