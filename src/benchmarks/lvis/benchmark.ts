import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { InstanceIds } from '../../datasets/source/instance-ids.ts';
import { UsageError } from '../../errors.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { LvisApEvaluator } from '../../metrics/lvis-ap.ts';
import { PREDICTION_FORMATS, type LvisPrediction } from '../../metrics/predictions.ts';
import { boxAt, postprocessBoxes } from '../../postprocess/scored-boxes.ts';
import type { Benchmark, EvaluationRequest } from '../benchmark.ts';
import { choiceOption, settingsOf } from '../benchmark-options.ts';
import type { BenchmarkReport } from '../benchmark-report.ts';
import { apMetrics, arMetrics } from '../coco/ap-metrics.ts';
import { ID_ZERO_OPTION, idZeroWarnings } from '../coco/id-zero-option.ts';
import { openPredictionWriter, readPredictions } from '../prediction-file.ts';
import { bestOfImage, CategoryBest } from './category-best.ts';
import { readLvisFile, type LvisCategory, type LvisFile } from './ground-truth.ts';

const BEST_PER_IMAGE = 300;
const BEST_PER_CATEGORY = 10_000;

/** Prompts are a word or two, so this many times the batch size of other benchmarks fit in a pass. */
const PROMPTS_PER_TEXT = 8;

const options = {
  limitBy: choiceOption(
    {
      flag: '--limit-by <what>',
      description:
        'detections that count: the 10,000 best of a category (default; fixed AP, as published), or 300 per image',
    },
    ['category', 'image'],
    'category',
  ),
  idZero: ID_ZERO_OPTION,
};

/**
 * LVIS AP of boxes: each image is prompted with every category of the file, one caption each, and every query is a
 * detection of that category. The image passes through the backbone once. Official counterpart: `LvisEvaluator` and
 * `LvisEvaluatorFixedAP`.
 */
export const lvisBenchmark: Benchmark = {
  name: 'lvis',
  description: 'LVIS average precision of boxes, over all, rare, common and frequent categories',
  annotations: "LVIS v1's own annotation file (lvis_v1_minival.json)",
  options,
  predictions: PREDICTION_FORMATS.lvis,
  metrics: [
    ...apMetrics('box', 'bbox'),
    { id: 'box_ap_rare', title: 'bbox_APr', description: 'average precision of rare categories' },
    { id: 'box_ap_common', title: 'bbox_APc', description: 'average precision of common categories' },
    { id: 'box_ap_frequent', title: 'bbox_APf', description: 'average precision of frequent categories' },
    ...arMetrics('box', 'bbox', [BEST_PER_IMAGE]),
    ...arMetrics('box', 'bbox', ['all']),
  ],
  bestMetric: () => undefined,
  check({ images }) {
    if (images.length !== 1) throw new UsageError('--task lvis needs one --images DIR, the folder of COCO 2017');
  },
  async evaluate(request) {
    const { limitBy, idZero } = settingsOf(options, request.settings);
    const file = readLvisFile(request.annotations!, request.limit);
    const evaluator = new LvisApEvaluator(file.groundTruth, { iouType: 'bbox', limitBy, idZero });
    if (request.predictions !== undefined) await readSaved(request.predictions, evaluator, file, request);
    else await predictImages(evaluator, file, limitBy, request);
    const report: BenchmarkReport = {
      results: [
        {
          title: limitBy === 'image' ? 'lvis' : 'lvis, fixed AP',
          metrics: evaluator.summarize(),
          count: file.images.length,
        },
      ],
      warnings: [...evaluator.warnings, ...idZeroWarnings(file.groundTruth.annotations, idZero)],
      worst: [],
    };
    return [report];
  },
};

const readSaved = async (
  path: string,
  evaluator: LvisApEvaluator,
  { images, ids }: LvisFile,
  { limit }: EvaluationRequest,
): Promise<void> => {
  const known = new Set(images.map(({ id }) => id));
  for await (const stated of readPredictions(path, PREDICTION_FORMATS.lvis)) {
    const prediction = withNumber(stated, ids);
    if (limit === undefined || known.has(prediction.image_id)) evaluator.add(prediction);
  }
};

/** A saved prediction whose string image id is replaced by its integer. */
const withNumber = (prediction: LvisPrediction, ids: InstanceIds): LvisPrediction & { image_id: number } => ({
  ...prediction,
  image_id: ids.numberOf('images', prediction.image_id),
});

const predictImages = async (
  evaluator: LvisApEvaluator,
  { images, categories, ids }: LvisFile,
  limitBy: 'image' | 'category',
  request: EvaluationRequest,
): Promise<void> => {
  const { model, images: folders, batchSize, signal, onProgress } = request;
  if (model === undefined) throw new Error('internal: neither a model nor predictions to evaluate');
  const annotated = new AnnotatedImages(ImageRoots.of(folders[0]!), request.orientation);
  const categoryBest = new CategoryBest(BEST_PER_CATEGORY);
  const filter = (prediction: LvisPrediction): LvisPrediction =>
    limitBy === 'image' ? bestOfImage(prediction, BEST_PER_IMAGE) : categoryBest.filter(prediction);
  const known = new Set(images.map(({ id }) => id));
  const saved = new Set<number>();
  const writer = await openPredictionWriter(PREDICTION_FORMATS.lvis, request, (prediction) => {
    const numbered = withNumber(prediction, ids);
    saved.add(numbered.image_id);
    if (known.has(numbered.image_id)) evaluator.add(filter(numbered));
  });
  try {
    for (const [done, image] of images.entries()) {
      if (saved.has(image.id)) continue;
      const named = { image: await annotated.decode({ ...image, file_name: image.path }), name: image.path };
      const prediction = await detectCategories(model, named, categories, PROMPTS_PER_TEXT * batchSize, signal);
      evaluator.add({ image_id: image.id, ...prediction });
      const kept = filter({ image_id: image.id, ...prediction });
      await writer?.write({ ...kept, image_id: ids.stated('images', image.id) });
      onProgress?.(done + 1, images.length);
    }
  } finally {
    await writer?.close();
  }
};

const detectCategories = async (
  model: MDETR,
  { image, name }: { readonly image: RawImage; readonly name: string },
  categories: readonly LvisCategory[],
  promptsPerPass: number,
  signal: AbortSignal | undefined,
): Promise<Omit<LvisPrediction, 'image_id'>> => {
  const scores: number[] = [];
  const labels: number[] = [];
  const boxes: [number, number, number, number][] = [];
  const encoded = await model.encodeImage(image, { name });
  for (let start = 0; start < categories.length; start += promptsPerPass) {
    signal?.throwIfAborted();
    const prompted = categories.slice(start, start + promptsPerPass);
    const outputs = await encoded.predict(prompted.map(({ prompt }) => prompt));
    for (const [index, { id }] of prompted.entries()) {
      const found = postprocessBoxes(outputs.detection(index), outputs.size(index));
      found.scores.forEach((score, query) => {
        scores.push(score);
        labels.push(id);
        boxes.push([...boxAt(found.boxes, query)]);
      });
    }
  }
  return { scores, labels, boxes };
};
