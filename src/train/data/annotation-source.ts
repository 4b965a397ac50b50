import { existsSync } from 'node:fs';
import { targetFromRow } from '../../data/format/coco-annotations.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { ImageRoots } from '../../data/images/image-roots.ts';
import { decodeImage } from '../../data/images/image.ts';
import { AnnotationIndex } from '../../data/annotation-index/annotation-index.ts';
import { RowReader } from '../../data/annotation-index/row-reader.ts';
import { maskToDense } from '../../geometry/run-lengths.ts';
import { Random } from '../../random/random.ts';
import { normalizeTarget, type Target } from '../../data/format/target.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { hasMaskLosses } from '../../losses/index.ts';
import type { TrainConfig } from '../config/config.ts';
import type { AnnotatedDataset } from '../config/slices/datasets.ts';
import type { AnswerLabeller, RowAnswer } from './answer-labels.ts';
import { augmentationOf } from './augmentation.ts';
import { officialPaths } from './official-datasets.ts';
import type { Draw, ImageSample, SampleSource, TextSample } from './sample-source.ts';

/**
 * Pictures and texts of an annotation file in the official format, or of one of CLEVR's questions, augmented as the
 * official code does.
 */
export class AnnotationSource implements SampleSource {
  readonly length: number;
  private readonly index: AnnotationIndex;
  private readonly reader: RowReader;
  private readonly roots: ImageRoots;

  constructor(
    private readonly dataset: AnnotatedDataset,
    private readonly config: TrainConfig,
    private readonly labels: AnswerLabeller | undefined,
  ) {
    this.roots = requireFiles(dataset);
    this.index = AnnotationIndex.open(dataset.annotations);
    if (this.index.format === 'questions') this.requireQuestionHeads();
    // Who leaves bad rows out is the batch, which puts another row in their place.
    this.reader = new RowReader(this.index, { onBadRow: 'stop' });
    this.length = this.index.length;
  }

  sizeOf(row: number): { readonly width: number; readonly height: number } {
    return this.index.sizeOf(row);
  }

  async get(row: number, draw: Draw): Promise<ImageSample> {
    const read = this.reader.read(row) ?? impossible();
    const id = `${this.dataset.annotations}: row ${row} (image id ${read.image.id})`;
    const picture = await naming(`${id}: file_name`, () =>
      // Boxes of the files are those of the stored pixels: no turning by EXIF, as in the official code.
      decodeImage(this.roots.pathOf(read.image), { orient: false }),
    );
    const size = [picture.height, picture.width] as const;
    const masks = hasMaskLosses(this.config);
    if (masks) requireMasks(read, id);
    const found = await naming(`${id}: annotations`, () => targetFromRow(read, size, { masks }));
    const random = Random.of(draw.seed, draw.epoch, row, 'augmentation');
    const { image, target } = await naming(id, () =>
      augmentationOf(this.dataset, this.config)({ image: picture, target: found }, random),
    );
    const answers = await naming(`${id}: answer`, () => this.labels?.(this.answerOf(read)));
    return { id, image, texts: [textOf(target, this.config, answers)] };
  }

  close(): void {
    this.index.close();
  }

  /** Without boxes every query would learn that nothing is there. */
  private requireQuestionHeads(): void {
    const { annotations } = this.dataset;
    const refuse = (way: string): never => {
      this.close();
      throw new MdetrError(`${annotations}: has questions without boxes: ${way}`);
    };
    if (this.labels === undefined) refuse('only question heads learn from them (do_qa, qa_dataset)');
    if (!this.config.no_detection)
      refuse('switch the detection losses off (no_detection), or prepare a file with boxes');
  }

  /** The answer of a row that asks something. */
  private answerOf({ image }: CocoRow): RowAnswer | undefined {
    const { answer, question_type: type } = image;
    if (answer === undefined || answer === null) {
      if (this.index.format !== 'questions') return undefined;
      throw new MdetrError('is missing: questions of a test set teach nothing');
    }
    if (typeof answer !== 'string' && typeof answer !== 'number')
      throw new MdetrError(`is ${JSON.stringify(answer)}, neither a text nor a number`);
    return { answer: String(answer), ...(typeof type === 'string' ? { question_type: type } : {}) };
  }
}

/** Where a dataset's pictures are. Throws `MdetrError` naming the file or folder that is missing, and the key that names it. */
export const requireFiles = (dataset: AnnotatedDataset): ImageRoots => {
  const { annotations, images } = dataset;
  const roots = ImageRoots.of(images);
  if (!existsSync(annotations)) throw new MdetrError(`${annotations}: no such annotation file${whereFrom(dataset)}`);
  const [missing] = roots.missingFolders();
  if (missing !== undefined)
    throw new MdetrError(
      `${missing}: there is no such folder; it should hold the pictures of ${annotations}${whereFrom(dataset)}`,
    );
  return roots;
};

/** Official datasets are looked for where the config's paths say. */
const whereFrom = ({ name = '' }: AnnotatedDataset): string => {
  const keys = officialPaths[name];
  return keys === undefined ? '' : `; "${name}" is looked for where ${keys.join(' and ')} say`;
};

const impossible = (): never => {
  throw new Error('internal: a reader that stops at bad rows gave none');
};

const requireMasks = ({ annotations }: CocoRow, id: string): void => {
  // What is left out anyway needs none.
  const without = annotations.findIndex(
    ({ iscrowd, bbox: [, , width, height], segmentation }) =>
      iscrowd !== 1 && width > 0 && height > 0 && segmentation === undefined,
  );
  if (without >= 0)
    throw new MdetrError(
      `${id}: annotations[${without}].segmentation: is missing, but masks are asked for: annotate them, or leave the ` +
        "network's masks as they are (--set mask_loss_coef=0 --set dice_loss_coef=0)",
    );
};

/** Work whose errors that people can mend say where. */
const naming = async <T>(where: string, work: () => T | Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    throw new MdetrError(`${where}: ${messageOf(error)}`, { cause: error });
  }
};

/** A target as training sees it. */
export const textOf = (target: Target, config: TrainConfig, answers: TextSample['answers']): TextSample => {
  const { boxesCxcywh, caption, tokensPositive = [], isFinal, masks } = normalizeTarget(target);
  const count = boxesCxcywh.length / 4;
  return {
    caption,
    boxesCxcywh,
    tokensPositive,
    // Where a file marks none, a text is about all that it mentions.
    ...(isFinal !== undefined || config.predict_final ? { isFinal: isFinal ?? new Float32Array(count).fill(1) } : {}),
    ...(masks === undefined ? {} : { masks: joinMasks(masks.map(maskToDense), target.size) }),
    ...(answers === undefined ? {} : { answers }),
  };
};

const joinMasks = (masks: readonly Uint8Array[], [height, width]: Target['size']): NonNullable<TextSample['masks']> => {
  const data = new Uint8Array(masks.length * height * width);
  masks.forEach((mask, index) => data.set(mask, index * height * width));
  return { data, height, width };
};
