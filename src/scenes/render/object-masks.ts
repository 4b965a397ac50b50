import { maskFromDense, type RunLengthMask } from '../../geometry/run-lengths.ts';

/** Map of object instances of an image. */
export interface InstanceImage {
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** (height, width), row-major: 0 is the ground, i + 1 is object i. */
  readonly instances: Uint8Array;
}

/** Binary mask of the visible pixels of object i: (height, width), row-major. */
export const maskOf = ({ instances }: InstanceImage, i: number): Uint8Array =>
  instances.map((id) => (id === i + 1 ? 1 : 0));

/** Run-length mask of the visible pixels of object i. */
export const maskRuns = (image: InstanceImage, i: number): RunLengthMask =>
  maskFromDense(maskOf(image, i), image.height, image.width);
