/// <reference lib="esnext.disposable" preserve="true" />
import type { PackedCocoRle } from '../geometry/run-lengths.ts';
import type { ImageSource } from '../data/images/image-source.ts';
import type { Calibration } from '../model-folder/calibration.ts';
import type { Precision } from '../model-folder/export-manifest.ts';
import type { ModelConfig } from '../models/index.ts';
import { checkOptions } from '../options/check-options.ts';
import type { AnswerVocabulary } from '../postprocess/answer-vocabulary.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../results/types.ts';
import { detectItems, runOnTexts, withCaptionIndices, type Task } from './batches.ts';
import type { EncodedHandle, ModelCore } from './model-core.ts';
import { detectStream } from './detect-stream.ts';
import { createEncodedImage, type EncodedImage } from './encoded-image.ts';
import {
  batchOptionRules,
  encodeImageOptionRules,
  type BatchOptions,
  type EncodeImageOptions,
  type ImageText,
} from './options.ts';
import type { TextOutputs } from './text-outputs.ts';

/**
 * A loaded model (Kamath et al., 2021, arXiv:2104.12763), the same on every platform. `Image` is what the platform takes as
 * an image. Use
 * `MDETR.fromPretrained` to load one, and `dispose` or `await using` to free it.
 */
export abstract class LoadedModel<Image = ImageSource> {
  private readonly core: ModelCore;

  /** Called by the platform's `fromPretrained` only. */
  protected constructor(core: object) {
    this.core = core as ModelCore;
  }

  /** The device that the model runs on: `cpu`, `webgpu`, `cuda`, … */
  get device(): string {
    return this.core.device;
  }

  /** Precision in which the weights are stored. Arithmetic is float32. */
  get dtype(): Precision {
    return this.core.source.dtype;
  }

  /** The network's configuration, under the official argument names. */
  get config(): ModelConfig {
    return this.core.source.config;
  }

  /** The authors' note about what the model can do, if any. */
  get notice(): string | undefined {
    return this.core.source.notice;
  }

  /** Which tensors of the weight file were loaded, ignored and missing; undefined for initial weights. */
  get loadReport(): string | undefined {
    return this.core.source.report;
  }

  /** Whether the model has the segmentation head. */
  get hasMasks(): boolean {
    return this.core.hasMasks;
  }

  /** Threshold and presence that were measured for the model; undefined for models without calibration. */
  get calibration(): Calibration | undefined {
    return this.core.source.calibration;
  }

  /** Answer tables of a GQA model; empty for others. */
  get answerVocabulary(): AnswerVocabulary {
    return this.core.source.answers;
  }

  /**
   * Checks whether the model can take an image of a size in pixels.
   *
   * @throws {MdetrError} if it is too narrow; the message names the image
   */
  checkSize(image: { readonly width: number; readonly height: number }, name = 'image'): void {
    this.core.checkSize(image, name);
  }

  /**
   * Detects what a caption mentions. Several captions give an array of results in their order; the image goes through the
   * backbone once.
   *
   * @throws {UsageError} for unknown options or values of the wrong type
   * @throws {MdetrError} for an image that cannot be read and for a caption that is empty or too long
   * @example
   * const { detections } = await model.detect('street.jpg', 'a man in a red coat and his dog', { threshold: 0.5 });
   * for (const { box, score, label } of detections) console.log(label, score, box);
   */
  detect(image: Image, caption: string, options?: BatchOptions): Promise<DetectionResult>;
  /** Finds the objects of several captions in an image. */
  detect(image: Image, captions: readonly string[], options?: BatchOptions): Promise<DetectionResult[]>;
  async detect(
    image: Image,
    captions: string | readonly string[],
    options: BatchOptions = {},
  ): Promise<DetectionResult | DetectionResult[]> {
    return this.run('detect', image, captions, options, this.core.detect.bind(this.core));
  }

  /** Finds the one object that an expression means; several expressions give an array. Throws as `detect` does. */
  refer(image: Image, expression: string, options?: BatchOptions): Promise<ReferResult>;
  /** Finds the objects of several expressions in an image. */
  refer(image: Image, expressions: readonly string[], options?: BatchOptions): Promise<ReferResult[]>;
  async refer(
    image: Image,
    expressions: string | readonly string[],
    options: BatchOptions = {},
  ): Promise<ReferResult | ReferResult[]> {
    return this.run('refer', image, expressions, options, this.core.refer.bind(this.core));
  }

