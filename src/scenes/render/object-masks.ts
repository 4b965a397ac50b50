import { maskFromDense, type RunLengthMask } from '../../geometry/run-lengths.ts';

interface InstanceImage {
  readonly width: number;
  readonly height: number;
  /** (height, width): i + 1 where object i shows. */
  readonly instances: Uint8Array;
}

/** 1 where the picture shows object i; (height, width), row major. */
export const maskOf = ({ instances }: InstanceImage, i: number): Uint8Array =>
  instances.map((id) => (id === i + 1 ? 1 : 0));

export const maskRuns = (image: InstanceImage, i: number): RunLengthMask =>
  maskFromDense(maskOf(image, i), image.height, image.width);
