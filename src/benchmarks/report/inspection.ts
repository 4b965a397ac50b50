import { matchDetections } from '../../metrics/average-precision.ts';
import { clampBoxXyxy, type BoxXyxy } from '../../geometry/boxes.ts';
import { labelOfPhrase } from '../../datasets/export/class-mapping.ts';
import { detectionsOf } from '../../postprocess/detections.ts';
import { rankBoxesByPhrase } from '../../postprocess/phrase-boxes.ts';
import { boxAt, byFallingScore, postprocessBoxes, type ScoredBoxes } from '../../postprocess/scored-boxes.ts';
import { CaptionSpans, CodePointMap, createPositiveMap } from '../../text/index.ts';
import { thresholdOf } from '../../postprocess/thresholds.ts';
import type { Calibration } from '../../model-folder/calibration.ts';
import { RatioByImage } from './bootstrap.ts';
import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import { judgeCaption, type JudgedCaption } from './caption-errors.ts';
import {
  boxesOfPhrases,
  type CaptionInspector,
  type InspectedCaption,
  type InspectedPhrase,
} from './inspected-caption.ts';
import { ShownCases } from './shown-cases.ts';
import { WeightedPrecision } from './weighted-precision.ts';

/** Ranks of the best box that count as found, as in the benchmarks of phrases. */
export const RECALL_RANKS = [1, 5, 10] as const;
/** Phrase probabilities below this are not ranked: they change no average precision by more than rounding. */
const MIN_PHRASE_SCORE = 0.001;
/** Maximum number of ranked boxes of a caption, as in COCO's evaluation. */
const MAX_RANKED = 100;

/** Options of an inspection. */
export interface InspectionOptions {
  /** Score that detections exceed. Default: the model's calibrated value, else 0.7. */
  readonly threshold?: number | undefined;
  /** Number of right and of wrong cases that are kept. Default 12. */
  readonly cases?: number | undefined;
}

const DEFAULT_CASES = 12;

/** Detections of a caption, judged, with the class of each phrase. */
export interface InspectedDetections {
  readonly image: number;
  /** Class of each phrase. */
  readonly classes: readonly string[];
  /** Number of phrases that the image does not show. */
  readonly absent: number;
  readonly judged: JudgedCaption;
}

/** Gathers what a report shows about the captions of an evaluation. */
export class Inspection implements CaptionInspector {
  /** Detections of all phrases, those of each class, and boxes regardless of phrases. */
  readonly phrases = new WeightedPrecision();
  readonly byClass = new Map<string, WeightedPrecision>();
  readonly boxes = new WeightedPrecision();
  readonly recalls = RECALL_RANKS.map(() => new RatioByImage());
  readonly precision = new RatioByImage();
  readonly recall = new RatioByImage();
  readonly overlap = new RatioByImage();
  readonly presentFound = new RatioByImage();
  readonly absentFound = new RatioByImage();
  readonly captions: InspectedDetections[] = [];
  readonly cases: ShownCases;
  private readonly images = new Map<string, number>();
  /** Objects of each image over all its captions. */
  private readonly imageObjects: { readonly name: string; readonly box: BoxXyxy }[][] = [];

  /** Score that detections exceed, and score above which a phrase counts as present, if the model has one. */
  limits: { readonly threshold: number; readonly presence: number | undefined };

  constructor(private readonly options: InspectionOptions = {}) {
    this.cases = new ShownCases(options.cases ?? DEFAULT_CASES);
    this.limits = { threshold: thresholdOf(options.threshold, undefined), presence: undefined };
  }

  begin({ calibration }: { readonly calibration: Calibration | undefined }): void {
    const threshold = thresholdOf(this.options.threshold, calibration);
    this.limits = { threshold, presence: calibration?.presence };
  }

  /** Number of images. */
  get imageCount(): number {
    return this.images.size;
  }

  add(inspected: InspectedCaption): void {
    const { caption, phrases, outputs, index } = inspected;
    const image = this.indexOf(inspected.image);
    const classes = phrases.map((phrase) => classOf(caption, phrase));
    const size = outputs.size(index);
    const scored = postprocessBoxes(outputs.detection(index), size);
    const detections = detectionsOf(outputs.detection(index), size, outputs.encoding(index), {
      threshold: this.limits.threshold,
    });
    const judged = judgeCaption(phrases, detections);
    phrases.forEach(({ boxes }, p) => {
      for (const box of boxes) this.addObject(image, classes[p]!, box);
    });
    this.addBoxes(image, phrases, scored, inspected);
    this.addPhrases(image, phrases, classes, scored, inspected);
    this.addRecalls(image, inspected);
    this.addJudged(image, judged);
    const absent = phrases.filter(({ boxes }) => boxes.length === 0).length;
    this.captions.push({ image, classes, absent, judged });
    const { pixels } = inspected;
    this.cases.add({ image: inspected.image, caption, phrases, pixels, detections, judged, classes });
  }

  /** The object of an image that a box is of, whatever phrase names it; undefined if there is none. */
  objectAt(image: number, box: BoxXyxy): string | undefined {
    const objects = this.imageObjects[image]!;
    const { index, iou } = bestOverlap(
      box,
      objects.map((object) => object.box),
    );
    return iou >= MATCH_IOU ? objects[index]!.name : undefined;
  }

