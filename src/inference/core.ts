import { nameOfSource, type DecodeOptions } from '../data/images/image-source.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import { MdetrError } from '../errors.ts';
import { maskToPolygons } from '../geometry/mask-polygons.ts';
import { unpackMask, type PackedCocoRle } from '../geometry/run-lengths.ts';
import type { ModelSource } from '../model-folder/model-source.ts';
import { answerOf } from '../postprocess/answers.ts';
import { captionDetectionsOf, referredDetectionOf } from '../postprocess/detections.ts';
import { thresholdOf } from '../postprocess/thresholds.ts';
import { measuresOf } from '../results/measures.ts';
import {
  RESULTS_VERSION,
  type AnswerResult,
  type DetectedObject,
  type DetectionResult,
  type ReferResult,
  type ResultBase,
} from '../results/types.ts';
import { SpareBuffers } from '../engine/runtime/spare-buffers.ts';
import { unseenWordWarnings } from '../text/index.ts';
import { concatBatches, encodeImages, evidenceFeeds, textBatches, type EncodedImages } from './encoded-images.ts';
import { withEmbeddings } from './query-embeddings.ts';
import type { EncodeOptions, ModelCore, NamedImage } from './model-core.ts';
import type { InferenceOptions } from './options.ts';
import { EXPRESSIONS_WARNING } from './image-domain.ts';
import { modelSizeOf, prepareImage, type PreparedImage } from './preprocess.ts';
import type { Stages } from './stages.ts';
import { ProgramOutputs, type CaptionOutputs, type ImageCaption, type TextOutputs } from './text-outputs.ts';

/** Buffers of pixels that are kept for later batches: images and padding of two. */
const MAX_KEPT_BATCHES = 4;
/** Size above which a buffer is freed: at official sizes, allocating it takes no time beside the network. */
const MAX_KEPT_BYTES = 4 * 2 ** 20;

/** Decodes an image of a kind that the platform knows; each platform has its own implementation. */
export type DecodeImage = (source: unknown, options: DecodeOptions) => Promise<RawImage>;

/** Parts of a loaded model. */
export interface CoreParts extends Stages {
  readonly source: Omit<ModelSource, 'model' | 'weights' | 'close'>;
  readonly device: string;
  readonly decode: DecodeImage;
}

/** The programs of a loaded model, and the steps from images and captions to results; shared by `MDETR` and `EncodedImage`. */
export class InferenceCore implements ModelCore {
  readonly source: CoreParts['source'];
  readonly device: string;
  private disposed = false;
  private readonly batchMemory = new SpareBuffers(MAX_KEPT_BATCHES, MAX_KEPT_BYTES);

  constructor(private readonly parts: CoreParts) {
    this.source = parts.source;
    this.device = parts.device;
  }

  get hasMasks(): boolean {
    return this.parts.masks !== undefined;
  }

  /** Checks the size of an image. @throws {MdetrError} naming the image, if it is too narrow */
  checkSize(size: Pick<RawImage, 'width' | 'height'>, name: string): void {
    modelSizeOf(size, this.source.preprocessing, name);
  }

  /** Decodes and resizes one image. */
  async prepare({ image, name }: NamedImage, decode: DecodeOptions = {}): Promise<PreparedImage> {
    this.requireUsable();
    const named = { ...decode, name: name ?? decode.name ?? nameOfSource(image) };
    const original = await this.parts.decode(image, named);
    const { preprocessing, madeFor } = this.source;
    return prepareImage(original, preprocessing, { name: named.name, madeFor });
  }

  /** Decodes images and runs the backbone on them, once for all of the same prepared size. */
  async encode(images: readonly NamedImage[], options: EncodeOptions): Promise<EncodedImages> {
    const { decode, signal } = options;
    const started = performance.now();
    const prepared: PreparedImage[] = [];
    for (const image of images) {
      signal?.throwIfAborted();
      prepared.push(await this.prepare(image, decode));
    }
    return this.encodePrepared(prepared, performance.now() - started, options);
  }

  /** Runs the backbone on prepared images. */
  async encodePrepared(
    images: readonly PreparedImage[],
    preprocessMs: number,
    { signal, officialBatching: isPadded = false }: EncodeOptions,
  ): Promise<EncodedImages> {
    signal?.throwIfAborted();
    this.requireUsable();
    const encoded = await encodeImages(this.parts.image, this.source.config, images, {
      preprocessMs,
      isPadded,
      signal,
      memory: this.batchMemory,
    });
    signal?.throwIfAborted();
    return encoded;
  }

  /** Gives the memory of the features to later runs. */
  release({ groups }: EncodedImages): void {
    for (const { features } of groups) this.parts.image.recycle?.(features);
  }

