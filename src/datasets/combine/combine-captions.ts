import type { CocoAnnotation, CocoRow } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { type BoxXywh, boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { Random } from '../../random/random.ts';
import { anyOverlap, type OverlapMeasure } from '../../geometry/box-overlap.ts';
import { boxClusters, meanBox } from '../../geometry/box-clusters.ts';
import { codePointsOf, consolidateSpans, shiftSpans } from './caption-spans.ts';
import { colorGreedily } from './coloring.ts';

/** Rules for joining captions of one image. */
export interface CombineOptions {
  /** Overlap measure of boxes. Default `iou`, as the official script computes (the paper says GIoU). */
  readonly overlap?: OverlapMeasure;
  /** Captions with boxes that overlap by more than this are never combined. Default 0.5. */
  readonly maxOverlap?: number;
  /** Maximum total length of the captions that are combined, in code points, plus 2. Default 250. */
  readonly maxLength?: number;
  /** Boxes of one phrase with at least this IoU are replaced by their mean. Default 0.7; above 1 disables merging. */
  readonly mergeBoxesAt?: number;
  /** Seed for shuffling the captions of an image first, which changes ties. Default: file order, as in the official script. */
  readonly seed?: number;
}

/** Box of a combined caption. */
export interface CombinedAnnotation {
  /** Area in square pixels. */
  readonly area: number;
  /** 1 for a group of objects. */
  readonly iscrowd: number;
  /** Category in the source. */
  readonly category_id: number | string;
  /** Box in xywh format, in pixels. */
  readonly bbox: BoxXywh;
  /** Spans of the combined caption that refer to the box, in code points. */
  readonly tokens_positive: readonly CodePointSpan[];
}

/** Several captions of one image joined to one. */
export interface CombinedCaption {
  /** Captions of the image, joined. */
  readonly caption: string;
  /** Spans that refer to no box, in code points. */
  readonly tokens_negative: readonly CodePointSpan[];
  /** Boxes of the joined captions. */
  readonly annotations: readonly CombinedAnnotation[];
  /** Indices of the input captions it contains, in order. */
  readonly inputs: readonly number[];
}

/** Default options, those of the official scripts. */
export const COMBINE_DEFAULTS = { overlap: 'iou', maxOverlap: 0.5, maxLength: 250, mergeBoxesAt: 0.7 } as const;

/**
 * Combines the captions of one image (rows of the official format) into as few as greedy coloring finds, so that no two
 * captions that are joined refer to the same object. Every caption is used exactly once. Spans are shifted and cleaned
 * (`consolidateSpans`) and count code points.
 * @param imageIndex distinguishes images when `seed` is set
 */
export const combineCaptions = (
  rows: readonly CocoRow[],
  options: CombineOptions = {},
  imageIndex = 0,
): CombinedCaption[] => {
  const { overlap, maxOverlap, maxLength, mergeBoxesAt } = { ...COMBINE_DEFAULTS, ...options };
  const order =
    options.seed === undefined
      ? [...rows.keys()]
      : [...Random.of(options.seed, imageIndex, 'order of captions').permutation(rows.length)];
  const prepared = order.map((index) => {
    const { image, annotations } = rows[index]!;
    const caption = codePointsOf(image.caption ?? '');
    const boxes = mergePhraseBoxes(annotations, mergeBoxesAt);
    return {
      index,
      caption,
      boxes,
      tokensNegative: image.tokens_negative ?? [],
      corners: boxesXywhToXyxy(boxes.map(({ bbox }) => bbox)),
    };
  });
  const groups = colorGreedily(
    prepared.map(({ caption }) => caption.length),
    maxLength,
    (i, j) => anyOverlap(overlap, maxOverlap, prepared[i]!.corners, prepared[j]!.corners),
  );
  return groups.map((group) => joinCaptions(group.map((i) => prepared[i]!)));
};

interface PreparedCaption {
  readonly index: number;
  readonly caption: readonly string[];
  readonly boxes: readonly CombinedAnnotation[];
  readonly tokensNegative: readonly CodePointSpan[];
}

const joinCaptions = (inputs: readonly PreparedCaption[]): CombinedCaption => {
  const caption: string[] = [];
  const starts = inputs.map((input) => {
    if (caption.length > 0) caption.push(' ');
    const start = caption.length;
    caption.push(...input.caption);
    if (!['.', '?'].includes(caption.at(-1)!)) caption.push('.');
    return start;
  });
  return {
    caption: caption.join(''),
    tokens_negative: consolidateSpans(
      inputs.flatMap((input, i) => shiftSpans(input.tokensNegative, starts[i]!)),
      caption,
    ),
    annotations: inputs.flatMap((input, i) =>
      input.boxes.map((box) => ({
        ...box,
        tokens_positive: consolidateSpans(shiftSpans(box.tokens_positive, starts[i]!), caption),
      })),
    ),
    inputs: inputs.map(({ index }) => index),
  };
};

/** Reduces boxes to the official fields, and merges near-duplicate boxes with the same spans. */
const mergePhraseBoxes = (annotations: readonly CocoAnnotation[], threshold: number): CombinedAnnotation[] => {
  const boxes = annotations.map((annotation) => ({
    area: annotation.area ?? annotation.bbox[2] * annotation.bbox[3],
    iscrowd: annotation.iscrowd ?? 0,
    category_id: annotation.category_id ?? 1,
    bbox: annotation.bbox,
    tokens_positive: annotation.tokens ?? annotation.tokens_positive ?? [],
  }));
  if (boxes.length < 2 || threshold > 1) return boxes;
  const phrases = new Map<string, number[]>();
  boxes.forEach(({ tokens_positive }, i) => {
    const phrase = JSON.stringify(tokens_positive);
    const group = phrases.get(phrase);
    if (group === undefined) phrases.set(phrase, [i]);
    else group.push(i);
  });
  const merged: { readonly first: number; readonly box: CombinedAnnotation }[] = [];
  for (const group of phrases.values())
    for (const cluster of boxClusters(
      group.map((i) => boxes[i]!.bbox),
      threshold,
    )) {
      const duplicates = cluster.map((k) => boxes[group[k]!]!);
      const first = group[cluster[0]!]!;
      if (duplicates.length === 1) merged.push({ first, box: duplicates[0]! });
      else {
        const bbox = meanBox(duplicates.map((box) => box.bbox));
        merged.push({ first, box: { ...duplicates[0]!, bbox, area: bbox[2] * bbox[3] } });
      }
    }
  return merged.sort((a, b) => a.first - b.first).map(({ box }) => box);
};
