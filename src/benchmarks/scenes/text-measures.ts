import { iouXyxy, MATCH_IOU } from '../../geometry/box-overlap.ts';
import { maskIou } from '../../geometry/mask-overlap.ts';
import { unpackMask } from '../../geometry/run-lengths.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import { answerOf } from '../../postprocess/answers.ts';
import { detectionsOf, referredDetectionOf } from '../../postprocess/detections.ts';
import { rankBoxesByPhrase } from '../../postprocess/phrase-boxes.ts';
import type { DetectedObject } from '../../results/types.ts';
import type { SceneText } from '../../scenes/language/texts.ts';
import { maskRuns } from '../../scenes/render/object-masks.ts';
import type { RenderedScene } from '../../scenes/render/scene.ts';
import { createPositiveMap } from '../../text/index.ts';
import { isHit, type SceneMeasures } from './scene-metrics.ts';

/** Outputs of the model for one text about a scene. */
export interface PredictedText {
  readonly model: MDETR;
  readonly scene: RenderedScene;
  readonly outputs: TextOutputs;
  /** Position of the text in the batch of `outputs`. */
  readonly index: number;
  /** Minimum score of a detection. */
  readonly threshold: number;
}

/** Result for one text. */
interface MeasuredText {
  /** Between 0 (all wrong) and 1. */
  readonly quality: number;
  /** Says what is wrong when `quality` is below 1. */
  readonly note: string;
  /** Detections above the threshold, as `detect` returns them. */
  readonly detections: readonly DetectedObject[];
}

type Quality = Omit<MeasuredText, 'detections'>;

/** Adds a text to the metrics. @returns undefined for a question to a model without question heads */
export const measureText = async (
  metrics: SceneMeasures,
  text: SceneText,
  predicted: PredictedText,
): Promise<MeasuredText | undefined> => {
  const detections = detectionsAbove(predicted, predicted.threshold);
  switch (text.kind) {
    case 'caption':
      return { ...measureCaption(metrics, text, predicted, detections), detections };
    case 'negative':
      return { ...measureNegative(metrics, text, detections), detections };
    case 'expression':
      return { ...(await measureExpression(metrics, text, predicted)), detections };
    case 'question':
      return predicted.model.config.do_qa ? { ...measureQuestion(metrics, text, predicted), detections } : undefined;
  }
};

const detectionsAbove = ({ scene, outputs, index }: PredictedText, threshold: number): readonly DetectedObject[] =>
  detectionsOf(outputs.detection(index), scene.image, outputs.encoding(index), { threshold });

/** Whether the best span of a detection overlaps a phrase. */
const refersTo = (
  { spans: [best] }: DetectedObject,
  { start, end }: { readonly start: number; readonly end: number },
): boolean => best !== undefined && best.start < end && best.end > start;

const measureCaption = (
  metrics: SceneMeasures,
  text: SceneText,
  predicted: PredictedText,
  detections: readonly DetectedObject[],
): Quality => {
  const { scene, outputs, index } = predicted;
  const present = text.phrases.filter(({ objects }) => objects.length > 0);
  const positiveMap = createPositiveMap(
    outputs.encoding(index),
    present.map(({ start, end }) => [[start, end]]),
  );
  const ranked = rankBoxesByPhrase(outputs.detection(index), scene.image, positiveMap);
  const missed: string[] = [];
  present.forEach((phrase, phraseIndex) => {
    const groundTruth = phrase.objects.map((object) => scene.objects[object]!.box);
    const boxes = ranked[phraseIndex]!.map(({ box }) => box);
    const groups = [groundTruth.length > 1 ? 'plural' : 'singular', ...phrase.needs.map((need) => `needs ${need}`)];
    metrics.addPhrase(boxes, groundTruth, groups);
    if (!isHit(boxes[0]!, groundTruth)) missed.push(text.text.slice(phrase.start, phrase.end));
    for (const box of groundTruth)
      metrics.addMentionedObject(
        detections.filter((one) => refersTo(one, phrase) && iouXyxy(one.box, 0, box, 0) >= MATCH_IOU).length,
      );
  });
  const mentioned = new Set(present.flatMap(({ objects }) => objects));
  metrics.addDetections(
    detectionsAbove(predicted, 0),
    [...mentioned].map((object) => scene.objects[object]!.box),
  );
  return {
    quality: present.length === 0 ? 1 : (present.length - missed.length) / present.length,
    note: `missed: ${missed.join('; ')}`,
  };
};

const measureNegative = (metrics: SceneMeasures, text: SceneText, detections: readonly DetectedObject[]): Quality => {
  const absent = text.phrases.filter(({ objects }) => objects.length === 0);
  const boxed = absent.filter((phrase) => detections.some((one) => refersTo(one, phrase)));
  for (const phrase of absent) metrics.addAbsent(boxed.includes(phrase));
  const names = boxed.map(({ start, end }) => text.text.slice(start, end));
  return {
    quality: absent.length === 0 ? 1 : 1 - boxed.length / absent.length,
    note: `boxed though absent: ${names.join('; ')}`,
  };
};

const measureExpression = async (
  metrics: SceneMeasures,
  text: SceneText & { kind: 'expression' },
  { model, scene, outputs, index }: PredictedText,
): Promise<Quality> => {
  const best = referredDetectionOf(outputs.detection(index), scene.image, outputs.encoding(index));
  const target = scene.objects[text.target]!;
  const iou = best === undefined ? 0 : iouXyxy(best.box, 0, target.box, 0);
  const groups = [
    text.type,
    text.headFitsSeveral ? 'head fits several' : 'head fits one',
    `${scene.objects.length} objects`,
  ];
  metrics.addExpression(iou >= MATCH_IOU, groups);
  if (model.hasMasks && best !== undefined) {
    const [mask] = await model.predictMasks(outputs, index, [best.query]);
    metrics.addMask(maskIou(unpackMask(mask!), maskRuns(scene, text.target)));
  }
  return { quality: iou >= MATCH_IOU ? 1 : iou, note: `IoU ${iou.toFixed(2)} (${text.type})` };
};

const measureQuestion = (
  metrics: SceneMeasures,
  text: SceneText & { kind: 'question' },
  { outputs, index }: PredictedText,
): Quality => {
  const { answer } = answerOf(outputs.answers(index));
  metrics.addAnswer(text.type, answer, text.answer);
  return { quality: Number(answer === text.answer), note: `answered ${answer}, correct is ${text.answer}` };
};
