import type { RawImage } from '../images/raw-image.ts';
import type { Size } from '../../geometry/size.ts';

/** Channel means of ImageNet for RGB in [0, 1], which all official backbones were trained with. */
export const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
/** Channel standard deviations of ImageNet. */
export const IMAGENET_STD = [0.229, 0.224, 0.225] as const;

/** Normalized images of a batch, padded at the right and at the bottom to the largest height and width. */
export interface ImageBatch {
  /** (B, 3, H, W) normalized RGB; padding is 0. */
  readonly tensors: Float32Array;
  /** (B, H, W), 1 on padding. */
  readonly mask: Uint8Array;
  /** Number of images (B). */
  readonly batch: number;
  /** Padded height in pixels (H). */
  readonly height: number;
  /** Padded width in pixels (W). */
  readonly width: number;
  /** Size of every image without padding. */
  readonly sizes: readonly Size[];
}

/** Normalized value of each byte, for R, G and B: (byte / 255 - mean) / std, rounded to float32 after each step as in torch. */
const NORMALIZED_BYTES = IMAGENET_MEAN.map((mean, channel) =>
  Float32Array.from(
    { length: 256 },
    (_, byte) =>
      Math.fround(Math.fround(byte / 255) - Math.fround(mean)) / Math.fround(IMAGENET_STD[channel as 0 | 1 | 2]),
  ),
);

/**
 * Normalizes images and pads them to a batch. Padding is 0 after normalization, which is the mean color rather than black.
 */
export const collateImages = (images: readonly RawImage[]): ImageBatch => {
  const sizes = images.map((image): Size => [image.height, image.width]);
  const { height, width, tensors, mask } = emptyBatch(sizes);
  images.forEach((image, b) => {
    for (let channel = 0; channel < 3; channel++) {
      const table = NORMALIZED_BYTES[channel]!;
      const plane = (b * 3 + channel) * height * width;
      for (let y = 0, from = channel; y < image.height; y++) {
        const row = plane + y * width;
        for (let x = 0; x < image.width; x++, from += 3) tensors[row + x] = table[image.data[from]!]!;
      }
    }
    markPadding(mask, b, [image.height, image.width], [height, width]);
  });
  return { tensors, mask, batch: images.length, height, width, sizes };
};

const emptyBatch = (sizes: readonly Size[]): Pick<ImageBatch, 'height' | 'width' | 'tensors' | 'mask'> => {
  if (sizes.length === 0) throw new Error('internal: a batch of no images');
  const height = Math.max(...sizes.map(([rows]) => rows));
  const width = Math.max(...sizes.map(([, columns]) => columns));
  return {
    height,
    width,
    tensors: new Float32Array(sizes.length * 3 * height * width),
    mask: new Uint8Array(sizes.length * height * width),
  };
};

const markPadding = (mask: Uint8Array, b: number, [rows, columns]: Size, [height, width]: Size): void => {
  const start = b * height * width;
  for (let y = 0; y < rows; y++) mask.fill(1, start + y * width + columns, start + (y + 1) * width);
  mask.fill(1, start + rows * width, start + height * width);
};
