/** Size as (height, width), in pixels: the order of the official targets. */
export type Size = readonly [height: number, width: number];

/** Rectangle of an image, in integer pixels. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}
