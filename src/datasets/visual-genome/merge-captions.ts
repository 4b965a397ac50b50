import { CodePointMap } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { type BoxXywh, boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { iouXyxy } from '../../geometry/box-overlap.ts';
import { boxClusters, linkedClusters, meanBox, mergeNearDuplicateBoxes } from '../../geometry/box-clusters.ts';
import { codePointsOf, consolidateSpans } from '../combine/caption-spans.ts';
import { contentWords } from './phrase-text.ts';
import type { RegionBox, RegionCaption } from './region-captions.ts';

/** Two captions are merged if boxes that share words have at least this IoU; such boxes are merged too. */
const SAME_OBJECT_IOU = 0.5;
/** A caption without objects is dropped if one with objects overlaps it with at least this IoU. */
const COVERED_IOU = 0.1;
/** Boxes of identical captions are merged if they have at least this IoU, whatever their words. */
const SAME_CAPTION_IOU = 0.75;
/** Words of captions such as "the wall on the side of the building", which describe nothing in particular. */
const EMPTY_WORDS = new Set(['wall', 'side', 'building']);

/** A caption with the indices of the content words that each of its boxes refers to. */
interface ComparedCaption extends RegionCaption {
  readonly wordsOfBox: readonly ReadonlySet<number>[];
}

/**
 * Merges captions of an image that say the same about the same objects, by the official rules. Captions say the same if
 * their content words (without punctuation and stop words) have the same lemmas.
 */
export const mergeCaptions = (captions: readonly RegionCaption[]): RegionCaption[] => {
  const groups = new Map<string, ComparedCaption[]>();
  for (const caption of captions) {
    const words = contentWords(caption.caption);
    const key = words.map(({ lemma }) => lemma).join(' ');
    const group = groups.get(key);
    const compared = { ...caption, wordsOfBox: wordsOfBoxes(caption, words) };
    if (group === undefined) groups.set(key, [compared]);
    else group.push(compared);
  }
  return [...groups].flatMap(([key, group]) => {
    const words = key.split(' ');
    if (words.includes('wall') && words.every((word) => EMPTY_WORDS.has(word))) return [];
    return group.length === 1 ? [plain(group[0]!)] : mergeGroup(group);
  });
};

const plain = ({ wordsOfBox: _, ...caption }: ComparedCaption): RegionCaption => caption;

const mergeGroup = (group: readonly ComparedCaption[]): RegionCaption[] => {
  const withObjects = group.filter(({ hasObjects }) => hasObjects);
  const covering = withObjects.flatMap(({ boxes }) => boxes);
  const withoutObjects = group.filter(
    ({ hasObjects, boxes }) => !hasObjects && !(largestIou(covering, boxes) >= COVERED_IOU),
  );
  const byText = new Map<string, RegionCaption[]>();
  for (const caption of [...mergeSameObjects(withObjects), ...mergeSameObjects(withoutObjects)]) {
    const same = byText.get(caption.caption);
    if (same === undefined) byText.set(caption.caption, [caption]);
    else same.push(caption);
  }
  return [...byText.values()].map(mergeSameText);
};

const largestIou = (a: readonly RegionBox[], b: readonly RegionBox[]): number => {
  const [cornersA, cornersB] = [boxesXywhToXyxy(a.map(({ bbox }) => bbox)), boxesXywhToXyxy(b.map(({ bbox }) => bbox))];
  let largest = 0;
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) largest = Math.max(largest, iouXyxy(cornersA, i, cornersB, j, 'float32') || 0);
  return largest;
};

/** Merges captions whose boxes agree wherever they share words into the one with the most boxes. */
const mergeSameObjects = (captions: readonly ComparedCaption[]): RegionCaption[] => {
  if (captions.length <= 1) return captions.map(plain);
  const clusters = linkedClusters(captions.length, (i, j) => agree(captions[i]!, captions[j]!));
  const merged: RegionCaption[] = [];
  for (const cluster of clusters) {
    const caption = cluster.length === 1 ? plain(captions[cluster[0]!]!) : joined(cluster.map((i) => captions[i]!));
    // A box has words that the main caption's boxes lack: nothing is merged, as in the official script.
    if (caption === undefined) return captions.map(plain);
    merged.push(caption);
  }
  return merged;
};

