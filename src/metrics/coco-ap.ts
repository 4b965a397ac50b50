import { maskFromAnnotation } from '../data/format/row-target.ts';
import type { CocoAnnotation } from '../data/format/coco-format.ts';
import { pairwiseIouXywh } from '../geometry/box-overlap.ts';
import { boxXyxyToXywh, roundingOf } from '../geometry/boxes.ts';
import { pairwiseMaskIou } from '../geometry/mask-overlap.ts';
import { maskArea, unpackMask } from '../geometry/run-lengths.ts';
import { MdetrError } from '../errors.ts';
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
import type { CocoApOptions, CocoGroundTruth, XywhDetections } from './coco-ap-data.ts';
import type { Evaluator, Metrics } from './metrics.ts';
import type { DetectionPrediction } from './predictions.ts';

interface ImageGroundTruth {
  readonly id: number;
  readonly order: number;
  readonly size: readonly [height: number, width: number];
  /** Annotations by category, categories in ascending order. */
  readonly byCategory: Map<number, CocoAnnotation[]>;
}

/**
 * COCO's average precision and recall over IoU 0.5 to 0.95: the twelve metrics of pycocotools, in its order (`stats`).
 * Their names start with the kind of overlap: `bbox_AP`, `bbox_AP50`, … `bbox_ARl@100`. A metric without objects is -1.
 * Official counterpart: `COCOeval`.
 */
export class CocoApEvaluator implements Evaluator<DetectionPrediction> {
  private readonly options: Required<CocoApOptions>;
  private readonly images = new Map<number, ImageGroundTruth>();
  /** In ascending order. */
  private readonly categories: ReadonlySet<number>;
  private readonly seen = new Set<number>();
  private readonly ranked = new Map<number, RankedDetections>();
  private unknownCategory = 0;
  private repeatedImages = 0;

  constructor(groundTruth: CocoGroundTruth, options: CocoApOptions) {
    this.options = {
      useCategories: false,
      maxDetections: [1, 10, 100],
      unpredicted: 'count',
      idZero: 'count',
      ...options,
    };
    const found = groundTruth.categories?.map(({ id }) => id) ?? groundTruth.annotations.map(categoryOf);
    this.categories = new Set([...new Set(found)].sort((a, b) => a - b));
    const byId = [...groundTruth.images].sort((a, b) => a.id - b.id);
    byId.forEach(({ id, width, height }, order) => {
      this.images.set(id, { id, order, size: [height, width], byCategory: new Map() });
    });
    for (const annotation of groundTruth.annotations) {
      const image = this.images.get(annotation.image_id);
      if (image === undefined)
        throw new MdetrError(`Annotation ${String(annotation.id)} belongs to unknown image ${annotation.image_id}.`);
      const category = categoryOf(annotation);
      const own = image.byCategory.get(category);
      if (own === undefined) image.byCategory.set(category, [annotation]);
      else own.push(annotation);
    }
    for (const group of this.options.useCategories ? this.categories : [ALL_CATEGORIES]) {
      this.ranked.set(group, new RankedDetections());
    }
    if (this.options.unpredicted === 'count') for (const image of this.images.values()) this.expectGroundTruth(image);
  }

  /** Notes about predictions that do not count. */
  get warnings(): readonly string[] {
    const left =
      this.unknownCategory === 0 ? [] : [`${this.unknownCategory} detections of unknown categories were left out.`];
    const repeated =
      this.repeatedImages === 0 ? [] : [`${this.repeatedImages} images occurred twice; their first prediction counts.`];
    return [...left, ...repeated];
  }

  /**
   * Adds the detections of an image.
   *
   * @returns fraction of the image's objects that are found at IoU 0.5
   * @throws {MdetrError} for an image that is not in the ground truth, and when boxes (masks) are missing
   */
  add(prediction: DetectionPrediction): number | undefined {
    // The official evaluation subtracts in float32, the precision of the model's boxes.
    const boxes = prediction.boxes?.map((box) => boxXyxyToXywh(box, roundingOf(box)));
    return this.addXywh(Number(prediction.image_id), { ...prediction, boxes });
  }

