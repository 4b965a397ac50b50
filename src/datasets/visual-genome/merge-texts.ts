import { CodePointMap } from '../../text/spans/code-points.ts';
import type { Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { iouXyxy } from '../../geometry/box-overlap.ts';
import { boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { boxClusters, linkedClusters, meanBox, mergeNearDuplicateBoxes } from '../../geometry/box-clusters.ts';
import { codePointsOf, consolidateSpans } from '../combine/caption-spans.ts';
import { contentWords } from './phrase-text.ts';
import type { RegionBox, RegionText } from './region-texts.ts';

/** Boxes of meeting words of two texts must overlap by this IoU for the texts to be one; then boxes that do are one. */
const SAME_TEXT_IOU = 0.5;
/** A text without objects goes where one with objects overlaps it by this IoU or more. */
const COVERED_IOU = 0.1;
/** Boxes of texts that are letter by letter the same are one from this IoU on, whatever their words. */
const SAME_CAPTION_IOU = 0.75;
/** "the wall on the side of the building": says nothing, and its boxes are anywhere. */
const EMPTY_WORDS = new Set(['wall', 'side', 'building']);

/** A text with what its boxes' words are among the words that say something: numbers of those words, per box. */
interface ComparedText extends RegionText {
  readonly meant: readonly ReadonlySet<number>[];
}

/**
 * Makes one of the texts of an image that say the same of the same objects, by the official rules. Texts say the same
 * when their words, without marks and stop words, have the same lemmas.
 */
export const mergeTexts = (texts: readonly RegionText[]): RegionText[] => {
  const groups = new Map<string, ComparedText[]>();
  for (const text of texts) {
    const words = contentWords(text.caption);
    const key = words.map(({ lemma }) => lemma).join(' ');
    const group = groups.get(key);
    const compared = { ...text, meant: meantWords(text, words) };
    if (group === undefined) groups.set(key, [compared]);
    else group.push(compared);
  }
  return [...groups].flatMap(([key, group]) => {
    const words = key.split(' ');
    if (words.includes('wall') && words.every((word) => EMPTY_WORDS.has(word))) return [];
    return group.length === 1 ? [plain(group[0]!)] : mergeGroup(group);
  });
};

const plain = ({ meant: _, ...text }: ComparedText): RegionText => text;

const mergeGroup = (group: readonly ComparedText[]): RegionText[] => {
  const withObjects = group.filter(({ hasObjects }) => hasObjects);
  const covering = withObjects.flatMap(({ boxes }) => boxes);
  const withoutObjects = group.filter(
    ({ hasObjects, boxes }) => !hasObjects && !(largestIou(covering, boxes) >= COVERED_IOU),
  );
  const byCaption = new Map<string, RegionText[]>();
  for (const text of [...mergeSameObjects(withObjects), ...mergeSameObjects(withoutObjects)]) {
    const same = byCaption.get(text.caption);
    if (same === undefined) byCaption.set(text.caption, [text]);
    else same.push(text);
  }
  return [...byCaption.values()].map(mergeSameCaption);
};

const largestIou = (a: readonly RegionBox[], b: readonly RegionBox[]): number => {
  const [cornersA, cornersB] = [boxesXywhToXyxy(a.map(({ bbox }) => bbox)), boxesXywhToXyxy(b.map(({ bbox }) => bbox))];
  let largest = 0;
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) largest = Math.max(largest, iouXyxy(cornersA, i, cornersB, j, 'float32') || 0);
  return largest;
};

/** Texts whose boxes agree wherever they mean the same words become the one with most boxes. */
const mergeSameObjects = (texts: readonly ComparedText[]): RegionText[] => {
  if (texts.length <= 1) return texts.map(plain);
  const clusters = linkedClusters(texts.length, (i, j) => agree(texts[i]!, texts[j]!));
  const merged: RegionText[] = [];
  for (const cluster of clusters) {
    const one = cluster.length === 1 ? plain(texts[cluster[0]!]!) : joined(cluster.map((i) => texts[i]!));
    // Words of one that the main one does not have: officially all stay as they were.
    if (one === undefined) return texts.map(plain);
    merged.push(one);
  }
  return merged;
};

const agree = (a: ComparedText, b: ComparedText): boolean => {
  const [cornersA, cornersB] = [a, b].map(({ boxes }) => boxesXywhToXyxy(boxes.map(({ bbox }) => bbox))) as [
    Float32Array,
    Float32Array,
  ];
  return a.meant.every((wordsA, i) =>
    b.meant.every((wordsB, j) => {
      if (wordsA.size === 0 || wordsB.size === 0) return false;
      return !share(wordsA, wordsB) || !(iouXyxy(cornersA, i, cornersB, j, 'float32') < SAME_TEXT_IOU);
    }),
  );
};

const joined = (texts: readonly ComparedText[]): RegionText | undefined => {
  // Most boxes first; of equal ones the later.
  const order = [...texts.keys()].sort((a, b) => texts[b]!.boxes.length - texts[a]!.boxes.length || b - a);
  const main = texts[order[0]!]!;
  const phrases: { readonly words: ReadonlySet<number>; readonly spans: readonly Span[]; readonly boxes: BoxXywh[] }[] =
    [];
  for (const number of order)
    for (const [b, { bbox, spans }] of texts[number]!.boxes.entries()) {
      const words = texts[number]!.meant[b]!;
      const phrase = phrases.find((known) => share(known.words, words));
      if (phrase !== undefined) phrase.boxes.push(bbox);
      else if (number === order[0]) phrases.push({ words, spans, boxes: [bbox] });
      else return undefined;
    }
  return {
    ...plain(main),
    boxes: phrases.flatMap(({ spans, boxes }) =>
      mergeNearDuplicateBoxes(boxes, SAME_TEXT_IOU).map((bbox) => ({ bbox, spans })),
    ),
  };
};

/** Texts that are letter by letter the same become one with the boxes of all. */
const mergeSameCaption = (texts: readonly RegionText[]): RegionText => {
  const { regionId, caption } = texts[0]!;
  const points = codePointsOf(caption);
  const all = texts.flatMap(({ boxes }) => boxes);
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
      texts.flatMap(({ tokensNegative }) => tokensNegative),
      points,
    ),
    hasObjects: texts.some(({ hasObjects }) => hasObjects),
  };
};

const share = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean => [...a].some((word) => b.has(word));

const meantWords = ({ caption, boxes }: RegionText, words: ReturnType<typeof contentWords>): ReadonlySet<number>[] => {
  const points = new CodePointMap(caption);
  return boxes.map(({ spans }) => {
    const ranges = spans.map(([begin, end]) => [points.toUtf16(begin), points.toUtf16(end)] as const);
    const meant = [...words.keys()].filter((i) =>
      ranges.some(([begin, end]) => begin < words[i]!.end && words[i]!.start < end),
    );
    return new Set(meant);
  });
};
