import { maskFromAnnotation } from '../data/format/row-target.ts';
import type { CocoAnnotation } from '../data/format/coco-format.ts';
import { pairwiseIouXywh } from '../geometry/box-overlap.ts';
import { boxXyxyToXywh, roundingOf, type BoxXywh } from '../geometry/boxes.ts';
import { pairwiseMaskIou } from '../geometry/mask-overlap.ts';
import { maskArea, unpackMask, type CocoRle } from '../geometry/run-lengths.ts';
import { MdetrError, quoted } from '../errors.ts';
import {
  countGroundTruth,
  matchDetections,
  meanPrecision,
  meanRecall,
  RankedDetections,
  type AreaName,
  type PrecisionRecall,
  type GroundTruthSet,
  type IdZero,
} from './average-precision.ts';
import { BestDetections, type TaggedDetection } from './lvis-detections.ts';
import type { Evaluator, Metrics } from './metrics.ts';
import type { LvisPrediction } from './predictions.ts';

/** Frequency of a category: rare, common or frequent. */
export type LvisFrequency = 'r' | 'c' | 'f';

/** Annotated object with its category. */
export interface LvisAnnotation extends CocoAnnotation {
  /** Id of the category. */
  readonly category_id: number;
}

/** Image with what is known about absent categories. */
export interface LvisImage {
  /** Id of the image. */
  readonly id: number;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Categories known to be absent from the image. */
  readonly neg_category_ids: readonly number[];
  /** Categories whose objects are not all annotated. */
  readonly not_exhaustive_category_ids: readonly number[];
}

/** Ground truth in LVIS v1's format. */
export interface LvisGroundTruth {
  /** Images. */
  readonly images: readonly LvisImage[];
  /** Annotated objects. */
  readonly annotations: readonly LvisAnnotation[];
  /** Categories with their frequency: `r`, `c` or `f`. */
  readonly categories: readonly { readonly id: number; readonly frequency: string }[];
}

/** Options of LVIS average precision. */
export interface LvisApOptions {
  /** Overlap of boxes or of masks. */
  readonly iouType: 'bbox' | 'segm';
  /**
   * Which detections count. `image` (default): the 300 best of each image over all categories, as in the definition of the
   * metric. `category`: the 10,000 best of each category over all images ("fixed AP", arXiv:2102.01066), as in the
   * official MDETR script.
   */
  readonly limitBy?: 'image' | 'category';
  /** Replaces the limit of 300 or 10,000. */
  readonly limit?: number;
  /** Whether an annotation with id 0 counts. Default: it does. */
  readonly idZero?: IdZero;
}

interface ImageState {
  readonly image: LvisImage;
  readonly order: number;
  /** Annotations by category. */
  readonly groundTruth: Map<number, LvisAnnotation[]>;
}

/**
 * LVIS' federated average precision: in each image, only categories count whose presence or absence is known there, and
 * unmatched detections of categories that are not annotated exhaustively are ignored. Metrics are named `bbox_AP`,
 * `bbox_AP50`, …, `bbox_APr`, `bbox_APc`, `bbox_APf`, `bbox_AR@300`, …; a metric without objects is -1. Official
 * counterpart: `LvisEvaluator`, `LvisEvaluatorFixedAP`.
 */
export class LvisApEvaluator implements Evaluator<LvisPrediction> {
  private readonly iouType: 'bbox' | 'segm';
  private readonly limitBy: 'image' | 'category';
  private readonly limit: number;
  private readonly idZero: IdZero;
  private readonly images = new Map<number, ImageState>();
  private readonly frequencies: ReadonlyMap<number, LvisFrequency>;
  /** Detections that can count, by image id or by category id. */
  private readonly kept = new Map<number, BestDetections>();
  private unknownCategory = 0;

  /** @throws {MdetrError} when frequencies, or negative and not exhaustive categories are missing */
  constructor(groundTruth: LvisGroundTruth, options: LvisApOptions) {
    this.iouType = options.iouType;
    this.limitBy = options.limitBy ?? 'image';
    this.limit = options.limit ?? (this.limitBy === 'image' ? 300 : 10_000);
    this.idZero = options.idZero ?? 'count';
    const categories = [...groundTruth.categories].sort((a, b) => a.id - b.id);
    this.frequencies = new Map(categories.map(({ id, frequency }) => [id, frequencyOf(id, frequency)]));
    const images = [...groundTruth.images].sort((a, b) => a.id - b.id);
    images.forEach((image, order) => {
      assertFederated(image);
      this.images.set(image.id, { image, order, groundTruth: new Map() });
    });
    for (const annotation of groundTruth.annotations) {
      const state = this.images.get(annotation.image_id);
      if (state === undefined) {
        throw new MdetrError(`Annotation ${String(annotation.id)} belongs to unknown image ${annotation.image_id}.`);
      }
      // The lvis package uses objects and detections with an area above 0 only.
      if (areaOf(annotation) <= 0) continue;
      const own = state.groundTruth.get(annotation.category_id);
      if (own === undefined) state.groundTruth.set(annotation.category_id, [annotation]);
      else own.push(annotation);
    }
  }

