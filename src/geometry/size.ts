/** Size as (height, width), in pixels: the order of the official targets. */
export type Size = readonly [height: number, width: number];

/** Rectangle of an image, in integer pixels. */
export interface Region {
  /** First row. */
  readonly top: number;
  /** First column. */
  readonly left: number;
  /** Height in pixels. */
  readonly height: number;
  /** Width in pixels. */
  readonly width: number;
}
