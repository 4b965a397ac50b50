import type { RawImage } from '../../data/images/raw-image.ts';
import type { SampleMasks } from '../../losses/index.ts';
import type { CharacterSpan } from '../../text/index.ts';

/** One text about a picture, with what it mentions. Everything per box stands in the same order. */
export interface TextSample {
  readonly caption: string;
  /** (n, 4) centre x, centre y, width, height, relative to the picture. */
  readonly boxesCxcywh: Float32Array;
  readonly tokensPositive: readonly (readonly CharacterSpan[])[];
  readonly isFinal?: ArrayLike<number>;
  readonly masks?: SampleMasks;
  /** Labels of the question heads, one number each, under the official names; see `NO_LABEL`. */
  readonly answers?: Readonly<Record<string, number>>;
  /** What a question compares or counts (answer-steps.ts); for the helper loss of answers. */
  readonly answerSteps?: readonly number[];
  /** The objects that a question is about, those that only tell where to look left out; for the same. */
  readonly answerObjects?: readonly number[];
}

/** A picture as the network will see it, and the texts that share it. */
export interface ImageSample {
  /** How to call it when something is wrong with it. */
  readonly id: string;
  readonly image: RawImage;
  readonly texts: readonly TextSample[];
  /** All objects that the picture shows, where that is known; for the backbone's helper loss. */
  readonly objects?: ImageObjects;
}

/** Every object of a picture, whether a text speaks of it or not. M objects. */
export interface ImageObjects {
  /** (height, width) at the picture's size: i + 1 where object i shows, 0 elsewhere. */
  readonly instances: Uint8Array;
  /** (M, 4) left, top, right, bottom, relative to the picture. */
  readonly boxesXyxy: Float32Array;
  /** (M, attributes) class ids; the attributes are `objectAttributes`. */
  readonly attributes: Int32Array;
  /** For every text the object of each of its boxes. */
  readonly objectOfBox: readonly (readonly number[])[];
}

/** Where in a run a sample is drawn. Nothing else but the seed decides what it looks like. */
export interface Draw {
  readonly seed: number;
  readonly epoch: number;
  /** Image-text pairs of the run before this batch, by all workers. */
  readonly pairsBefore: number;
}

/** Numbered pictures with texts, in any number of threads at once. */
export interface SampleSource {
  readonly length: number;
  /** Width and height of a row's picture as stored, in pixels; 0 where unknown. */
  sizeOf(row: number): { readonly width: number; readonly height: number };
  /**
   * The row as training sees it: the same for the same draw, whoever asks and in whatever order.
   * @throws {MdetrError} naming file, row and field when the row cannot be used
   */
  get(row: number, draw: Draw): Promise<ImageSample>;
  close(): void;
}
