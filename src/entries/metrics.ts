/** `mdetr/metrics`: the published metrics of every benchmark, from predictions of any model. Nothing here runs a network. */
export * from '../metrics/index.ts';
export { PredictionWriter, readPredictions } from '../benchmarks/prediction-file.ts';
export type { CocoAnnotation, Segmentation } from '../data/format/coco-format.ts';
export type { CodePointSpan } from '../text/spans/span.ts';
export type { OverlapMeasure } from '../geometry/box-overlap.ts';
export type { BoxXywh } from '../geometry/boxes.ts';
export type { CocoRle } from '../geometry/run-lengths.ts';
export type { ParsedValue, RejectedValue, ValueIssue, ValueSchema } from '../options/value-schema.ts';
export { MdetrError } from '../errors.ts';