  /**
   * Adds the detections of an image, with boxes in the format of COCO's result files.
   *
   * @returns fraction of the image's objects that are found at IoU 0.5
   * @throws {MdetrError} for an image that is not in the ground truth, and when boxes (masks) are missing
   */
  addXywh(imageId: number, detections: XywhDetections): number | undefined {
    const image = this.images.get(imageId);
    if (image === undefined) throw new MdetrError(`The ground truth has no image ${imageId}.`);
    if (this.seen.has(imageId)) {
      this.repeatedImages++;
      return undefined;
    }
    this.seen.add(imageId);
    this.assertComplete(imageId, detections);
    if (this.options.unpredicted === 'skip') this.expectGroundTruth(image);
    let [found, wanted] = [0, 0];
    const byCategory = this.splitByCategory(detections);
    for (const group of this.groupsOf(byCategory, image.byCategory)) {
      const annotations = this.entriesOf(group, image.byCategory);
      const indices = this.entriesOf(group, byCategory);
      const result = this.addGroup(image, group, annotations, indices, detections);
      found += result.found;
      wanted += result.wanted;
    }
    return wanted === 0 ? undefined : found / wanted;
  }

  /** Precision and recall of each category with objects, or of all together when categories are not used. */
  curves(area: AreaName = 'all', maxDetections = this.options.maxDetections[2]): (PrecisionRecall | undefined)[] {
    return [...this.ranked.values()].map((ranked) => ranked.precisionRecall(area, maxDetections));
  }

  /** Metrics in the order of pycocotools: AP, AP50, AP75, AP small, medium, large, AR 1, 10, 100, AR small, medium, large. */
  stats(): number[] {
    const [first, second, last] = this.options.maxDetections;
    const all = this.curves();
    const [small, medium, large] = (['small', 'medium', 'large'] as const).map((area) => this.curves(area, last));
    return [
      meanPrecision(all),
      meanPrecision(all, 0.5),
      meanPrecision(all, 0.75),
      ...[small!, medium!, large!].map((curves) => meanPrecision(curves)),
      ...[first, second].map((count) => meanRecall(this.curves('all', count))),
      ...[all, small!, medium!, large!].map((curves) => meanRecall(curves)),
    ];
  }

  /** Metrics by name. @throws {MdetrError} if images have no prediction */
  summarize(): Metrics {
    const [first, second, last] = this.options.maxDetections;
    const names = ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', `AR@${first}`, `AR@${second}`, `AR@${last}`];
    names.push(`ARs@${last}`, `ARm@${last}`, `ARl@${last}`);
    const stats = this.stats();
    return Object.fromEntries(names.map((name, i) => [`${this.options.iouType}_${name}`, stats[i]!]));
  }

  /** Known categories in any of the maps, or `ALL_CATEGORIES`. */
  private groupsOf(...maps: readonly ReadonlyMap<number, unknown>[]): readonly number[] {
    if (!this.options.useCategories) return [ALL_CATEGORIES];
    return [...new Set(maps.flatMap((map) => [...map.keys()]))].filter((category) => this.ranked.has(category));
  }

  /** Entries of a map for a group; for `ALL_CATEGORIES` by ascending category id. */
  private entriesOf<T>(group: number, map: ReadonlyMap<number, readonly T[]>): readonly T[] {
    if (group !== ALL_CATEGORIES) return map.get(group) ?? [];
    const known = [...map.keys()].filter((category) => this.categories.has(category));
    return known.sort((a, b) => a - b).flatMap((category) => map.get(category)!);
  }

