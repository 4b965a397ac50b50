import type { CodePointSpan } from '../../text/spans/span.ts';
import type { RawImage } from '../images/raw-image.ts';
import { boxXyxyToCxcywh } from '../../geometry/boxes.ts';
import type { Size } from '../../geometry/size.ts';
import type { RunLengthMask } from '../../geometry/run-lengths.ts';

/**
 * Ground truth of one image and its caption, as augmentations change it. N boxes; everything per box has their order.
 */
export interface Target {
  /** Id of the row. */
  readonly imageId: number;
  /** Caption or question. */
  readonly caption: string;
  /** (N) category ids; no loss reads them. */
  readonly labels: Int32Array;
  /** (N) areas of the objects in pixels of `size`. */
  readonly area: Float32Array;
  /** (N) 1 for a group of objects. */
  readonly isCrowd: Uint8Array;
  /** (N) 1 for the object that a referring expression refers to, 0 for landmarks; where the dataset marks them. */
  readonly isFinal?: Float32Array;
  /** Spans of the caption that refer to each box, in code points. */
  readonly tokensPositive?: readonly (readonly CodePointSpan[])[];
  /** (N) masks at `size`. */
  readonly masks?: readonly RunLengthMask[];
  /** Current size of the image, which boxes and masks refer to. */
  readonly size: Size;
  /** Size of the image file. */
  readonly originalSize: Size;
  /** (N, 4) boxes in xyxy format, in pixels of `size`. */
  readonly boxesXyxy: Float32Array;
}

/** An image and its target: the input and output of transforms. */
export interface Sample {
  /** Pixels of the image. */
  readonly image: RawImage;
  /** Boxes, masks and spans of its caption. */
  readonly target: Target;
}

/** The target with only the boxes of the given indices, in their order. */
export const keepBoxes = (target: Target, indices: readonly number[]): Target => ({
  ...target,
  boxesXyxy: Float32Array.from(indices.flatMap((i) => [...target.boxesXyxy.subarray(4 * i, 4 * i + 4)])),
  labels: Int32Array.from(indices, (i) => target.labels[i]!),
  area: Float32Array.from(indices, (i) => target.area[i]!),
  isCrowd: Uint8Array.from(indices, (i) => target.isCrowd[i]!),
  isFinal: target.isFinal && Float32Array.from(indices, (i) => target.isFinal![i]!),
  tokensPositive: target.tokensPositive && indices.map((i) => target.tokensPositive![i]!),
  masks: target.masks && indices.map((i) => target.masks![i]!),
});

/** Indices of the boxes with positive width and height. */
export const boxesWithArea = (boxesXyxy: Float32Array): number[] => {
  const indices: number[] = [];
  for (let i = 0; 4 * i < boxesXyxy.length; i++)
    if (boxesXyxy[4 * i + 2]! > boxesXyxy[4 * i]! && boxesXyxy[4 * i + 3]! > boxesXyxy[4 * i + 1]!) indices.push(i);
  return indices;
};

/** Boxes of a target as the model predicts them: (N, 4) in cxcywh format, relative to the image without padding. */
export const normalizedBoxes = ({ boxesXyxy, size }: Pick<Target, 'boxesXyxy' | 'size'>): Float32Array => {
  const [height, width] = size;
  return Float32Array.from(boxXyxyToCxcywh(boxesXyxy, 'float32'), (value, i) => value / (i % 2 === 0 ? width : height));
};
