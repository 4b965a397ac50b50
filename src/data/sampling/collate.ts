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

/** Memory for a batch, whatever its contents are. */
export type AllocateBytes = (bytes: number) => ArrayBuffer;

const newBuffer: AllocateBytes = (bytes) => new ArrayBuffer(bytes);

/**
 * Normalizes images and pads them to a batch. Padding is 0 after normalization, which is the mean color rather than black.
 */
export const collateImages = (images: readonly RawImage[]): ImageBatch => collateInto(images);

/** `collateImages` into given memory. */
export const collateInto = (images: readonly RawImage[], allocate = newBuffer): ImageBatch => {
  const sizes = images.map((image): Size => [image.height, image.width]);
  const { height, width, tensors, mask } = emptyBatch(sizes, allocate);
  for (const [b, image] of images.entries()) {
    normalizeInto(tensors.subarray(b * 3 * height * width), image, height, width);
    markPadding(mask, b, [image.height, image.width], [height, width]);
  }
  return { tensors, mask, batch: images.length, height, width, sizes };
};

/** Writes an image (h, w, 3) into planes of (3, H, W). */
const normalizeInto = (planes: Float32Array, image: RawImage, height: number, width: number): void => {
  const { data } = image;
  const [reds, greens, blues] = NORMALIZED_BYTES as [Float32Array, Float32Array, Float32Array];
  const plane = height * width;
  let from = 0;
  for (let y = 0; y < image.height; y++) {
    const end = y * width + image.width;
    for (let to = y * width; to < end; to++, from += 3) {
      planes[to] = reds[data[from]!]!;
      planes[plane + to] = greens[data[from + 1]!]!;
      planes[2 * plane + to] = blues[data[from + 2]!]!;
    }
  }
};

const emptyBatch = (
  sizes: readonly Size[],
  allocate: AllocateBytes,
): Pick<ImageBatch, 'height' | 'width' | 'tensors' | 'mask'> => {
  if (sizes.length === 0) throw new Error('internal: a batch of no images');
  const height = Math.max(...sizes.map(([rows]) => rows));
  const width = Math.max(...sizes.map(([, columns]) => columns));
  const tensors = new Float32Array(allocate(sizes.length * 3 * height * width * Float32Array.BYTES_PER_ELEMENT));
  // Images without padding overwrite all of it.
  if (sizes.some(([rows, columns]) => rows < height || columns < width)) tensors.fill(0);
  const mask = new Uint8Array(allocate(sizes.length * height * width)).fill(0);
  return { height, width, tensors, mask };
};

const markPadding = (mask: Uint8Array, b: number, [rows, columns]: Size, [height, width]: Size): void => {
  const start = b * height * width;
  for (let y = 0; y < rows; y++) mask.fill(1, start + y * width + columns, start + (y + 1) * width);
  mask.fill(1, start + rows * width, start + height * width);
};
