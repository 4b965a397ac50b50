import type { Span } from './coco-format.ts';
import type { RawImage } from '../images/raw-image.ts';
import { boxXyxyToCxcywh } from '../../geometry/boxes.ts';
import type { Size } from '../../geometry/size.ts';
import type { RunLengthMask } from '../../geometry/run-lengths.ts';

/** What is known about one image and its caption, apart from the boxes. Everything per box stands in their order. */
export interface TargetFields {
  readonly imageId: number;
  readonly caption: string;
  /** Category ids. No loss reads them; their number is what counts. */
  readonly labels: Int32Array;
  /** Pixels of the object at the image's present size. */
  readonly area: Float32Array;
  readonly isCrowd: Uint8Array;
  /** 1 for the object that a referring expression ends at, where a data set says so. */
  readonly isFinal?: Float32Array;
  /** Ranges of the caption that mean the box, in code points. */
  readonly tokensPositive?: readonly (readonly Span[])[];
  readonly masks?: readonly RunLengthMask[];
  /** Present size of the image, which the boxes and masks refer to. */
  readonly size: Size;
  /** Size of the image file. */
  readonly originalSize: Size;
}

/** A target over an image that still is a picture. */
export interface Target extends TargetFields {
  /** (N, 4) x0, y0, x1, y1 in pixels of `size`. */
  readonly boxesXyxy: Float32Array;
}

/** A target as losses and matcher take it. */
export interface NormalizedTarget extends TargetFields {
  /** (N, 4) centre x, centre y, width, height, relative to the image without padding. */
  readonly boxesCxcywh: Float32Array;
}

/** An image and what is known about it: what transforms work on. */
export interface Sample {
  readonly image: RawImage;
  readonly target: Target;
}

/** The target with the boxes of these indices alone. */
export const keepBoxes = (target: Target, indices: readonly number[]): Target => ({
  ...target,
  boxesXyxy: Float32Array.from(indices.flatMap((i) => [...target.boxesXyxy.subarray(4 * i, 4 * i + 4)])),
  labels: Int32Array.from(indices, (i) => target.labels[i]!),
  area: Float32Array.from(indices, (i) => target.area[i]!),
  isCrowd: Uint8Array.from(indices, (i) => target.isCrowd[i]!),
  ...(target.isFinal && { isFinal: Float32Array.from(indices, (i) => target.isFinal![i]!) }),
  ...(target.tokensPositive && { tokensPositive: indices.map((i) => target.tokensPositive![i]!) }),
  ...(target.masks && { masks: indices.map((i) => target.masks![i]!) }),
});

/** Indices of the boxes whose width and height are positive. */
export const boxesWithArea = (boxesXyxy: Float32Array): number[] => {
  const indices: number[] = [];
  for (let i = 0; 4 * i < boxesXyxy.length; i++)
    if (boxesXyxy[4 * i + 2]! > boxesXyxy[4 * i]! && boxesXyxy[4 * i + 3]! > boxesXyxy[4 * i + 1]!) indices.push(i);
  return indices;
};

/** Boxes relative to the image, as the model predicts them; everything else stays. */
export const normalizeTarget = (target: Target): NormalizedTarget => {
  const { boxesXyxy, ...fields } = target;
  const [height, width] = target.size;
  const boxesCxcywh = Float32Array.from(
    boxXyxyToCxcywh(boxesXyxy, 'float32'),
    (value, i) => value / (i % 2 === 0 ? width : height),
  );
  return { ...fields, boxesCxcywh };
};