const agree = (a: ComparedCaption, b: ComparedCaption): boolean => {
  const [cornersA, cornersB] = [a, b].map(({ boxes }) => boxesXywhToXyxy(boxes.map(({ bbox }) => bbox))) as [
    Float32Array,
    Float32Array,
  ];
  return a.wordsOfBox.every((wordsA, i) =>
    b.wordsOfBox.every((wordsB, j) => {
      if (wordsA.size === 0 || wordsB.size === 0) return false;
      return !intersect(wordsA, wordsB) || !(iouXyxy(cornersA, i, cornersB, j, 'float32') < SAME_OBJECT_IOU);
    }),
  );
};

/** Joins captions to the one with the most boxes; undefined if a box of another has words that its boxes lack. */
const joined = (captions: readonly ComparedCaption[]): RegionCaption | undefined => {
  // Descending number of boxes, ties in reverse order.
  const order = [...captions.keys()].sort((a, b) => captions[b]!.boxes.length - captions[a]!.boxes.length || b - a);
  const main = captions[order[0]!]!;
  const phrases: {
    readonly words: ReadonlySet<number>;
    readonly spans: readonly CodePointSpan[];
    readonly boxes: BoxXywh[];
  }[] = [];
  for (const index of order)
    for (const [b, { bbox, spans }] of captions[index]!.boxes.entries()) {
      const words = captions[index]!.wordsOfBox[b]!;
      const phrase = phrases.find((known) => intersect(known.words, words));
      if (phrase !== undefined) phrase.boxes.push(bbox);
      else if (index === order[0]) phrases.push({ words, spans, boxes: [bbox] });
      else return undefined;
    }
  return {
    ...plain(main),
    boxes: phrases.flatMap(({ spans, boxes }) =>
      mergeNearDuplicateBoxes(boxes, SAME_OBJECT_IOU).map((bbox) => ({ bbox, spans })),
    ),
  };
};

/** Merges identical captions into one with the boxes of all. */
const mergeSameText = (captions: readonly RegionCaption[]): RegionCaption => {
  const { regionId, caption } = captions[0]!;
  const points = codePointsOf(caption);
  const all = captions.flatMap(({ boxes }) => boxes);
  const clusters = boxClusters(
    all.map(({ bbox }) => bbox),
    SAME_CAPTION_IOU,
  );
  const boxes =
    clusters.length === all.length
      ? all
      : clusters.map((cluster) => ({
          bbox: cluster.length === 1 ? all[cluster[0]!]!.bbox : meanBox(cluster.map((i) => all[i]!.bbox)),
          spans: consolidateSpans(
            cluster.flatMap((i) => all[i]!.spans),
            points,
          ),
        }));
  return {
    regionId,
    caption,
    boxes,
    tokensNegative: consolidateSpans(
      captions.flatMap(({ tokensNegative }) => tokensNegative),
      points,
    ),
    hasObjects: captions.some(({ hasObjects }) => hasObjects),
  };
};

const intersect = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean => [...a].some((word) => b.has(word));

/** Indices of the words that the spans of each box overlap. */
const wordsOfBoxes = (
  { caption, boxes }: RegionCaption,
  words: ReturnType<typeof contentWords>,
): ReadonlySet<number>[] => {
  const points = new CodePointMap(caption);
  return boxes.map(({ spans }) => {
    const ranges = spans.map(([begin, end]) => [points.toUtf16(begin), points.toUtf16(end)] as const);
    const indices = [...words.keys()].filter((i) =>
      ranges.some(([begin, end]) => begin < words[i]!.end && words[i]!.start < end),
    );
    return new Set(indices);
  });
};
