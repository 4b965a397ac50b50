import { targetFromRow } from '../../data/format/row-target.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { ImageSource } from '../../data/images/image-source.ts';
import { resizeSample } from '../../data/transforms/transforms.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import type { Span, Tokenizer } from '../../text/index.ts';
import { labelerFor, labelsWithoutAnswer } from './answer-labels.ts';
import { sampleOfTarget } from './caption-sample.ts';
import { makeBatch } from './make-batch.ts';
import { codePointSpan, spanOfPhrase } from './phrase-spans.ts';
import type { ImageSample } from './sample-source.ts';
import type { TrainBatch } from './train-batch.ts';
import type { DataConfig, OfficialDataConfig } from '../config/data-settings.ts';
import type { AugmentationConfig, AuxiliaryConfig, OptimizerSettings } from '../config/run-settings.ts';
import type { LossConfig } from '../../losses/index.ts';

/** A box, and the words of the caption that refer to it: a phrase, or ranges of the caption. */
export type TrainingBox = {
  /** x0, y0, x1, y1 in pixels of the image, after its EXIF orientation was applied (see `orientation` of the config). */
  readonly box: readonly [x0: number, y0: number, x1: number, y1: number];
  /** For networks with `predict_final`: the caption as a whole refers to this box. Default: to all boxes. */
  readonly isFinal?: boolean;
} & (
  | {
      /** The words, as they stand in the caption: `'the red cube'`. */
      readonly phrase: string;
      /** Which one of several occurrences of the phrase, from 1 on. */
      readonly occurrence?: number;
      readonly spans?: undefined;
    }
  | {
      /** Ranges of the caption, in UTF-16 units. */
      readonly spans: readonly Span[];
      readonly phrase?: undefined;
      readonly occurrence?: undefined;
    }
);

/** An image, a caption, and the boxes of what the caption mentions. */
export interface TrainingSample {
  /** A path, the bytes of a file, or pixels. */
  readonly image: ImageSource;
  /** Caption or question. */
  readonly caption: string;
  /** Boxes with the phrases that refer to them. */
  readonly boxes: readonly TrainingBox[];
  /** For networks with question heads: the answer, if the caption is a question. */
  readonly answer?: string;
  /** Type of a GQA question: `obj`, `attr`, `rel`, `global` or `cat`. */
  readonly questionType?: string;
  /** Name of the sample in errors. Default: the path of the image, or its index. */
  readonly name?: string;
}

/**
 * Makes a batch of samples. Images are resized as in validation and not augmented.
 *
 * @throws {MdetrError} naming the sample and the field
 */
export const batchOfSamples = async (
  samples: readonly TrainingSample[],
  tokenizer: Tokenizer,
  config: LossConfig & DataConfig & OfficialDataConfig & AugmentationConfig & AuxiliaryConfig & OptimizerSettings,
): Promise<TrainBatch> => {
  if (samples.length === 0) throw new MdetrError('a batch needs at least one sample');
  // The answer tables of GQA are read only if there are answers.
  const labels = samples.some(({ answer }) => answer !== undefined)
    ? labelerFor(config, config.gqa_ann_path)
    : undefined;
  const images: ImageSample[] = [];
  for (const [index, sample] of samples.entries()) {
    const id = sample.name ?? (typeof sample.image === 'string' ? sample.image : `sample ${index + 1}`);
    const { answer, questionType } = sample;
    try {
      const answers =
        labels === undefined
          ? labelsWithoutAnswer(config)
          : labels(answer === undefined ? undefined : { answer, question_type: questionType });
      images.push(await imageOf(sample, id, index, answers, tokenizer, config));
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      throw new MdetrError(`${id}: ${messageOf(error)}`, { cause: error });
    }
  }
  return makeBatch(images, tokenizer.padId, config);
};

const imageOf = async (
  { image: source, caption, boxes }: TrainingSample,
  id: string,
  index: number,
  answers: Readonly<Record<string, number>> | undefined,
  tokenizer: Tokenizer,
  config: LossConfig & DataConfig & OfficialDataConfig & AugmentationConfig & AuxiliaryConfig & OptimizerSettings,
): Promise<ImageSample> => {
  const decoded = await decodeImage(source, { orientation: config.orientation });
  const { shortest_edge: shortest, longest_edge: longest } = config.image_size;
  const hasFinal = boxes.some(({ isFinal }) => isFinal !== undefined);
  const row = {
    image: { id: index, file_name: id, width: decoded.width, height: decoded.height, caption },
    annotations: boxes.map((own, boxIndex) => {
      const [x0, y0, x1, y1] = own.box;
      if (!own.box.every(Number.isFinite) || x1 <= x0 || y1 <= y0)
        throw new MdetrError(`boxes[${boxIndex}].box is [${own.box.join(', ')}]: it must be x0, y0, x1, y1 in pixels`);
      return {
        image_id: index,
        bbox: [x0, y0, x1 - x0, y1 - y0] as const,
        tokens_positive: spansOf(own, caption, boxIndex).map((span) => codePointSpan(caption, span)),
        isfinal: hasFinal ? own.isFinal === true : undefined,
      };
    }),
  };
  const found = targetFromRow(row, [decoded.height, decoded.width]);
  const { image, target } = resizeSample({ image: decoded, target: found }, shortest, longest);
  return { id, image, captions: [sampleOfTarget(target, answers, tokenizer, config)] };
};

const spansOf = ({ phrase, spans, occurrence }: TrainingBox, caption: string, boxIndex: number): readonly Span[] => {
  if ((phrase === undefined) === (spans === undefined))
    throw new MdetrError(`boxes[${boxIndex}]: give either phrase or spans, the words of the caption that refer to it`);
  return spans ?? [spanOfPhrase(caption, phrase, occurrence)];
};
