import { CodePointMap } from '../../text/spans/code-points.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { Random } from '../../random/random.ts';
import type { NewAnnotation, NewImage } from '../preparation/annotation-writer.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { makeTexts, type MadeTextOptions, type TextKind } from './made-texts.ts';
import { phraseSpans } from './phrase-spans.ts';
import type { PlacedImage, PlacedObject } from './placed-images.ts';

/** One caption of one image, as it is written. */
export interface DatasetRow {
  readonly image: NewImage;
  readonly annotations: readonly NewAnnotation[];
  readonly location: string;
}

/** Options of the rows of an imported data set. */
export interface RowOptions extends MadeTextOptions {
  readonly kinds: readonly TextKind[];
  /** Path of an image relative to the image folder of the dataset. */
  readonly fileNameOf: (image: PlacedImage) => string;
  readonly seed: number;
  readonly leftOut: Remarks;
  readonly notes: Remarks;
}

/** Rows of an image: one for its caption, or one for each caption that is made from its classes. */
export const rowsOf = (image: PlacedImage, options: RowOptions): DatasetRow[] => {
  if (image.caption !== undefined) return [captionRow(image, image.caption, options)];
  const fileName = options.fileNameOf(image);
  return options.kinds.flatMap((kind) => {
    // Keyed by the name, so that an image keeps its captions when others are added.
    const texts = makeTexts(kind, image, options, Random.of(options.seed, 'texts', kind, fileName));
    return texts.map(({ caption, phrases }) => {
      const codePoints = new CodePointMap(caption);
      const annotations = phrases.flatMap((phrase) =>
        phrase.objects.map((object) => annotationOf(object, [codePoints.toCodePointSpan(phrase)])),
      );
      const absent = phrases
        .filter(({ objects }) => objects.length === 0)
        .map((phrase) => codePoints.toCodePointSpan(phrase));
      return rowOf(image, fileName, caption, annotations, absent);
    });
  });
};

const captionRow = (image: PlacedImage, caption: string, options: RowOptions): DatasetRow => {
  const codePoints = new CodePointMap(caption);
  const spans = phraseSpans(
    caption,
    image.objects.map(({ label, occurrence }) => ({ phrase: label, occurrence })),
  );
  const annotations = image.objects.flatMap((object, i): NewAnnotation[] => {
    const ranges = object.spans ?? spans[i]!;
    if (ranges.length === 0) {
      options.leftOut.add(
        'boxes whose phrase is not in the caption',
        `${object.location}: "${object.label.slice(0, 60)}"`,
      );
      return [];
    }
    if (object.spans === undefined && ranges.length > 1)
      options.notes.add(
        'phrases that occur several times in a caption with more boxes than that, which refer to all of them',
        object.location,
      );
    const own = ranges.map((range) => codePoints.toCodePointSpan(range));
    return [annotationOf(object, own)];
  });
  return rowOf(image, options.fileNameOf(image), caption, annotations);
};

const rowOf = (
  { width, height, location }: PlacedImage,
  fileName: string,
  caption: string,
  annotations: readonly NewAnnotation[],
  absent?: readonly CodePointSpan[],
): DatasetRow => ({
  image: {
    file_name: fileName,
    width,
    height,
    caption,
    // Phrases whose objects the image does not show; not known of captions that a source has.
    tokens_negative: absent,
  },
  annotations,
  location,
});

const annotationOf = (
  { bbox, segmentation, isCrowd }: PlacedObject,
  spans: readonly CodePointSpan[],
): NewAnnotation => {
  const rounded = bbox.map((value) => Math.round(value * 1000) / 1000) as [number, number, number, number];
  return {
    bbox: rounded,
    area: rounded[2] * rounded[3],
    iscrowd: isCrowd === true ? 1 : 0,
    category_id: 1,
    tokens_positive: spans,
    segmentation,
  };
};
