/** `mdetr/metrics`: the published metrics of every benchmark, from predictions of any model. Nothing here runs a network. */
export * from '../metrics/index.ts';
export { PredictionWriter, readPredictions } from '../benchmarks/prediction-file.ts';
export { MdetrError } from '../errors.ts';