  /** Notes about predictions that do not count. */
  get warnings(): readonly string[] {
    return this.unknownCategory === 0
      ? []
      : [`${this.unknownCategory} detections of unknown categories were left out.`];
  }

  /**
   * Adds detections of an image. An image can be added in several parts, e.g. some categories at a time.
   *
   * @throws {MdetrError} for an image that is not in the ground truth, and when boxes (masks) are missing
   */
  add(prediction: LvisPrediction): undefined {
    // The official evaluation subtracts in float32, the precision of the model's boxes.
    const boxes = prediction.boxes?.map((box) => boxXyxyToXywh(box, roundingOf(box)));
    this.addXywh(Number(prediction.image_id), { ...prediction, boxes });
  }

  /**
   * Adds detections of an image, with boxes as [x, y, width, height].
   *
   * @throws {MdetrError} for an image that is not in the ground truth, and when boxes (masks) are missing
   */
  addXywh(
    imageId: number,
    detections: {
      readonly scores: readonly number[];
      readonly labels: readonly number[];
      readonly boxes?: readonly BoxXywh[] | undefined;
      readonly masks?: readonly CocoRle[] | undefined;
    },
  ): void {
    if (!this.images.has(imageId)) throw new MdetrError(`The ground truth has no image ${imageId}.`);
    const { scores, labels, boxes, masks } = detections;
    const needed = this.iouType === 'bbox' ? boxes : masks;
    if (needed?.length !== scores.length || labels.length !== scores.length) {
      throw new MdetrError(
        `The prediction for image ${imageId} has ${scores.length} scores, ${labels.length} labels and ` +
          `${needed?.length ?? 'no'} ${this.iouType === 'bbox' ? 'boxes' : 'masks'}.`,
      );
    }
    scores.forEach((score, i) => {
      const label = labels[i]!;
      if (!this.frequencies.has(label)) this.unknownCategory++;
      const [group, tag] = this.limitBy === 'image' ? [imageId, label] : [label, imageId];
      let kept = this.kept.get(group);
      if (kept === undefined) this.kept.set(group, (kept = new BestDetections(this.limit)));
      kept.add(
        this.iouType === 'bbox'
          ? { score, tag, box: boxes![i]! }
          : { score, tag, mask: unpackMask(masks![i]!, `image ${imageId}, mask ${i}`) },
      );
    });
  }

