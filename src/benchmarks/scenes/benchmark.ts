import * as z from 'zod';
import type { MetricDefinition } from '../../metrics/metric-definition.ts';
import { SCENE_DEFAULTS } from '../../scenes/render/scene.ts';
import { LANGUAGES, SPLITS } from '../../scenes/render/splits.ts';
import type { Benchmark } from '../benchmark.ts';
import {
  choiceOption,
  choicesOption,
  integerOption,
  modelFractionOption,
  settingsOf,
  type BenchmarkOption,
} from '../benchmark-options.ts';
import type { BenchmarkReport } from '../benchmark-report.ts';
import { evaluateScenes } from './evaluate-scenes.ts';

const positive = z.number().int().positive();
const sceneSchema = z
  .strictObject({
    width: positive.default(SCENE_DEFAULTS.width),
    height: positive.default(SCENE_DEFAULTS.height),
    min_objects: positive.default(SCENE_DEFAULTS.minObjects),
    max_objects: positive.default(SCENE_DEFAULTS.maxObjects),
  })
  .prefault({});
const scene: BenchmarkOption<z.infer<typeof sceneSchema>> = {
  description: 'size of the images and number of objects: width, height, min_objects, max_objects',
  schema: sceneSchema,
};

const options = {
  splits: choicesOption(
    { flag: '--split <names>', description: `any of ${SPLITS.join(', ')}, separated by commas` },
    SPLITS,
    ['standard'],
  ),
  language: choiceOption(
    { flag: '--language <name>', description: 'plain or wide, for splits with training wording (default: plain)' },
    LANGUAGES,
    'plain',
  ),
  seed: integerOption({ flag: '--seed <s>', description: 'a seed that training did not use' }, 0, 900_000_001),
  count: integerOption({ flag: '--count <n>', description: 'number of scenes (default: 2000)' }, 1, 2000),
  textsPerKind: integerOption(
    { flag: '--texts-per-kind <n>', description: 'texts of each kind for every scene (default: 1)' },
    1,
    1,
  ),
  threshold: modelFractionOption({
    flag: '--threshold <score>',
    description: "minimum score of a detection (default: the model's calibrated value, else 0.7)",
  }),
  scene,
};

const recallMetrics = (k: number): readonly MetricDefinition[] => [
  {
    id: `phrase_recall_at_${k}`,
    title: `phrase Recall@${k}`,
    description: `fraction of phrases with a correct box among the top ${k} (IoU 0.5)`,
  },
  {
    id: `phrase_recall_at_${k}_merged`,
    title: `phrase Recall@${k}, merged boxes`,
    description: "the same against the box that encloses all of the phrase's objects",
    isDetail: true,
  },
  {
    id: `phrase_recall_at_${k}/*`,
    title: `phrase Recall@${k}, *`,
    description: 'the same for one group of phrases (plural, needs color, …)',
    isDetail: true,
  },
];

const METRICS: readonly MetricDefinition[] = [
  ...[1, 5, 10].flatMap(recallMetrics),
  { id: 'phrase_mean_iou', title: 'phrase mean IoU', description: "mean IoU of each phrase's best box" },
  {
    id: 'referring_precision_at_1',
    title: 'referring precision@1',
    description: 'fraction of expressions whose best box is correct',
  },
  {
    id: 'referring_precision_at_1/*',
    title: 'referring precision@1, *',
    description: 'the same for one type of expression or number of objects',
    isDetail: true,
  },
  { id: 'mask_mean_iou', title: 'mask mean IoU', description: "mean IoU of the masks of expressions' boxes" },
  ...[50, 70, 90].map((percent) => ({
    id: `mask_precision_at_${percent}`,
    title: `mask precision@${percent / 100}`,
    description: `fraction of those masks with an IoU above ${percent / 100}`,
  })),
  { id: 'question_accuracy', title: 'question accuracy', description: 'fraction of correct answers' },
  {
    id: 'question_accuracy/*',
    title: 'question accuracy, *',
    description: 'the same for one type of question',
    isDetail: true,
  },
  {
    id: 'majority_answer/*',
    title: 'majority answer, *',
    description: "fraction of questions of a type with that type's most frequent answer",
    isDetail: true,
  },
  {
    id: 'mentioned_objects_boxed',
    title: 'mentioned objects boxed',
    description: 'fraction of mentioned objects with a correct detection',
  },
  {
    id: 'mentioned_objects_boxed_twice',
    title: 'mentioned objects boxed twice',
    description: 'fraction of mentioned objects with several correct detections; lower is better',
  },
  {
    id: 'absent_phrases_boxed',
    title: 'absent phrases boxed',
    description: 'fraction of phrases for absent objects with a detection; lower is better',
  },
  { id: 'box_ap_50', title: 'box AP@50', description: 'average precision of all boxes of captions at IoU 0.5' },
  { id: 'box_ap', title: 'box AP', description: 'the same, mean over IoU 0.5 to 0.95' },
];

/** All tasks on generated scenes, which need no files. Scenes and texts are determined by the seed. */
export const scenesBenchmark: Benchmark = {
  name: 'scenes',
  description: 'phrases, expressions, questions, masks and absent objects on generated scenes',
  options,
  metrics: METRICS,
  bestMetric: ({ boxes, masksOnly }) =>
    masksOnly ? 'mask_mean_iou' : boxes ? 'phrase_recall_at_1' : 'question_accuracy',
  async evaluate({ model, settings, worst, inspector, signal, onProgress }) {
    if (model === undefined) throw new Error('internal: no model to evaluate');
    const { splits, language, seed, count, textsPerKind, threshold, scene: sizes } = settingsOf(options, settings);
    const { width, height, min_objects: minObjects, max_objects: maxObjects } = sizes;
    const reports: BenchmarkReport[] = [];
    for (const split of splits) {
      const report = await evaluateScenes(model, {
        split,
        language,
        seed,
        images: count,
        scene: { width, height, minObjects, maxObjects },
        textsPerKind,
        threshold,
        worst,
        inspector,
        signal,
        onProgress: (done) => onProgress?.(done, count, `scenes, ${split}`),
      });
      reports.push(report);
    }
    return reports;
  },
};
