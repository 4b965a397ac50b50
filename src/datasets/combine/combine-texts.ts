import type { CocoAnnotation, CocoRow, Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { Random } from '../../random/random.ts';
import { anyOverlap, type OverlapMeasure } from '../../geometry/box-overlap.ts';
import { boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { boxClusters, meanBox } from '../../geometry/box-clusters.ts';
import { codePointsOf, consolidateSpans, shiftSpans } from './caption-spans.ts';
import { colorGreedily } from './coloring.ts';

export interface CombineOptions {
  /** Default `iou`, as the official script computes (the paper says GIoU). */
  readonly overlap?: OverlapMeasure;
  /** Texts with boxes that overlap by more than this never share a sentence. Default 0.5. */
  readonly maxOverlap?: number;
  /** Texts of a sentence have at most so many characters together, less 2. Default 250. */
  readonly maxLength?: number;
  /** Boxes of one phrase that overlap by this IoU or more become their mean. Default 0.7; above 1 none do. */
  readonly mergeBoxesAt?: number;
  /** Shuffles an image's texts first, which changes ties and so the mixture. Default: the order of the files, as officially. */
  readonly seed?: number;
}

export interface CombinedAnnotation {
  readonly area: number;
  readonly iscrowd: number;
  readonly category_id: number;
  readonly bbox: BoxXywh;
  readonly tokens_positive: readonly Span[];
}

/** Several texts of one image joined to one caption. */
export interface CombinedText {
  readonly caption: string;
  readonly tokens_negative: readonly Span[];
  readonly annotations: readonly CombinedAnnotation[];
  /** Which of the given texts are in it, in the order of the caption. */
  readonly members: readonly number[];
}

/** Defaults of the official scripts. */
export const COMBINE_DEFAULTS = { overlap: 'iou', maxOverlap: 0.5, maxLength: 250, mergeBoxesAt: 0.7 } as const;

/**
 * Joins the texts of one image (rows of the official format) to as few captions as greedy colouring finds, so that no
 * two texts of a caption speak of the same object. Every text is used exactly once; spans move along, are cleaned
 * (`consolidateSpans`) and count code points. `imageNumber` tells images apart for the seed.
 */
export const combineTexts = (
  texts: readonly CocoRow[],
  options: CombineOptions = {},
  imageNumber = 0,
): CombinedText[] => {
  const { overlap, maxOverlap, maxLength, mergeBoxesAt } = { ...COMBINE_DEFAULTS, ...options };
  const order =
    options.seed === undefined
      ? [...texts.keys()]
      : [...Random.of(options.seed, imageNumber, 'order of captions').permutation(texts.length)];
  const prepared = order.map((member) => {
    const { image, annotations } = texts[member]!;
    const caption = codePointsOf(image.caption ?? '');
    const boxes = mergePhraseBoxes(annotations, mergeBoxesAt);
    return {
      member,
      caption,
      boxes,
      tokensNegative: image.tokens_negative ?? [],
      corners: boxesXywhToXyxy(boxes.map(({ bbox }) => bbox)),
    };
  });
  const sentences = colorGreedily(
    prepared.map(({ caption }) => caption.length),
    maxLength,
    (i, j) => anyOverlap(overlap, maxOverlap, prepared[i]!.corners, prepared[j]!.corners),
  );
  return sentences.map((sentence) => joinTexts(sentence.map((i) => prepared[i]!)));
};

interface PreparedText {
  readonly member: number;
  readonly caption: readonly string[];
  readonly boxes: readonly CombinedAnnotation[];
  readonly tokensNegative: readonly Span[];
}

const joinTexts = (texts: readonly PreparedText[]): CombinedText => {
  const caption: string[] = [];
  const starts = texts.map((text) => {
    if (caption.length > 0) caption.push(' ');
    const start = caption.length;
    caption.push(...text.caption);
    if (!['.', '?'].includes(caption.at(-1)!)) caption.push('.');
    return start;
  });
  return {
    caption: caption.join(''),
    tokens_negative: consolidateSpans(
      texts.flatMap((text, t) => shiftSpans(text.tokensNegative, starts[t]!)),
      caption,
    ),
    annotations: texts.flatMap((text, t) =>
      text.boxes.map((box) => ({
        ...box,
        tokens_positive: consolidateSpans(shiftSpans(box.tokens_positive, starts[t]!), caption),
      })),
    ),
    members: texts.map(({ member }) => member),
  };
};

/** Keeps the official fields of the boxes, and makes one of those that mean the same words and are nearly the same. */
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
      const members = cluster.map((k) => boxes[group[k]!]!);
      const first = group[cluster[0]!]!;
      if (members.length === 1) merged.push({ first, box: members[0]! });
      else {
        const bbox = meanBox(members.map((box) => box.bbox));
        merged.push({ first, box: { ...members[0]!, bbox, area: bbox[2] * bbox[3] } });
      }
    }
  return merged.sort((a, b) => a.first - b.first).map(({ box }) => box);
};