  /** Metrics by name, frequency groups included. */
  summarize(): Metrics {
    const ranked = this.rankAll();
    const curvesOf = (area: AreaName): Map<number, PrecisionRecall | undefined> =>
      new Map([...ranked].map(([category, list]) => [category, list.precisionRecall(area)]));
    const [all, small, medium, large] = (['all', 'small', 'medium', 'large'] as const).map(curvesOf);
    const listOf = (curves: Map<number, PrecisionRecall | undefined> | undefined): (PrecisionRecall | undefined)[] => [
      ...(curves?.values() ?? []),
    ];
    const ofFrequency = (frequency: LvisFrequency): (PrecisionRecall | undefined)[] =>
      [...(all ?? [])].filter(([category]) => this.frequencies.get(category) === frequency).map(([, curve]) => curve);
    const at = this.limitBy === 'image' ? String(this.limit) : 'all';
    const metrics: Record<string, number> = {
      AP: meanPrecision(listOf(all)),
      AP50: meanPrecision(listOf(all), 0.5),
      AP75: meanPrecision(listOf(all), 0.75),
      APs: meanPrecision(listOf(small)),
      APm: meanPrecision(listOf(medium)),
      APl: meanPrecision(listOf(large)),
      APr: meanPrecision(ofFrequency('r')),
      APc: meanPrecision(ofFrequency('c')),
      APf: meanPrecision(ofFrequency('f')),
      [`AR@${at}`]: meanRecall(listOf(all)),
      [`ARs@${at}`]: meanRecall(listOf(small)),
      [`ARm@${at}`]: meanRecall(listOf(medium)),
      [`ARl@${at}`]: meanRecall(listOf(large)),
    };
    return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${this.iouType}_${name}`, value]));
  }

  /** Matches all detections, and ranks them by category. */
  private rankAll(): ReadonlyMap<number, RankedDetections> {
    const ranked = new Map([...this.frequencies.keys()].map((category) => [category, new RankedDetections()]));
    for (const { groundTruth } of this.images.values()) {
      for (const [category, annotations] of groundTruth)
        ranked.get(category)?.expect(countGroundTruth(groundTruthOf(annotations, this.idZero)));
    }
    for (const [group, kept] of this.kept) {
      const byTag = new Map<number, TaggedDetection[]>();
      for (const detection of kept) {
        const own = byTag.get(detection.tag);
        if (own === undefined) byTag.set(detection.tag, [detection]);
        else own.push(detection);
      }
      for (const [tag, found] of byTag) {
        const [imageId, category] = this.limitBy === 'image' ? [group, tag] : [tag, group];
        const list = ranked.get(category);
        if (list !== undefined) this.rank(list, this.images.get(imageId)!, category, found);
      }
    }
    return ranked;
  }

  /** Adds the detections of one image and category, if the category's presence or absence is known there. */
  private rank(list: RankedDetections, state: ImageState, category: number, found: TaggedDetection[]): void {
    const { image, order } = state;
    const annotations = state.groundTruth.get(category) ?? [];
    if (annotations.length === 0 && !image.neg_category_ids.includes(category)) return;
    found = found.filter((detection) => detectionArea(detection, this.iouType) > 0).sort((a, b) => b.score - a.score);
    const scores = found.map(({ score }) => score);
    const groundTruth = groundTruthOf(annotations, this.idZero);
    const unmatchedIgnored = image.not_exhaustive_category_ids.includes(category);
    const areas = found.map((detection) => detectionArea(detection, this.iouType));
    const overlaps = this.overlaps(found, annotations, groundTruth, image);
    list.add(order, scores, matchDetections(groundTruth, { scores, areas, overlaps, unmatchedIgnored }));
  }

  private overlaps(
    found: readonly TaggedDetection[],
    annotations: readonly LvisAnnotation[],
    groundTruth: GroundTruthSet,
    { id, width, height }: LvisImage,
  ): Float64Array {
    if (this.iouType === 'bbox') {
      return pairwiseIouXywh(
        found.map(({ box }) => box!),
        annotations.map(({ bbox }) => bbox),
        groundTruth.crowd,
      );
    }
    const targets = annotations.map((annotation) => maskFromAnnotation(annotation, [height, width], `image ${id}`));
    return pairwiseMaskIou(
      found.map(({ mask }) => mask!),
      targets,
      groundTruth.crowd,
    );
  }
}

const areaOf = ({ area, bbox }: LvisAnnotation): number => area ?? bbox[2] * bbox[3];

const detectionArea = ({ box, mask }: TaggedDetection, iouType: 'bbox' | 'segm'): number =>
  iouType === 'bbox' ? box![2] * box![3] : maskArea(mask!);

const groundTruthOf = (annotations: readonly LvisAnnotation[], idZero: IdZero): GroundTruthSet => ({
  areas: annotations.map(areaOf),
  ignored: annotations.map((annotation) => (annotation['ignore'] ? 1 : 0)),
  crowd: new Uint8Array(annotations.length), // LVIS has no crowds
  counts: annotations.map(({ id }) => (idZero === 'missed' && id === 0 ? 0 : 1)),
});

const frequencyOf = (category: number, frequency: string): LvisFrequency => {
  if (frequency === 'r' || frequency === 'c' || frequency === 'f') return frequency;
  throw new MdetrError(`LVIS category ${category} has the frequency ${quoted(frequency)}; expected r, c or f.`);
};

const assertFederated = (image: LvisImage): void => {
  // The fields come from a file and may be missing despite their type.
  const { id, neg_category_ids: negative, not_exhaustive_category_ids: open } = image as Partial<LvisImage>;
  if (Array.isArray(negative) && Array.isArray(open)) return;
  throw new MdetrError(
    `LVIS image ${String(id)} lacks "neg_category_ids" or "not_exhaustive_category_ids". ` +
      `For data without them use the COCO metric.`,
  );
};
