import type { CocoRow } from '../../data/format/coco-format.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { BoxXyxy } from '../../geometry/boxes.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import { CodePointMap, type Span } from '../../text/index.ts';
import { captionTruth } from '../phrases/caption-truth.ts';
import { phrasesOf } from '../phrases/phrases.ts';

/** A phrase of a caption with its boxes in pixels; without boxes it is absent from the image. */
export interface InspectedPhrase {
  /** Ranges of the caption in UTF-16 units. */
  readonly spans: readonly Span[];
  readonly boxes: readonly BoxXyxy[];
}

/** A caption that a benchmark evaluates, with its ground truth and the model's outputs. */
export interface InspectedCaption {
  /** Name of the image. Captions with the same name are of one image. */
  readonly image: string;
  readonly caption: string;
  readonly phrases: readonly InspectedPhrase[];
  readonly outputs: TextOutputs;
  /** Index of the caption in the batch of `outputs`. */
  readonly index: number;
  /** Decodes the image; called only for captions that a page shows. */
  readonly pixels: () => Promise<RawImage>;
}

/** Receives every caption that a benchmark evaluates. */
export interface CaptionInspector {
  /** Called before the first caption. */
  begin(model: Pick<MDETR, 'calibration'>): void;
  add(caption: InspectedCaption): void;
}

/** Phrases of an annotation row: those with boxes, and those that the row marks as absent. */
export const inspectedPhrasesOf = (row: CocoRow): readonly InspectedPhrase[] => {
  const points = new CodePointMap(row.image.caption ?? '');
  return [
    ...phrasesOf(row).map(({ spans, boxesXyxy }) => ({
      spans: spans.map((span) => points.toSpan(span)),
      boxes: boxesXyxy as readonly BoxXyxy[],
    })),
    ...captionTruth(row).absent.map((span) => ({ spans: [span], boxes: [] })),
  ];
};

/** Boxes of all phrases, each once. */
export const boxesOfPhrases = (phrases: readonly InspectedPhrase[]): readonly BoxXyxy[] => [
  ...new Map(phrases.flatMap(({ boxes }) => boxes.map((box) => [box.join(' '), box] as const))).values(),
];
