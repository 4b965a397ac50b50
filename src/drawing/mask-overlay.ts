import { MdetrError } from '../errors.ts';
import { resizeMask } from '../geometry/mask-geometry.ts';
import type { RawImage } from '../data/images/raw-image.ts';
import type { Size } from '../geometry/size.ts';
import { type CocoRle, maskBoundsXywh, maskToDense, unpackMask } from '../geometry/run-lengths.ts';

/** Opacity of the color inside a mask. */
const FILL_OPACITY = 0.42;

/**
 * Visits the pixels of a mask with their opacity: opaque on the contour just inside the mask's edge, less inside. The mask
 * has the size of the original image; it is resized if the drawing has another.
 *
 * @param visit is given the index of the pixel in the drawing, row by row
 */
export const forEachMaskPixel = (
  mask: CocoRle,
  imageSize: Size,
  [drawnHeight, drawnWidth]: Size,
  contourPx: number,
  visit: (pixel: number, opacity: number) => void,
): void => {
  const read = unpackMask(mask);
  if (read.height !== imageSize[0] || read.width !== imageSize[1])
    throw new MdetrError(
      `a mask of ${read.width}x${read.height} pixels does not fit an image of ${imageSize[1]}x${imageSize[0]}.`,
    );
  const sized =
    read.height === drawnHeight && read.width === drawnWidth ? read : resizeMask(read, [drawnHeight, drawnWidth]);
  const bounds = maskBoundsXywh(sized);
  const depth = depthInside(maskToDense(sized), drawnWidth, drawnHeight, bounds);
  const [left, top, width, height] = bounds;
  for (let y = top; y < top + height; y++)
    for (let x = left; x < left + width; x++) {
      const inside = depth[(y - top + 1) * (width + 2) + (x - left + 1)]!;
      if (inside > 0) visit(y * drawnWidth + x, inside <= contourPx ? 1 : FILL_OPACITY);
    }
};

/** Tints the pixels of a mask in `image`, in place. */
export const overlayMask = (
  image: RawImage,
  mask: CocoRle,
  imageSize: Size,
  rgb: readonly [number, number, number],
  contourPx: number,
): void => {
  const { data } = image;
  forEachMaskPixel(mask, imageSize, [image.height, image.width], contourPx, (pixel, opacity) => {
    for (let channel = 0; channel < 3; channel++) {
      const at = pixel * 3 + channel;
      data[at] = Math.round(data[at]! * (1 - opacity) + rgb[channel as 0 | 1 | 2] * opacity);
    }
  });
};

/**
 * City-block distance of every pixel within `bounds` to the nearest one outside the mask, 0 outside, in two passes. The
 * edge of the image does not count as outside, so that cropped objects stay open there.
 * Returns (height + 2, width + 2): the bounds with a rim of one pixel.
 */
const depthInside = (
  pixels: Uint8Array,
  imageWidth: number,
  imageHeight: number,
  [left, top, width, height]: readonly [number, number, number, number],
): Uint16Array => {
  const far = 0xffff;
  // One pixel of rim around the bounds: far where the image ends, 0 where only the bounds do.
  const stride = width + 2;
  const rimmed = new Uint16Array(stride * (height + 2));
  if (left === 0) for (let y = 0; y < height + 2; y++) rimmed[y * stride] = far;
  if (left + width === imageWidth) for (let y = 0; y < height + 2; y++) rimmed[y * stride + width + 1] = far;
  if (top === 0) rimmed.fill(far, 0, stride);
  if (top + height === imageHeight) rimmed.fill(far, (height + 1) * stride);
  for (let y = 0; y < height; y++)
    for (let x = 0, at = (y + 1) * stride + 1; x < width; x++, at++)
      if (pixels[(top + y) * imageWidth + left + x] === 1)
        rimmed[at] = Math.min(rimmed[at - 1]! + 1, rimmed[at - stride]! + 1, far);
  for (let y = height - 1; y >= 0; y--)
    for (let x = width - 1, at = (y + 1) * stride + width; x >= 0; x--, at--)
      if (rimmed[at]! > 0) rimmed[at] = Math.min(rimmed[at]!, rimmed[at + 1]! + 1, rimmed[at + stride]! + 1);
  return rimmed;
};
