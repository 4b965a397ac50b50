import { MdetrError } from '../errors.ts';
import { iouXyxy } from '../geometry/box-overlap.ts';
import { enclosingBoxXyxy } from '../geometry/boxes.ts';
import { HitCounter, listed, type Evaluator, type Metrics } from './metrics.ts';
import type { FlickrPrediction } from './predictions.ts';

/** A phrase of Flickr30k Entities. */
export interface FlickrPhrase {
  /** Id of the phrase's entity, to which its boxes belong. */
  readonly phraseId: string;
  /** Categories: people, clothing, bodyparts, animals, vehicles, instruments, scene, other. */
  readonly phraseTypes: readonly string[];
}

/** One image of a Flickr30k Entities split. */
export interface FlickrGroundTruth {
  /** Id of the image. */
  readonly imageId: string;
  /** Boxes by phrase id: [x0, y0, x1, y1] in pixels, as in the XML files. */
  readonly boxes: ReadonlyMap<string, readonly (readonly number[])[]>;
  /** Phrases of each sentence, including those without boxes. */
  readonly sentences: readonly (readonly FlickrPhrase[])[];
}

/** Options of Flickr30k recall. */
export interface FlickrRecallOptions {
  /** Numbers of best boxes of a phrase that count; -1 for all. Default [1, 5, 10, -1]. */
  readonly topK?: readonly number[];
  /** Minimum IoU of a correct box. Default 0.5. */
  readonly iouThreshold?: number;
  /**
   * Replaces the boxes of a phrase by the box that encloses them ("merged boxes" protocol). Default false: a box is
   * correct if it overlaps any of them ("any box").
   */
  readonly mergeBoxes?: boolean;
}

interface Sentence {
  readonly types: readonly (readonly string[])[];
  /** Boxes of each phrase in a flat array. */
  readonly boxes: readonly (readonly number[])[];
}

/**
 * Recall@k on Flickr30k Entities: fraction of phrases with a correct box among the k best. Phrases without boxes do not
 * count. Metrics are named `Recall@1_all`, `Recall@1_people`, …; `Upper_bound_…` is recall over all boxes. Official
 * counterpart: `FlickrEvaluator`, `Flickr30kEntitiesRecallEvaluator`.
 */
export class FlickrRecallEvaluator implements Evaluator<FlickrPrediction> {
  /** Notes about predictions that do not count. */
  readonly warnings: string[] = [];
  private readonly topK: readonly number[];
  private readonly iouThreshold: number;
  private readonly sentences = new Map<string, Sentence>();
  private readonly evaluated = new Set<string>();
  private readonly counters: ReadonlyMap<number, HitCounter>;

  constructor(groundTruth: Iterable<FlickrGroundTruth>, options: FlickrRecallOptions = {}) {
    this.topK = options.topK ?? [1, 5, 10, -1];
    this.iouThreshold = options.iouThreshold ?? 0.5;
    this.counters = new Map(this.topK.map((k) => [k, new HitCounter()]));
    for (const { imageId, boxes, sentences } of groundTruth) {
      sentences.forEach((phrases, sentenceId) => {
        const located = phrases.filter(({ phraseId }) => (boxes.get(phraseId)?.length ?? 0) > 0);
        if (located.length === 0) return;
        this.sentences.set(sentenceKey(imageId, sentenceId), {
          types: located.map(({ phraseTypes }) => phraseTypes),
          boxes: located.map(({ phraseId }) => {
            const own = boxes.get(phraseId)!;
            return options.mergeBoxes === true ? enclosingBoxXyxy(own) : own.flat();
          }),
        });
      });
    }
  }

  /**
   * Adds the prediction for a sentence.
   *
   * @returns fraction of the sentence's phrases whose best box is correct
   * @throws {MdetrError} when the number of phrases differs from the sentence's
   */
  add(prediction: FlickrPrediction): number | undefined {
    const key = sentenceKey(prediction.image_id, prediction.sentence_id);
    const where = `sentence ${prediction.sentence_id} of image ${prediction.image_id}`;
    if (this.evaluated.has(key)) {
      this.warnings.push(`${where} occurred twice; the first prediction counts.`);
      return undefined;
    }
    const sentence = this.sentences.get(key);
    if (sentence === undefined) {
      if (prediction.boxes.length > 0)
        this.warnings.push(`${where} has no phrase with boxes; its prediction is ignored.`);
      return undefined;
    }
    this.evaluated.add(key);
    if (prediction.boxes.length !== sentence.boxes.length) {
      throw new MdetrError(
        `The prediction for ${where} has ${prediction.boxes.length} phrases, the sentence has ${sentence.boxes.length} ` +
          `with boxes.`,
      );
    }
    let hits = 0;
    prediction.boxes.forEach((ranked, phrase) => {
      const rank = this.rankOfFirstHit(ranked, sentence.boxes[phrase]!);
      if (rank === 0) hits++;
      for (const [k, counter] of this.counters) {
        const hit = rank >= 0 && (k === -1 || rank < k);
        counter.add('all', hit);
        for (const type of sentence.types[phrase]!) counter.add(type, hit);
      }
    });
    return hits / sentence.boxes.length;
  }

  /** Recall at 1, 5 and 10 by category. @throws {MdetrError} when sentences with phrases have no prediction */
  summarize(): Metrics {
    const missing = [...this.sentences.keys()].filter((key) => !this.evaluated.has(key));
    if (missing.length > 0) {
      throw new MdetrError(
        `No prediction for ${missing.length} of ${this.sentences.size} sentences (image_sentence): ${listed(missing)}.`,
      );
    }
    const metrics: Record<string, number> = {};
    for (const [k, counter] of this.counters) {
      const title = k === -1 ? 'Upper_bound' : `Recall@${k}`;
      for (const name of [...counter.names].sort()) metrics[`${title}_${name}`] = counter.rate(name);
    }
    return metrics;
  }

  /** Index of the first box that overlaps one of the targets enough, -1 when none does. */
  private rankOfFirstHit(ranked: readonly (readonly number[])[], targets: readonly number[]): number {
    return ranked.findIndex((box) => {
      for (let j = 0; j < targets.length / 4; j++) if (iouXyxy(box, 0, targets, j) >= this.iouThreshold) return true;
      return false;
    });
  }
}

const sentenceKey = (imageId: string | number, sentenceId: number): string => `${imageId}_${sentenceId}`;