  /**
   * Answers a question; several questions give an array. Throws as `detect` does, and `MdetrError` for a model without
   * question heads.
   */
  ask(image: Image, question: string, options?: BatchOptions): Promise<AnswerResult>;
  /** Answers several questions about an image. */
  ask(image: Image, questions: readonly string[], options?: BatchOptions): Promise<AnswerResult[]>;
  async ask(
    image: Image,
    questions: string | readonly string[],
    options: BatchOptions = {},
  ): Promise<AnswerResult | AnswerResult[]> {
    return this.run('ask', image, questions, options, this.core.ask.bind(this.core));
  }

  /**
   * Detects many captions in many images, in batches; results in the order of the items. An image that occurs several
   * times (the same object or path) is decoded and encoded once. Throws as `detect` does.
   */
  async detectBatch(items: readonly ImageText<Image>[], options: BatchOptions = {}): Promise<DetectionResult[]> {
    checkOptions('detectBatch', options, batchOptionRules);
    return detectItems(this.core, items, options);
  }

  /**
   * Detects as items arrive, in batches, results in their order. While the network runs on a batch, the next one is
   * pulled from the source and decoded, no more than that, so memory stays flat over millions of images. Throws as `detect`
   * does.
   *
   * @example
   * for await (const { image, detections } of model.detectStream(items())) console.log(image, detections.length);
   */
  detectStream(
    items: AsyncIterable<ImageText<Image>> | Iterable<ImageText<Image>>,
    options: BatchOptions = {},
  ): AsyncGenerator<DetectionResult, void, undefined> {
    checkOptions('detectStream', options, batchOptionRules);
    return detectStream(this.core, items, options);
  }

  /**
   * The network's outputs for captions of images, for custom metrics and post-processing. All items go through the
   * network at once; items with the same image share its features. Throws as `detect` does.
   */
  async predict(items: readonly ImageText<Image>[], options: BatchOptions = {}): Promise<TextOutputs> {
    checkOptions('predict', options, batchOptionRules);
    const images = [...new Set(items.map(({ image }) => image))];
    const names = images.map((image) => ({ image, name: items.find((item) => item.image === image)?.name }));
    const encoded = await this.core.encode(names, options);
    const captions = withCaptionIndices(items).map(({ item, text, captionIndex }) => ({
      image: images.indexOf(item.image),
      text,
      captionIndex,
    }));
    return this.core.predict(encoded, captions, options);
  }

  /**
   * Masks of chosen decoder queries of one item of `predict`, in their order, at the size of its original image.
   *
   * @throws {MdetrError} for a model without segmentation head
   */
  async predictMasks(outputs: TextOutputs, item: number, queries: readonly number[]): Promise<PackedCocoRle[]> {
    return this.core.predictMasks(outputs, item, queries);
  }

  /** Runs the backbone on an image and keeps its features, so that each further caption runs only the transformer. */
  async encodeImage(image: Image, options: EncodeImageOptions = {}): Promise<EncodedImage> {
    checkOptions('encodeImage', options, encodeImageOptionRules);
    const { signal, ...decode } = options;
    return createEncodedImage(this.core, await this.core.encode([{ image }], { decode, signal }));
  }

  /** Frees the model; it cannot be used afterwards. A second call does nothing. */
  async dispose(): Promise<void> {
    await this.core.dispose();
  }

  /** Frees the model, for `await using model = await MDETR.fromPretrained()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  private async run<R>(
    where: string,
    image: Image,
    texts: string | readonly string[],
    options: BatchOptions,
    task: Task<R>,
  ): Promise<R | R[]> {
    checkOptions(where, options, batchOptionRules);
    let encoded: EncodedHandle | undefined;
    const encode = async (): Promise<EncodedHandle> => (encoded = await this.core.encode([{ image }], options));
    try {
      return await runOnTexts(where, texts, encode, task, options);
    } finally {
      if (encoded !== undefined) this.core.release(encoded);
    }
  }
}