  private indexOf(name: string): number {
    const known = this.images.get(name);
    if (known !== undefined) return known;
    this.images.set(name, this.images.size);
    this.imageObjects.push([]);
    return this.images.size - 1;
  }

  private addObject(image: number, name: string, box: BoxXyxy): void {
    const objects = this.imageObjects[image]!;
    const isKnown = objects.some((object) => object.name === name && bestOverlap(box, [object.box]).iou > 0.95);
    if (!isKnown) objects.push({ name, box });
  }

  private addBoxes(
    image: number,
    phrases: readonly InspectedPhrase[],
    { scores, boxes }: ScoredBoxes,
    { outputs, index }: InspectedCaption,
  ): void {
    const truth = boxesOfPhrases(phrases);
    const size = outputs.size(index);
    const queries = byFallingScore(scores).slice(0, MAX_RANKED);
    const ranked = queries.map((query) => ({ score: scores[query]!, box: clampBoxXyxy(boxAt(boxes, query), size) }));
    rank(ranked, truth, (score, matched) => this.boxes.add(image, score, matched));
    this.boxes.expect(image, truth.length);
  }

  private addPhrases(
    image: number,
    phrases: readonly InspectedPhrase[],
    classes: readonly string[],
    { probabilities, scores, boxes }: ScoredBoxes,
    { outputs, index }: InspectedCaption,
  ): void {
    const spans = new CaptionSpans(outputs.encoding(index));
    const size = outputs.size(index);
    const K = probabilities.length / scores.length;
    phrases.forEach((phrase, p) => {
      const masses = Float64Array.from(scores, (_, query) => {
        const row = probabilities.subarray(query * K, (query + 1) * K);
        return phrase.spans.reduce((sum, { start, end }) => sum + spans.mass(row, start, end), 0);
      });
      const own = this.classTable(classes[p]!);
      const ranked = byFallingScore(masses)
        .filter((query) => masses[query]! >= MIN_PHRASE_SCORE)
        .map((query) => ({ score: masses[query]!, box: clampBoxXyxy(boxAt(boxes, query), size) }));
      rank(ranked, phrase.boxes, (score, matched) => {
        for (const table of [this.phrases, own]) table.add(image, score, matched);
      });
      for (const table of [this.phrases, own]) table.expect(image, phrase.boxes.length);
      const { presence } = this.limits;
      if (presence === undefined) return;
      const isFound = Math.max(0, ...masses) > presence;
      if (phrase.boxes.length > 0) this.presentFound.add(image, Number(isFound), 1);
      else this.absentFound.add(image, Number(!isFound), 1);
    });
  }

  /** Whether one of the best boxes of a phrase is that of any of its objects, as the benchmark `phrases` counts. */
  private addRecalls(image: number, { caption, phrases, outputs, index }: InspectedCaption): void {
    const present = phrases.filter(({ boxes }) => boxes.length > 0);
    const points = new CodePointMap(caption);
    const map = createPositiveMap(
      outputs.encoding(index),
      present.map(({ spans }) => spans.map((span) => points.toCodePointSpan(span))),
    );
    const ranked = rankBoxesByPhrase(outputs.detection(index), outputs.size(index), map);
    present.forEach(({ boxes }, p) => {
      const first = ranked[p]!.findIndex(({ box }) => bestOverlap(box, boxes).iou >= MATCH_IOU);
      RECALL_RANKS.forEach((k, r) => this.recalls[r]!.add(image, Number(first >= 0 && first < k), 1));
    });
  }

  private addJudged(image: number, { detections, objects }: JudgedCaption): void {
    const correct = detections.filter(({ outcome }) => outcome === 'correct');
    const counted = detections.filter(({ outcome }) => outcome !== 'unjudged');
    this.precision.add(image, correct.length, counted.length);
    this.recall.add(image, correct.length, objects);
    this.overlap.add(
      image,
      correct.reduce((sum, { iou }) => sum + iou, 0),
      correct.length,
    );
  }

  private classTable(name: string): WeightedPrecision {
    const table = this.byClass.get(name) ?? new WeightedPrecision();
    this.byClass.set(name, table);
    return table;
  }
}

/** Class of a phrase: its text in lower case, without its article. */
const classOf = (caption: string, { spans }: InspectedPhrase): string =>
  labelOfPhrase(spans.map(({ start, end }) => caption.slice(start, end)).join(' … ')).toLowerCase();

/** Matches ranked boxes with objects, as COCO's evaluation does. */
const rank = (
  ranked: readonly { readonly score: number; readonly box: BoxXyxy }[],
  objects: readonly BoxXyxy[],
  add: (score: number, matched: number) => void,
): void => {
  const areas = (boxes: readonly BoxXyxy[]): number[] => boxes.map(([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0));
  const none = objects.map(() => 0);
  const { matched } = matchDetections(
    { areas: areas(objects), ignored: none, crowd: none, counts: objects.map(() => 1) },
    {
      scores: ranked.map(({ score }) => score),
      areas: areas(ranked.map(({ box }) => box)),
      overlaps: Float64Array.from(ranked.flatMap(({ box }) => objects.map((object) => bestOverlap(box, [object]).iou))),
    },
  );
  // The first area range is that of all sizes.
  ranked.forEach(({ score }, d) => add(score, matched[d]!));
};
