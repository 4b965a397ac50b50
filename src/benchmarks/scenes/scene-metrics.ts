import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import { enclosingBoxXyxy } from '../../geometry/boxes.ts';
import { CocoApEvaluator } from '../../metrics/coco-ap.ts';
import { HitCounter, mean, type Metrics } from '../../metrics/metrics.ts';
import type { Results } from '../../metrics/results-table.ts';

type Box = readonly number[];

/** Whether a box is correct: its IoU with one of the boxes of the ground truth is at least `MATCH_IOU`. */
export const isHit = (box: Box, groundTruth: readonly Box[]): boolean => bestOverlap(box, groundTruth).iou >= MATCH_IOU;

/** Measurements of texts about scenes. Boxes are [x0, y0, x1, y1] in pixels. */
export interface SceneMeasures {
  /**
   * Adds a phrase to recall.
   *
   * @param ranked boxes of all queries, best first
   * @param groundTruth boxes of the objects that the phrase refers to
   */
  addPhrase(ranked: readonly Box[], groundTruth: readonly Box[], groups: readonly string[]): void;
  /** Adds a mentioned object with the number of its correct detections. */
  addMentionedObject(detections: number): void;
  /** Adds all detections of a caption to average precision. */
  addDetections(
    detections: readonly { readonly box: Box; readonly score: number }[],
    groundTruth: readonly Box[],
  ): void;
  /** Adds the answer to a question. */
  addAnswer(type: string, answer: string, correct: string): void;
  /** Adds a phrase for what is not there. */
  addAbsent(isBoxed: boolean): void;
  /** Adds an expression, whose best box is correct or not. */
  addExpression(isCorrect: boolean, groups: readonly string[]): void;
  /** Adds the IoU of the mask of an expression's box. */
  addMask(iou: number): void;
}

/** Metrics of the scenes benchmark, added up text by text. */
export class SceneMetrics implements SceneMeasures {
  private readonly precision = new HitCounter();
  private readonly absent = new HitCounter();
  private readonly maskIous: number[] = [];
  private readonly recall = new Map([1, 5, 10].map((k) => [k, { any: new HitCounter(), merged: new HitCounter() }]));
  private readonly phraseIous: number[] = [];
  private readonly answers = new HitCounter();
  /** Counts of correct answers by type of question. */
  private readonly answerCounts = new Map<string, Map<string, number>>();
  private readonly boxed = new HitCounter();
  private readonly boxedTwice = new HitCounter();
  private readonly captions: { boxes: Box[]; scores: number[]; groundTruth: readonly Box[] }[] = [];

  addPhrase(ranked: readonly Box[], groundTruth: readonly Box[], groups: readonly string[]): void {
    const merged = [enclosingBoxXyxy(groundTruth)];
    for (const [k, counters] of this.recall) {
      const best = ranked.slice(0, k);
      const any = best.some((box) => isHit(box, groundTruth));
      const joined = best.some((box) => isHit(box, merged));
      for (const name of ['all', ...groups]) {
        counters.any.add(name, any);
        counters.merged.add(name, joined);
      }
    }
    this.phraseIous.push(bestOverlap(ranked[0]!, groundTruth).iou);
  }

  addMentionedObject(detections: number): void {
    this.boxed.add('all', detections > 0);
    this.boxedTwice.add('all', detections > 1);
  }

  addDetections(
    detections: readonly { readonly box: Box; readonly score: number }[],
    groundTruth: readonly Box[],
  ): void {
    this.captions.push({
      boxes: detections.map(({ box }) => box),
      scores: detections.map(({ score }) => score),
      groundTruth,
    });
  }

  addAnswer(type: string, answer: string, correct: string): void {
    this.answers.add('all', answer === correct);
    this.answers.add(type, answer === correct);
    const counts = this.answerCounts.get(type) ?? new Map<string, number>();
    this.answerCounts.set(type, counts.set(correct, (counts.get(correct) ?? 0) + 1));
  }

  addAbsent(isBoxed: boolean): void {
    this.absent.add('all', isBoxed);
  }

  addExpression(isCorrect: boolean, groups: readonly string[]): void {
    for (const name of ['all', ...groups]) this.precision.add(name, isCorrect);
  }

  addMask(iou: number): void {
    this.maskIous.push(iou);
  }

  /** Two columns: the metrics, and the number of items that each one is computed from. */
  results(title: string): readonly Results[] {
    const metrics: Record<string, number> = {};
    const counts: Record<string, number> = {};
    for (const { name, value, count } of this.entries()) {
      if (count === 0) continue;
      metrics[name] = value;
      counts[name] = count;
    }
    return [
      { title, metrics },
      { title: 'items', metrics: counts },
    ];
  }

  private *entries(): Generator<{ readonly name: string; readonly value: number; readonly count: number }> {
    for (const [k, { any, merged }] of this.recall) {
      yield* ratesOf(`phrase Recall@${k}`, any);
      yield { name: `phrase Recall@${k}, merged boxes`, value: merged.rate('all'), count: merged.count('all') };
    }
    yield { name: 'phrase mean IoU', value: mean(this.phraseIous), count: this.phraseIous.length };
    yield* ratesOf('referring precision@1', this.precision);
    const { maskIous } = this;
    yield { name: 'mask mean IoU', value: mean(maskIous), count: maskIous.length };
    for (const threshold of [0.5, 0.7, 0.9]) {
      const value = mean(maskIous.map((iou) => Number(iou > threshold)));
      yield { name: `mask precision@${threshold}`, value, count: maskIous.length };
    }
    yield* ratesOf('question accuracy', this.answers);
    for (const [type, answers] of this.answerCounts) {
      const count = [...answers.values()].reduce((a, b) => a + b, 0);
      yield { name: `majority answer, ${type}`, value: Math.max(...answers.values()) / count, count };
    }
    for (const [name, counter] of [
      ['mentioned objects boxed', this.boxed],
      ['mentioned objects boxed twice', this.boxedTwice],
      ['absent phrases boxed', this.absent],
    ] as const)
      yield { name, value: counter.rate('all'), count: counter.count('all') };
    for (const [name, value] of Object.entries(this.averagePrecision()))
      yield { name, value, count: this.captions.length };
  }

  /** Class-agnostic AP of all boxes for captions, one image for each caption. */
  private averagePrecision(): Metrics {
    const evaluator = new CocoApEvaluator(
      {
        images: this.captions.map((_, index) => ({ id: index + 1, width: 10_000, height: 10_000 })),
        annotations: this.captions.flatMap(({ groundTruth }, index) =>
          groundTruth.map((box, k) => annotationOf(index + 1, k, box as [number, number, number, number])),
        ),
      },
      { iouType: 'bbox' },
    );
    this.captions.forEach(({ boxes, scores }, index) => {
      evaluator.add({ image_id: index + 1, scores, boxes: boxes as [number, number, number, number][] });
    });
    const { bbox_AP50, bbox_AP } = evaluator.summarize();
    return { 'box AP@50': bbox_AP50!, 'box AP': bbox_AP! };
  }
}

/** Rates over all and by group. */
function* ratesOf(title: string, counter: HitCounter) {
  for (const name of counter.names)
    yield {
      name: name === 'all' ? title : `${title}, ${name}`,
      value: counter.rate(name),
      count: counter.count(name),
    };
}

const annotationOf = (image: number, index: number, [x0, y0, x1, y1]: readonly [number, number, number, number]) => ({
  id: image * 100 + index,
  image_id: image,
  category_id: 1,
  iscrowd: 0,
  bbox: [x0, y0, x1 - x0, y1 - y0] as const,
  area: (x1 - x0) * (y1 - y0),
});