  private addGroup(
    image: ImageGroundTruth,
    group: number,
    annotations: readonly CocoAnnotation[],
    indices: readonly number[],
    detections: XywhDetections,
  ): { readonly found: number; readonly wanted: number } {
    const groundTruth = groundTruthOf(annotations, this.options.idZero);
    const wanted = countGroundTruth(groundTruth)[0]!;
    if (indices.length === 0) return { found: 0, wanted };
    const { scores } = detections;
    const best = [...indices].sort((a, b) => scores[b]! - scores[a]!).slice(0, this.options.maxDetections[2]);
    const where = `image ${image.id}`;
    const { areas, overlaps } =
      this.options.iouType === 'bbox'
        ? compareBoxes(best, detections, annotations, groundTruth)
        : compareMasks(best, detections, annotations, groundTruth, image.size, where);
    const bestScores = best.map((i) => scores[i]!);
    const flags = matchDetections(groundTruth, { scores: bestScores, areas, overlaps });
    this.ranked.get(group)!.add(image.order, bestScores, flags);
    let found = 0;
    for (let d = 0; d < best.length; d++) found += flags.matched[d]! & ~flags.ignored[d]! & 1;
    return { found, wanted };
  }

  private expectGroundTruth(image: ImageGroundTruth): void {
    for (const group of this.groupsOf(image.byCategory)) {
      const annotations = this.entriesOf(group, image.byCategory);
      this.ranked.get(group)!.expect(countGroundTruth(groundTruthOf(annotations, this.options.idZero)));
    }
  }

  /** Indices of detections by category; without labels, all belong to the first one. */
  private splitByCategory({ scores, labels }: XywhDetections): Map<number, number[]> {
    const [first] = this.categories;
    const split = new Map<number, number[]>();
    scores.forEach((_, i) => {
      const category = labels?.[i] ?? first;
      if (category === undefined || !this.categories.has(category)) {
        this.unknownCategory++;
        return;
      }
      const own = split.get(category);
      if (own === undefined) split.set(category, [i]);
      else own.push(i);
    });
    return split;
  }

  private assertComplete(imageId: number, { scores, labels, boxes, masks }: XywhDetections): void {
    const needed = this.options.iouType === 'bbox' ? boxes : masks;
    const field = this.options.iouType === 'bbox' ? 'boxes' : 'masks';
    if (needed?.length !== scores.length) {
      throw new MdetrError(
        `The prediction for image ${imageId} has ${scores.length} scores and ${needed?.length ?? 'no'} ${field}.`,
      );
    }
    if (labels === undefined ? this.options.useCategories : labels.length !== scores.length) {
      throw new MdetrError(
        `The prediction for image ${imageId} has ${scores.length} scores and ${labels?.length ?? 'no'} labels.`,
      );
    }
  }
}

/** Group of all categories, when categories are not used. */
const ALL_CATEGORIES = -1;

const categoryOf = ({ category_id: id = 1 }: CocoAnnotation): number => {
  if (typeof id !== 'number') throw new MdetrError(`category_id is "${id}"; COCO AP needs numbers.`);
  return id;
};

const groundTruthOf = (annotations: readonly CocoAnnotation[], idZero: IdZero): GroundTruthSet => {
  const crowd = annotations.map(({ iscrowd }) => (iscrowd ? 1 : 0));
  return {
    areas: annotations.map(({ area, bbox }) => area ?? bbox[2] * bbox[3]),
    ignored: crowd,
    crowd,
    counts: annotations.map(({ id }) => (idZero === 'missed' && id === 0 ? 0 : 1)),
  };
};

interface Comparison {
  readonly areas: readonly number[];
  readonly overlaps: Float64Array;
}

const compareBoxes = (
  best: readonly number[],
  { boxes }: XywhDetections,
  annotations: readonly CocoAnnotation[],
  groundTruth: GroundTruthSet,
): Comparison => {
  const own = best.map((i) => boxes![i]!);
  const targets = annotations.map(({ bbox }) => bbox);
  return {
    areas: own.map(([, , width, height]) => width * height),
    overlaps: pairwiseIouXywh(own, targets, groundTruth.crowd),
  };
};

const compareMasks = (
  best: readonly number[],
  { masks }: XywhDetections,
  annotations: readonly CocoAnnotation[],
  groundTruth: GroundTruthSet,
  size: readonly [height: number, width: number],
  where: string,
): Comparison => {
  const own = best.map((i) => unpackMask(masks![i]!, `${where}, mask ${i}`));
  const targets = annotations.map((annotation) => maskFromAnnotation(annotation, size, where));
  return { areas: own.map(maskArea), overlaps: pairwiseMaskIou(own, targets, groundTruth.crowd) };
};
