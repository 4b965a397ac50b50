import { join } from 'node:path';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import { resizeBilinear } from '../../data/transforms/resize.ts';
import { blockColors, colorOf } from '../../datasets/photos/object-colors.ts';
import type { PhotoRow, RelativeBox } from '../../datasets/photos/photo-row.ts';
import { extreme } from '../../datasets/photos/photo-texts.ts';
import { bestOverlap, MATCH_IOU } from '../../geometry/box-overlap.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { MDETR } from '../../inference/node/mdetr.ts';
import type { TextOutputs } from '../../inference/text-outputs.ts';
import { postprocessBoxes } from '../../postprocess/scored-boxes.ts';
import { Random } from '../../random/random.ts';
import { COCO_NOUNS, VOC_NOUNS } from '../../text/lexicon/concepts.ts';
import { createPositiveMap } from '../../text/index.ts';
import type { CaptionInspector } from '../report/inspected-caption.ts';
import { PhotoMetrics, type ExpressionKind } from './photo-metrics.ts';

/** Absent nouns that are asked for in each image. */
const ABSENT_PER_IMAGE = 4;

/** Options of `evaluatePhotos`. */
export interface EvaluatePhotosOptions {
  /** Rows with human boxes. */
  readonly rows: readonly PhotoRow[];
  /** Folder of the image files. */
  readonly images: string;
  /** Minimum score of a detection. */
  readonly threshold: number;
  readonly seed: number;
  /** Receives the captions of present and of absent nouns. */
  readonly inspector?: CaptionInspector | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Stops between images. */
  readonly signal?: AbortSignal | undefined;
}

/** A text, the phrase that is measured, and what to do with the best box of the phrase. */
interface Query {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Boxes of the phrase, if all of them are known; empty for an absent noun. */
  readonly boxes?: readonly RelativeBox[] | undefined;
  readonly measure: (found: Found) => void;
}

/** Best box and score that a model found for a phrase. */
interface Found {
  /** Box of the query with the largest probability of the phrase, relative, xyxy. */
  readonly best: RelativeBox;
  /** Largest score of a query whose probable tokens are in the phrase. */
  readonly score: number;
}

/**
 * Measures a model on photographs with human boxes: nouns, phrases of captions, expressions by templates, and present and
 * absent nouns at a threshold.
 */
export const evaluatePhotos = async (model: MDETR, options: EvaluatePhotosOptions): Promise<PhotoMetrics> => {
  const { rows, images, signal } = options;
  const metrics = new PhotoMetrics();
  for (const [done, row] of rows.entries()) {
    signal?.throwIfAborted();
    const image = await decodeImage(join(images, row.parts[0]!.file), { orientation: 'stored' });
    const colors = blockColors(resizeBilinear(image, 384, 384));
    const objectColors = row.objects.map(({ box, noun }) => colorOf(colors, box, noun));
    const queries = [
      ...nounQueries(row, options, metrics),
      ...captionQueries(row, metrics),
      ...expressionQueries(row, objectColors, metrics),
    ];
    const encoded = await model.encodeImage(image);
    for (let from = 0; from < queries.length; from += 16) {
      const batch = queries.slice(from, from + 16);
      const outputs = await encoded.predict(
        batch.map(({ text }) => text),
        { truncation: 'end' },
      );
      batch.forEach((query, index) => {
        query.measure(foundIn(outputs, index, query));
        inspect(options.inspector, row, image, query, outputs, index);
      });
    }
    options.onProgress?.(done + 1, rows.length);
  }
  return metrics;
};

const inspect = (
  inspector: CaptionInspector | undefined,
  { id }: PhotoRow,
  image: RawImage,
  { text, start, end, boxes }: Query,
  outputs: TextOutputs,
  index: number,
): void => {
  if (boxes === undefined) return;
  const { width, height } = image;
  const inPixels = ([x0, y0, x1, y1]: RelativeBox): RelativeBox => [x0 * width, y0 * height, x1 * width, y1 * height];
  inspector?.add({
    image: id,
    caption: text,
    phrases: [{ spans: [{ start, end }], boxes: boxes.map(inPixels) }],
    outputs,
    index,
    pixels: () => Promise.resolve(image),
  });
};

const foundIn = (outputs: TextOutputs, index: number, { start, end }: Query): Found => {
  const { probabilities, scores, boxes } = postprocessBoxes(outputs.detection(index), { width: 1, height: 1 });
  const [row] = createPositiveMap(outputs.encoding(index), [[[start, end]]]);
  const classes = probabilities.length / scores.length;
  let [best, bestMass, score] = [0, -1, 0];
  for (let query = 0; query < scores.length; query++) {
    const mass = row!.tokens.reduce((sum, token) => sum + probabilities[query * classes + token]!, 0);
    if (mass > bestMass) [best, bestMass] = [query, mass];
    if (mass >= 0.5 * scores[query]!) score = Math.max(score, scores[query]!);
  }
  return { best: Array.from(boxes.subarray(4 * best, 4 * best + 4)) as unknown as RelativeBox, score };
};

