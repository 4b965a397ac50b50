import { drawDetections } from '../../drawing/node/index.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import { thresholdOf } from '../../postprocess/thresholds.ts';
import { Random } from '../../random/random.ts';
import { makeTexts } from '../../scenes/language/make-texts.ts';
import { TEXT_KINDS, type SceneText } from '../../scenes/language/texts.ts';
import { generateScene, type RenderedScene, type SceneOptions } from '../../scenes/render/scene.ts';
import type { Language, SceneSplit } from '../../scenes/render/splits.ts';
import type { CaptionInspector } from '../report/inspected-caption.ts';
import { WorstCases, type BenchmarkReport } from '../benchmark-report.ts';
import { unshared, type WorkSharing } from '../work-sharing.ts';
import { addRecorded, recordMeasures, type RecordedMeasure } from './recorded-measures.ts';
import { SceneMetrics } from './scene-metrics.ts';
import { measureText, type PredictedText } from './text-measures.ts';

/** Options of `evaluateScenes`. */
export interface EvaluateScenesOptions {
  readonly split: SceneSplit;
  /** Language of splits with training wording. Default `plain`. */
  readonly language?: Language;
  /** Seed of the scenes; use one that training does not. */
  readonly seed: number;
  /** Number of scenes. */
  readonly images: number;
  /** Index of the first scene. Default 0. */
  readonly start?: number;
  /** Sizes of the images and numbers of objects, when they differ from the defaults. */
  readonly scene?: Omit<SceneOptions, 'split'>;
  /** Texts of each kind for every scene. */
  readonly textsPerKind: number;
  /** Minimum score of a detection. Default: that of `detect`, the model's calibrated value or 0.7. */
  readonly threshold?: number | undefined;
  /** Receives captions and captions of absent objects. */
  readonly inspector?: CaptionInspector | undefined;
  /** Number of worst cases to keep. */
  readonly worst: number;
  readonly onProgress?: (done: number) => void;
  /** Stops between scenes. */
  readonly signal?: AbortSignal | undefined;
  /** Processes that measure the scenes together; `inspector` and the worst cases see those of this process. Default: this one alone. */
  readonly sharing?: WorkSharing | undefined;
}

/**
 * Measures a model on generated scenes of one split: phrases, expressions, questions and absent objects. Scenes and texts
 * are determined by the seed.
 *
 * @throws {UsageError} when the scene options cannot be satisfied
 */
export const evaluateScenes = async (model: MDETR, options: EvaluateScenesOptions): Promise<BenchmarkReport> => {
  const { start = 0, images, seed, split, signal, sharing = unshared } = options;
  const threshold = thresholdOf(options.threshold, model.calibration);
  const metrics = new SceneMetrics();
  const worst = new WorstCases(options.worst);
  const measureScene = async (index: number): Promise<readonly RecordedMeasure[]> => {
    const measures: RecordedMeasure[] = [];
    const scene = generateScene(seed, start + index, { ...options.scene, split });
    const texts = textsOf(scene, options);
    const outputs = await model.predict(
      texts.map(({ text }) => ({ image: scene.image, text })),
      { truncation: 'end' },
    );
    for (const [textIndex, text] of texts.entries()) {
      if (text.kind === 'caption' || text.kind === 'negative')
        options.inspector?.add({
          image: `${split} scene ${scene.index}`,
          caption: text.text,
          phrases: text.phrases.map(({ start, end, objects }) => ({
            spans: [{ start, end }],
            boxes: objects.map((object) => scene.objects[object]!.box),
          })),
          outputs,
          index: textIndex,
          pixels: () => Promise.resolve(scene.image),
        });
      const predicted: PredictedText = { model, scene, outputs, index: textIndex, threshold };
      const measured = await measureText(recordMeasures(measures), text, predicted);
      if (measured === undefined) continue;
      const { quality, note, detections } = measured;
      worst.add({
        quality,
        text: text.text,
        note,
        image: () => drawDetections(scene.image, { detections, caption: text.text, note }),
      });
    }
    return measures;
  };
  let done = 0;
  for await (const measures of sharing.each(images, measureScene, signal)) {
    addRecorded(metrics, measures);
    options.onProgress?.(++done);
  }
  return { results: metrics.results(split), warnings: [], worst: worst.all };
};

const textsOf = (scene: RenderedScene, { seed, textsPerKind, language }: EvaluateScenesOptions): readonly SceneText[] =>
  TEXT_KINDS.flatMap((kind) =>
    makeTexts(scene, kind, Random.of(seed, scene.index, 'evaluation', kind), { count: textsPerKind, language }),
  );
