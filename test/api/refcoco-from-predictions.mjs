/**
 * Precision@1 on RefCOCO from saved predictions, with the exports of `mdetr/metrics` only:
 *
 *     mdetr evaluate --task refexp --annotations A.json --images DIR --save-predictions P.jsonl
 *     node refcoco-from-predictions.mjs A.json P.jsonl
 */
import { readFile } from 'node:fs/promises';
import { PREDICTION_FORMATS, readPredictions, RefexpPrecisionEvaluator } from 'mdetr/metrics';

const [annotationsPath, predictionsPath] = process.argv.slice(2);
const { images, annotations } = JSON.parse(await readFile(annotationsPath, 'utf8'));
const groundTruth = images.map(({ id, dataset_name }) => ({
  imageId: id,
  datasetName: dataset_name,
  boxesXywh: annotations.filter(({ image_id }) => image_id === id).map(({ bbox }) => bbox),
}));
const evaluator = new RefexpPrecisionEvaluator(groundTruth, { criterion: 'iou' });
for await (const prediction of readPredictions(predictionsPath, PREDICTION_FORMATS.refexp)) evaluator.add(prediction);
console.log(evaluator.summarize()['refcoco_Precision@1']);
