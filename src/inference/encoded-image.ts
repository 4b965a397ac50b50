import { checkOptions } from '../options/check-options.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../results/types.ts';
import { captionsOf, runOnTexts } from './batches.ts';
import type { EncodedHandle, ModelCore } from './model-core.ts';
import { inferenceOptionRules, type InferenceOptions } from './options.ts';
import type { TextOutputs } from './text-outputs.ts';

/** Makes an `EncodedImage`, whose constructor is private. */
export let createEncodedImage: (core: ModelCore, images: EncodedHandle) => EncodedImage;

/**
 * An image whose backbone features are kept, so that each further caption runs only the transformer. Made by
 * `MDETR.encodeImage`; it needs no disposal, but stops working once its model is disposed.
 *
 * @example
 * const scene = await model.encodeImage('street.jpg');
 * const { detections } = await scene.detect('a dog');
 * const { answer } = await scene.ask('What color is the dog?');
 */
export class EncodedImage {
  static {
    createEncodedImage = (core, images) => new EncodedImage(core, images);
  }

  private constructor(
    private readonly core: ModelCore,
    private readonly images: EncodedHandle,
  ) {}

  /** Size of the original image in pixels. */
  get size(): { readonly width: number; readonly height: number } {
    const { width, height } = this.images.images[0]!.original;
    return { width, height };
  }

  /**
   * Detects what a caption mentions. Several captions give an array of results in their order.
   *
   * @throws {UsageError} for unknown options or values of the wrong type
   * @throws {MdetrError} for a caption that is empty or too long
   */
  detect(caption: string, options?: InferenceOptions): Promise<DetectionResult>;
  /** Finds the objects of several captions. */
  detect(captions: readonly string[], options?: InferenceOptions): Promise<DetectionResult[]>;
  async detect(
    captions: string | readonly string[],
    options: InferenceOptions = {},
  ): Promise<DetectionResult | DetectionResult[]> {
    checkOptions('detect', options, inferenceOptionRules);
    return this.run('detect', captions, options, this.core.detect.bind(this.core));
  }

  /** Finds the one object that an expression means; several expressions give an array. Throws as `detect` does. */
  refer(expression: string, options?: InferenceOptions): Promise<ReferResult>;
  /** Finds the objects of several expressions. */
  refer(expressions: readonly string[], options?: InferenceOptions): Promise<ReferResult[]>;
  async refer(
    expressions: string | readonly string[],
    options: InferenceOptions = {},
  ): Promise<ReferResult | ReferResult[]> {
    checkOptions('refer', options, inferenceOptionRules);
    return this.run('refer', expressions, options, this.core.refer.bind(this.core));
  }

  /**
   * Answers a question; several questions give an array. Throws as `detect` does, and `MdetrError` for a model without
   * question heads.
   */
  ask(question: string, options?: InferenceOptions): Promise<AnswerResult>;
  /** Answers several questions. */
  ask(questions: readonly string[], options?: InferenceOptions): Promise<AnswerResult[]>;
  async ask(
    questions: string | readonly string[],
    options: InferenceOptions = {},
  ): Promise<AnswerResult | AnswerResult[]> {
    checkOptions('ask', options, inferenceOptionRules);
    return this.run('ask', questions, options, this.core.ask.bind(this.core));
  }

  /** The network's outputs for several captions in one run of the transformer, as `MDETR.predict`. */
  async predict(texts: readonly string[], options: InferenceOptions = {}): Promise<TextOutputs> {
    checkOptions('predict', options, inferenceOptionRules);
    return this.core.predict(this.images, captionsOf('predict', texts), options);
  }

  private run<R>(
    where: string,
    texts: string | readonly string[],
    options: InferenceOptions,
    task: Parameters<typeof runOnTexts<R>>[3],
  ): Promise<R | R[]> {
    return runOnTexts(where, texts, () => Promise.resolve(this.images), task, options);
  }
}
