import { existsSync } from 'node:fs';
import { targetFromRow } from '../../data/format/row-target.ts';
import type { CocoRow } from '../../data/format/coco-format.ts';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { AnnotatedImages } from '../../data/images/node/annotated-images.ts';
import { AnnotationIndex } from '../../data/annotation-index/annotation-index.ts';
import { RowReader } from '../../data/annotation-index/row-reader.ts';
import { shownImageId } from '../../data/annotation-index/string-ids.ts';
import { MdetrError } from '../../errors.ts';
import { hasMaskLosses, type LossConfig } from '../../losses/index.ts';
import type { AnnotatedDataset } from '../config/slices/datasets.ts';
import { Random } from '../../random/random.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { AnswerLabeler, RowAnswer } from './answer-labels.ts';
import { augmentationOf } from './augmentation.ts';
import { sampleOfTarget } from './caption-sample.ts';
import { withContext } from './error-context.ts';
import { OFFICIAL_PATHS } from './official-datasets.ts';
import type { ImageSample, SampleKey, SampleSource } from './sample-source.ts';
import type { AugmentationConfig } from '../config/run-settings.ts';
import type { DataConfig } from '../config/data-settings.ts';

/**
 * Images and captions of an annotation file in the official format, or of a file of CLEVR questions, augmented as in the
 * official code.
 */
export class AnnotationSource implements SampleSource {
  readonly length: number;
  private readonly index: AnnotationIndex;
  private readonly reader: RowReader;
  private readonly images: AnnotatedImages;

  constructor(
    private readonly dataset: AnnotatedDataset,
    private readonly config: LossConfig & DataConfig & AugmentationConfig,
    private readonly labels: AnswerLabeler | undefined,
  ) {
    this.images = new AnnotatedImages(requireFiles(dataset), config.orientation);
    this.index = AnnotationIndex.open(dataset.annotations);
    if (this.index.format === 'questions') this.requireQuestionHeads();
    // Bad rows are skipped by the batch maker, which replaces them by other rows.
    this.reader = new RowReader(this.index, {
      onBadRow: 'stop',
      masks: hasMaskLosses(config) ? 'required' : 'optional',
    });
    this.length = this.index.length;
  }

  sizeOf(row: number): { readonly width: number; readonly height: number } {
    return this.index.sizeOf(row);
  }

  async get(row: number, key: SampleKey, tokenizer: Tokenizer): Promise<ImageSample> {
    const { config, dataset } = this;
    const annotated = this.reader.read(row) ?? impossible();
    const id = `${dataset.annotations}: row ${row} (image id ${shownImageId(annotated.image)})`;
    let note: string | undefined;
    const decoded = await withContext(`${id}: file_name`, () =>
      this.images.decode(annotated.image, (text) => (note = text)),
    );
    const annotatedTarget = withContext(`${id}: annotations`, () =>
      targetFromRow(annotated, [decoded.height, decoded.width], { masks: hasMaskLosses(config) }),
    );
    const random = Random.of(key.seed, key.epoch, row, 'augmentation');
    const { image, target } = withContext(id, () =>
      augmentationOf(dataset, config)({ image: decoded, target: annotatedTarget }, random),
    );
    const answers = withContext(`${id}: answer`, () => this.labels?.(this.answerOf(annotated)));
    const caption = withContext(id, () => sampleOfTarget(target, answers, tokenizer, config));
    return { id, image, note, captions: [caption] };
  }

  close(): void {
    this.index.close();
  }

  /** Refuses questions without boxes for the detection losses: every query would learn that no object is there. */
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

  /** The answer of a row; undefined for a row that is no question. */
  private answerOf({ image }: CocoRow): RowAnswer | undefined {
    const { answer, question_type: type } = image;
    if (answer === undefined || answer === null) {
      if (this.index.format !== 'questions') return undefined;
      throw new MdetrError('is missing: the questions of a test split cannot be trained on');
    }
    if (typeof answer !== 'string' && typeof answer !== 'number')
      throw new MdetrError(`is ${JSON.stringify(answer)}, neither a string nor a number`);
    return { answer: String(answer), question_type: typeof type === 'string' ? type : undefined };
  }
}

/**
 * The image folders of a dataset.
 *
 * @throws {MdetrError} naming the annotation file or folder that is missing, and the config key that names it
 */
export const requireFiles = (dataset: AnnotatedDataset): ImageRoots => {
  const { annotations, images } = dataset;
  const roots = ImageRoots.of(images);
  if (!existsSync(annotations)) throw new MdetrError(`${annotations}: no such annotation file${whereFrom(dataset)}`);
  const [missing] = roots.missingFolders();
  if (missing !== undefined)
    throw new MdetrError(
      `${missing}: there is no such folder; it should hold the images of ${annotations}${whereFrom(dataset)}`,
    );
  return roots;
};

/** The end of a message about a missing file: the config keys that hold the paths of an official dataset. */
const whereFrom = ({ name = '' }: AnnotatedDataset): string => {
  const keys = OFFICIAL_PATHS[name];
  return keys === undefined ? '' : `; the paths of "${name}" are set by ${keys.join(' and ')}`;
};

const impossible = (): never => {
  throw new Error('internal: a reader that stops at bad rows returned none');
};
