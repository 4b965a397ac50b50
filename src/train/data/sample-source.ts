import type { HostTensor } from '../../engine/graph/index.ts';
import type { RawImage } from '../../data/images/raw-image.ts';
import type { SampleTarget } from '../../losses/index.ts';
import type { CodePointSpan, Encoding, Tokenizer } from '../../text/index.ts';
import type { AuxiliaryCaption, ImageObjects } from '../auxiliary/auxiliary-batch.ts';

/**
 * One caption of an image, tokenized, and what it mentions: the form of a target between augmentation (`Target`, in
 * pixels) and the tensors of a batch (`BatchTargets`). Everything per box stands in the same order.
 */
export interface CaptionSample extends SampleTarget, AuxiliaryCaption {
  readonly caption: string;
  readonly encoding: Encoding;
  /** Spans of each box in code points of the caption. */
  readonly tokensPositive: readonly (readonly CodePointSpan[])[];
}

/** An image as the network will see it, and its captions. */
export interface ImageSample {
  /** Name of the sample in error messages. */
  readonly id: string;
  readonly image: RawImage;
  /** A reason to look at the boxes of this image. */
  readonly note?: string | undefined;
  /** Outputs of a frozen backbone for the image, if they were computed once; `image` is then empty. */
  readonly features?: Readonly<Record<string, HostTensor>>;
  readonly captions: readonly CaptionSample[];
  /** All objects that the image shows, where they are known; for the auxiliary losses. */
  readonly objects?: ImageObjects;
}

/** Key from which, together with the row, the random choices of a sample are derived. */
export interface SampleKey {
  readonly seed: number;
  readonly epoch: number;
  /** Image-text pairs of the run before this batch, of all processes together; decides the stage of captions. */
  readonly pairsBefore: number;
}

/** Indexed images with captions, readable from any number of threads at once. */
export interface SampleSource {
  readonly length: number;
  /** Width and height of the image file of a row, in pixels; 0 where unknown. */
  sizeOf(row: number): { readonly width: number; readonly height: number };
  /**
   * The row as training sees it. Depends on the arguments alone, whichever thread asks and in whatever order.
   *
   * @throws {MdetrError} naming file, row and field when the row cannot be used
   */
  get(row: number, key: SampleKey, tokenizer: Tokenizer): Promise<ImageSample>;
  close(): void;
}
