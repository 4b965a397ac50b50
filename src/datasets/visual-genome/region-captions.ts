import * as z from 'zod';
import type { CodePointSpan } from '../../text/spans/span.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { mergeNearDuplicateBoxes } from '../../geometry/box-clusters.ts';
import { codePointsOf, consolidateSpans, spanListsOverlap } from '../combine/caption-spans.ts';
import { normalizeWhitespace, simplifyPunctuation } from './phrase-text.ts';

/** Boxes of one phrase with at least this IoU are merged. */
const SAME_BOX_IOU = 0.7;
const MIN_CAPTION_LENGTH = 3;

/** Schema of an entry of `region_graphs.json`, the regions of one image. */
export const regionGraphSchema = z.object({
  image_id: z.int(),
  regions: z.array(
    z.object({
      region_id: z.int(),
      phrase: z.string(),
      x: z.number(),
      y: z.number(),
      width: z.number(),
      height: z.number(),
      objects: z
        .array(z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number(), synsets: z.array(z.string()) }))
        .default([]),
      synsets: z
        .array(z.object({ synset_name: z.string(), entity_idx_start: z.int(), entity_idx_end: z.int() }))
        .default([]),
    }),
  ),
});

export type Region = z.output<typeof regionGraphSchema>['regions'][number];

/** The caption of a region, with boxes and their spans. */
export interface RegionCaption {
  readonly regionId: number;
  readonly caption: string;
  readonly boxes: readonly RegionBox[];
  readonly tokensNegative: readonly CodePointSpan[];
  /** False if the only box is that of the region itself. */
  readonly hasObjects: boolean;
}

export interface RegionBox {
  readonly bbox: BoxXywh;
  readonly spans: readonly CodePointSpan[];
}

/** Finds the root phrase of a caption, such as `rootOfPhrase`. */
export type RootFinder = (text: string) => {
  readonly rootSpans: readonly CodePointSpan[];
  readonly negativeSpans: readonly CodePointSpan[];
};

/**
 * Caption of a region with the boxes of its objects, by the official rules. An object is used only if it has exactly one
 * synset, which occurs exactly once in the phrase; otherwise its words are ambiguous. Objects whose words overlap the root
 * phrase get its spans; if there are none, the region's box gets them.
 * @returns the caption, or the reason why the region cannot be used
 */
export const captionOfRegion = (region: Region, rootOf: RootFinder): RegionCaption | string => {
  const caption = simplifyPunctuation(normalizeWhitespace(region.phrase));
  const points = codePointsOf(caption);
  if (points.length < MIN_CAPTION_LENGTH) return 'regions whose phrase is shorter than three characters';
  const spanOfSynset = spansOfSynsets(region, caption);
  if (spanOfSynset === undefined) return 'regions whose phrase has punctuation or spaces that shift its words';

  const { rootSpans, negativeSpans } = rootOf(caption);
  const rootBoxes: BoxXywh[] = [];
  const others = new Map<string, { readonly span: CodePointSpan; readonly boxes: BoxXywh[] }>();
  for (const { x, y, w, h, synsets } of region.objects) {
    const span = synsets.length === 1 ? spanOfSynset.get(synsets[0]!) : undefined;
    if (span === undefined) continue;
    const bbox: BoxXywh = [x, y, w, h];
    if (spanListsOverlap([span], rootSpans)) {
      rootBoxes.push(bbox);
      continue;
    }
    const other = others.get(span.join());
    if (other === undefined) others.set(span.join(), { span, boxes: [bbox] });
    else other.boxes.push(bbox);
  }
  const hasObjects = rootBoxes.length > 0 || others.size > 0;
  if (rootBoxes.length === 0) rootBoxes.push([region.x, region.y, region.width, region.height]);

  const phrases = [
    { spans: consolidateSpans(rootSpans, points), boxes: rootBoxes },
    ...[...others.values()].map(({ span, boxes }) => ({ spans: consolidateSpans([span], points), boxes })),
  ];
  return {
    regionId: region.region_id,
    caption,
    boxes: phrases.flatMap(({ spans, boxes }) =>
      mergeNearDuplicateBoxes(boxes, SAME_BOX_IOU).map((bbox) => ({ bbox, spans })),
    ),
    tokensNegative: consolidateSpans([...negativeSpans, ...[...others.values()].map(({ span }) => span)], points),
    hasObjects,
  };
};

/**
 * Spans in the caption of the synsets that are used. Undefined if the caption differs from the phrase by more than
 * leading and repeated spaces, because the source's positions are then invalid.
 */
const spansOfSynsets = (
  { phrase, synsets, objects }: Region,
  caption: string,
): ReadonlyMap<string, CodePointSpan> | undefined => {
  const points = codePointsOf(phrase);
  /** Position of each character of the phrase after leading and repeated spaces are removed. */
  const shifted = [0];
  let text = '';
  for (const character of points) {
    const isDropped = character === ' ' && (text === '' || text.endsWith(' '));
    if (!isDropped) text += character;
    shifted.push(shifted.at(-1)! + (isDropped ? 0 : 1));
  }
  if (text.trim().toLowerCase() !== caption.trim().toLowerCase()) return undefined;
  const at = (position: number): number => shifted[Math.min(Math.max(position, 0), points.length)]!;
  const ofObjects = new Set(objects.flatMap((object) => (object.synsets.length === 1 ? object.synsets : [])));
  const counts = new Map<string, number>();
  for (const { synset_name: name } of synsets) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map(
    synsets
      .filter(({ synset_name: name }) => counts.get(name) === 1 && ofObjects.has(name))
      .map(({ synset_name: name, entity_idx_start: begin, entity_idx_end: end }) => [name, [at(begin), at(end)]]),
  );
};