const nounQueries = (row: PhotoRow, { threshold, seed }: EvaluatePhotosOptions, metrics: PhotoMetrics): Query[] => {
  const human = row.objects.filter((object) => object.human === true && isNoun(object.noun));
  // Other nouns of the images of Pascal VOC are not known.
  const known = row.source === 'voc' ? VOC_NOUNS : COCO_NOUNS;
  const present = [...new Set(human.map(({ noun }) => noun))].filter((noun) => known.includes(noun));
  const queries = present.map((noun): Query => {
    const boxes = human.filter((object) => object.noun === noun).map(({ box }) => box);
    const isLarge = Math.max(...boxes.map(areaOf)) >= 0.01;
    return {
      ...asked(`the ${noun}`),
      boxes,
      measure: ({ best, score }) => {
        metrics.addNoun(isRight(best, boxes), isLarge);
        metrics.addPresent(score > threshold);
      },
    };
  });
  const labeled = new Set([...row.objects, ...row.ignored].map(({ noun }) => noun));
  const absent = Random.of(seed, row.id, 'absent nouns')
    .shuffled(known.filter((noun) => !labeled.has(noun)))
    .slice(0, ABSENT_PER_IMAGE);
  return [
    ...queries,
    ...absent.map((noun): Query => ({
      ...asked(`the ${noun}`),
      boxes: [],
      measure: ({ score }) => metrics.addAbsent(score > threshold),
    })),
  ];
};

const captionQueries = ({ captions, objects }: PhotoRow, metrics: PhotoMetrics): Query[] =>
  captions.flatMap(({ caption, phrases }) =>
    phrases.map(({ start, end, objects: own }): Query => ({
      text: caption,
      start,
      end,
      measure: ({ best }) =>
        metrics.addPhrase(
          isRight(
            best,
            own.map((index) => objects[index]!.box),
          ),
        ),
    })),
  );

const PLACE_TEMPLATES: Readonly<Record<string, string>> = {
  left: 'the * on the left',
  right: 'the * on the right',
  top: 'the * at the top',
  bottom: 'the * at the bottom',
};

/** Expressions for one of two to four objects of a noun, where place, color or size tells it apart by a clear margin. */
const expressionQueries = (row: PhotoRow, colors: readonly (string | undefined)[], metrics: PhotoMetrics): Query[] => {
  const nouns = [...new Set(row.objects.map(({ noun }) => noun))].filter(isNoun);
  return nouns.flatMap((noun) => {
    const objects = row.objects.flatMap((object, index) =>
      object.noun === noun && object.human === true ? [index] : [],
    );
    const isClear = !row.ignored.some((other) => other.noun === noun);
    if (objects.length < 2 || objects.length > 4 || !isClear) return [];
    const all = objects.map((index) => row.objects[index]!.box);
    const expression = (kind: ExpressionKind, template: string, target: number | undefined): Query[] =>
      target === undefined
        ? []
        : [
            {
              ...asked(template.replace('*', noun)),
              measure: ({ best }) => {
                // Counted when one of the objects is boxed at all: finding them is measured by the nouns.
                if (isRight(best, all)) metrics.addExpression(kind, isRight(best, [row.objects[target]!.box]));
              },
            },
          ];
    return [
      ...Object.entries(PLACE_TEMPLATES).flatMap(([place, template]) =>
        expression('place', template, extreme(row, objects, place)),
      ),
      ...expression('size', 'the big *', extreme(row, objects, 'large')),
      ...expression('size', 'the small *', extreme(row, objects, 'small')),
      ...objects.flatMap((index) => {
        const color = colors[index];
        const isUnique = objects.every(
          (other) => other === index || (colors[other] !== undefined && colors[other] !== color),
        );
        if (color === undefined || !isUnique) return [];
        return expression('color', noun === 'person' ? `the * in ${color}` : `the ${color} *`, index);
      }),
    ];
  });
};

const isNoun = (noun: string): boolean => (COCO_NOUNS as readonly string[]).includes(noun);
const asked = (text: string): Pick<Query, 'text' | 'start' | 'end'> => ({ text, start: 0, end: text.length });
const areaOf = ([x0, y0, x1, y1]: RelativeBox): number => (x1 - x0) * (y1 - y0);
const isRight = (box: RelativeBox, boxes: readonly RelativeBox[]): boolean => bestOverlap(box, boxes).iou >= MATCH_IOU;
