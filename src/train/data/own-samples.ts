import { decodeImage } from '../../data/images/node/decode-image.ts';
import { type ImageSource } from '../../data/images/image-source.ts';
import type { Span } from '../../data/format/coco-format.ts';
import { resizeSample } from '../../data/transforms/transforms.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { TrainConfig } from '../config/config.ts';
import { targetFromRow } from '../../data/format/row-target.ts';
import { sampleOfTarget } from './caption-sample.ts';
import { makeBatch } from './make-batch.ts';
import type { ImageSample } from './sample-source.ts';
import type { TrainBatch } from './train-batch.ts';

/** A picture with a text about it, and the boxes of what the text mentions. */
export interface TrainingSample {
  /** A path, the bytes of a file, or pixels. */
  readonly image: ImageSource;
  readonly caption: string;
  readonly boxes: readonly {
    /** Pixels of the picture as stored: left, top, right, bottom. */
    readonly box: readonly [x0: number, y0: number, x1: number, y1: number];
    /** The words that mean it: ranges of the caption, in code points. */
    readonly spans: readonly Span[];
    /** For networks with `predict_final`: this is what the text is about. By default all boxes are. */
    readonly isFinal?: boolean;
  }[];
  /** How errors call it; the path or a number by default. */
  readonly name?: string;
}

/**
 * A batch of one's own pictures, resized as in validation and not varied otherwise.
 *
 * @throws {MdetrError} naming sample and field
 */
export const batchOfSamples = async (
  samples: readonly TrainingSample[],
  tokenizer: Tokenizer,
  config: TrainConfig,
): Promise<TrainBatch> => {
  if (samples.length === 0) throw new MdetrError('a batch needs at least one sample');
  const images: ImageSample[] = [];
  for (const [index, sample] of samples.entries()) {
    const id = sample.name ?? (typeof sample.image === 'string' ? sample.image : `sample ${index + 1}`);
    try {
      images.push(await imageOf(sample, id, index, tokenizer, config));
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
  tokenizer: Tokenizer,
  config: TrainConfig,
): Promise<ImageSample> => {
  const decoded = await decodeImage(source, { orient: false });
  const { shortest_edge: shortest, longest_edge: longest } = config.image_size;
  boxes.forEach(({ box }, number) => {
    if (!box.every(Number.isFinite) || box[2] <= box[0] || box[3] <= box[1])
      throw new MdetrError(`box ${number + 1} is [${box.join(', ')}]: it must be left, top, right, bottom in pixels`);
  });
  const row = {
    image: { id: index, file_name: id, width: decoded.width, height: decoded.height, caption },
    annotations: boxes.map(({ box: [x0, y0, x1, y1], spans, isFinal }) => ({
      image_id: index,
      bbox: [x0, y0, x1 - x0, y1 - y0] as const,
      tokens_positive: spans,
      ...(boxes.some((own) => own.isFinal !== undefined) ? { isfinal: isFinal === true } : {}),
    })),
  };
  const found = targetFromRow(row, [decoded.height, decoded.width]);
  const { image, target } = resizeSample({ image: decoded, target: found }, shortest, longest);
  return { id, image, captions: [sampleOfTarget(target, undefined, tokenizer, config)] };
};
