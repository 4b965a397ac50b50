import type { DecodeOptions } from '../data/images/image-source.ts';
import type { PixelSize } from '../data/images/orientation.ts';
import type { PackedCocoRle } from '../geometry/run-lengths.ts';
import type { ModelSource } from '../model-folder/model-source.ts';
import type { AnswerResult, DetectionResult, ReferResult } from '../results/types.ts';
import type { BatchOptions, InferenceOptions } from './options.ts';
import type { ImageCaption, TextOutputs } from './text-outputs.ts';

/** An image, and its name in errors and results. The platform's decoder knows which kinds of images there are. */
export interface NamedImage {
  readonly image: unknown;
  readonly name?: string | undefined;
}

/** A decoded and resized image, wherever it is kept. */
export type PreparedHandle = object;

/** Images with their features, wherever these are kept. */
export interface EncodedHandle {
  readonly images: readonly { readonly original: PixelSize }[];
}

/** Options of running the backbone. */
export type EncodeOptions = Pick<BatchOptions, 'decode' | 'signal' | 'officialBatching'>;

/** Facts about a model that its callers ask for. */
export type ModelFacts = Pick<ModelSource, 'config' | 'notice' | 'report' | 'answers' | 'dtype' | 'calibration'>;

/**
 * A loaded model as `LoadedModel` and `EncodedImage` use it: `InferenceCore` runs it in the same thread, `RemoteCore` in
 * another one.
 */
export interface ModelCore {
  readonly source: ModelFacts;
  readonly device: string;
  readonly hasMasks: boolean;
  /** Checks the size of an image. @throws {MdetrError} naming the image, if it is too narrow */
  checkSize(size: PixelSize, name: string): void;
  /** Decodes and resizes one image. */
  prepare(image: NamedImage, decode?: DecodeOptions): Promise<PreparedHandle>;
  /** Decodes images and runs the backbone on them, once for all of the same prepared size. */
  encode(images: readonly NamedImage[], options: EncodeOptions): Promise<EncodedHandle>;
  /** Runs the backbone on prepared images. */
  encodePrepared(
    images: readonly PreparedHandle[],
    preprocessMs: number,
    options: EncodeOptions,
  ): Promise<EncodedHandle>;
  /** Tells that nothing reads the features any more; without it they are freed by garbage collection. */
  release(images: EncodedHandle): void;
  predict(images: EncodedHandle, captions: readonly ImageCaption[], options: InferenceOptions): Promise<TextOutputs>;
  /** Results of `detect`, in the order of the captions. */
  detect(
    images: EncodedHandle,
    captions: readonly ImageCaption[],
    options: InferenceOptions,
  ): Promise<DetectionResult[]>;
  /** Results of `refer`, in the order of the expressions. */
  refer(images: EncodedHandle, expressions: readonly ImageCaption[], options: InferenceOptions): Promise<ReferResult[]>;
  /** Results of `ask`, in the order of the questions. */
  ask(images: EncodedHandle, questions: readonly ImageCaption[], options: InferenceOptions): Promise<AnswerResult[]>;
  /** Masks of chosen queries of one caption, in their order, at the size of its original image. */
  predictMasks(outputs: TextOutputs, index: number, queries: readonly number[]): Promise<PackedCocoRle[]>;
  /** Frees the programs. Later calls fail. */
  dispose(): Promise<void>;
}