  /** Runs the transformer on captions of encoded images, once for all images whose features have the same shape. */
  async predict(
    images: EncodedImages,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<ProgramOutputs> {
    options.signal?.throwIfAborted();
    this.requireUsable();
    if (captions.some(({ text }) => text.trim() === ''))
      throw new MdetrError('the text is empty; name the objects to find');
    if (wantsMasks(options) && !this.hasMasks)
      throw new MdetrError(
        `model "${this.source.name}" has no segmentation head, so it predicts no masks; use one trained for PhraseCut, or the default model`,
      );
    const batches = textBatches(images, captions, this.source, options);
    const outputs: CaptionOutputs[] = [];
    const started = performance.now();
    for (const { groups, members, batchIndices, tokens } of batches) {
      const values = await this.parts.text.run({
        src: concatBatches(groups.map(({ features }) => features.src)),
        feature_padding: concatBatches(groups.map(({ features }) => features.feature_padding)),
        ...evidenceFeeds(groups.map(({ features }) => features)),
        image_index: { dtype: 'int32', shape: [members.length], data: Int32Array.from(batchIndices) },
        input_ids: { dtype: 'int32', shape: [tokens.B, tokens.T], data: tokens.inputIds },
        attention_mask: { dtype: 'int32', shape: [tokens.B, tokens.T], data: tokens.attentionMask },
      });
      options.signal?.throwIfAborted();
      members.forEach((caption, index) => {
        const { group, index: imageIndex } = images.locations[captions[caption]!.image]!;
        outputs[caption] = {
          values,
          index,
          group: images.groups[group]!,
          imageIndex,
          image: images.images[captions[caption]!.image]!,
          encoding: tokens.encodings[index]!,
        };
      });
    }
    const model = images.modelMs + performance.now() - started;
    return new ProgramOutputs(outputs, { preprocess: images.preprocessMs, model });
  }

  /** Results of `detect`, in the order of the captions. */
  detect(
    images: EncodedImages,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<DetectionResult[]> {
    return this.results(images, captions, options, (_outputs, _index, found) => Promise.resolve(found));
  }

  /** Results of `refer`, in the order of the expressions. */
  refer(
    images: EncodedImages,
    expressions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<ReferResult[]> {
    return this.results(images, expressions, options, async (outputs, index, found) => {
      // Without a threshold there is always a best object; with one, the caller asks whether there is any.
      const best = referredDetectionOf(outputs.detection(index), outputs.size(index), outputs.encoding(index), options);
      const [masked] = best === undefined ? [] : await this.withMasks(outputs, index, [best], options);
      const warnings = this.source.madeFor === 'photos' ? [...found.warnings, EXPRESSIONS_WARNING] : found.warnings;
      return { ...found, warnings, expression: found.caption, best: masked ?? null };
    });
  }

  /** Results of `ask`, in the order of the questions. */
  async ask(
    images: EncodedImages,
    questions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<AnswerResult[]> {
    if (!this.source.config.do_qa)
      throw new MdetrError(
        `model "${this.source.name}" has no question heads; use one trained on questions (GQA, CLEVR, scenes)`,
      );
    return this.results(images, questions, options, (outputs, index, found) => {
      const { type, ...answer } = answerOf(outputs.answers(index), this.source.answers);
      return Promise.resolve({ ...found, question: found.caption, ...answer, type: type ?? null });
    });
  }

  /** Masks of chosen queries of one caption, in their order, at the size of its original image. */
  async predictMasks(outputs: TextOutputs, index: number, queries: readonly number[]): Promise<PackedCocoRle[]> {
    if (this.parts.masks === undefined) throw new MdetrError(`model "${this.source.name}" has no segmentation head`);
    if (!(outputs instanceof ProgramOutputs)) throw new MdetrError('masks need the outputs that `predict` returned');
    this.requireUsable();
    return this.parts.masks.predict(outputs, index, queries);
  }

  /** Frees the programs. Later calls fail. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    const { image, text, masks } = this.parts;
    await Promise.all([image.dispose(), text.dispose(), masks?.dispose()]);
  }

  private async results<R extends ResultBase>(
    images: EncodedImages,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
    complete: (outputs: ProgramOutputs, index: number, found: DetectionResult) => Promise<R>,
  ): Promise<R[]> {
    const outputs = await this.predict(images, captions, options);
    const { calibration } = this.source;
    const threshold = thresholdOf(options.threshold, calibration);
    const limits = { ...options, threshold, presence: options.presence ?? calibration?.presence };
    const results: R[] = [];
    for (const [index, { text, captionIndex }] of captions.entries()) {
      const started = performance.now();
      const found = captionDetectionsOf(outputs.detection(index), outputs.size(index), outputs.encoding(index), limits);
      const masked = await this.withMasks(outputs, index, found.detections, options);
      const detections = options.embeddings === true ? withEmbeddings(outputs, index, masked) : masked;
      const about = outputs.about(index, 0);
      const result = await complete(outputs, index, {
        ...about,
        warnings: [...about.warnings, ...unseenWordWarnings(text, this.source.knownWords)],
        caption: text,
        captionIndex,
        threshold,
        detections,
        phrases: found.phrases,
        bestBelowThreshold: found.bestBelowThreshold,
        model: this.source.name,
        version: RESULTS_VERSION,
      });
      results.push({ ...result, timing: { ...result.timing, postprocess: performance.now() - started } });
    }
    // Results hold numbers of their own.
    for (const run of outputs.runs()) this.parts.text.recycle?.(run);
    return results;
  }

  private async withMasks<T extends DetectedObject>(
    outputs: ProgramOutputs,
    index: number,
    found: readonly T[],
    options: InferenceOptions,
  ): Promise<readonly T[]> {
    if (!wantsMasks(options) || this.parts.masks === undefined || found.length === 0) return found;
    options.signal?.throwIfAborted();
    const queries = found.map(({ query }) => query);
    const masks = await this.parts.masks.predict(outputs, index, queries, options.signal);
    const size = outputs.size(index);
    return found.map((detection, position) => {
      const mask = masks[position]!;
      const masked = { ...detection, ...measuresOf(detection.box, size, mask), mask };
      return options.polygons === true ? { ...masked, polygons: maskToPolygons(unpackMask(mask)) } : masked;
    });
  }

  private requireUsable(): void {
    if (this.disposed) throw new MdetrError('this model was disposed; load it again');
  }
}

const wantsMasks = ({ masks, polygons }: InferenceOptions): boolean => masks === true || polygons === true;
