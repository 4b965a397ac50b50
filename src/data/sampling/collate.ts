import type { RawImage } from '../images/raw-image.ts';
import type { Size } from '../../geometry/size.ts';

/** ImageNet's channel statistics, which every official backbone was trained with. */
export const imageNetMean = [0.485, 0.456, 0.406] as const;
export const imageNetStd = [0.229, 0.224, 0.225] as const;

/** Images of one batch, padded on the right and at the bottom to the largest height and width among them. */
export interface ImageBatch {
  /** (B, 3, H, W) normalised RGB; padding is 0. */
  readonly tensors: Float32Array;
  /** (B, H, W), 1 on padding. */
  readonly mask: Uint8Array;
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  /** Size of every image without padding. */
  readonly sizes: readonly Size[];
}

/** What each byte becomes, for R, G and B: (byte / 255 - mean) / std, rounded to float32 after every step as torch does. */
const normalizedBytes = imageNetMean.map((mean, channel) =>
  Float32Array.from(
    { length: 256 },
    (_, byte) =>
      Math.fround(Math.fround(byte / 255) - Math.fround(mean)) / Math.fround(imageNetStd[channel as 0 | 1 | 2]),
  ),
);

/**
 * Normalises images and puts them into one padded batch. The padding is zeros after normalisation, which is not black
 * but the mean colour; the mask tells the model where it is.
 */
export const collateImages = (images: readonly RawImage[]): ImageBatch => {
  const sizes = images.map((image): Size => [image.height, image.width]);
  const { height, width, tensors, mask } = emptyBatch(sizes);
  images.forEach((image, b) => {
    for (let channel = 0; channel < 3; channel++) {
      const table = normalizedBytes[channel]!;
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

/** As `collateImages`, for images (3, H, W) that are normalised already. */
export const collateTensors = (images: readonly { readonly data: Float32Array; readonly size: Size }[]): ImageBatch => {
  const sizes = images.map(({ size }) => size);
  const { height, width, tensors, mask } = emptyBatch(sizes);
  images.forEach(({ data, size }, b) => {
    const [rows, columns] = size;
    if (data.length !== 3 * rows * columns)
      throw new Error(`internal: ${data.length} values for an image of 3x${rows}x${columns}`);
    for (let row = 0; row < 3 * rows; row++) {
      const [channel, y] = [Math.floor(row / rows), row % rows];
      tensors.set(data.subarray(row * columns, (row + 1) * columns), ((b * 3 + channel) * height + y) * width);
    }
    markPadding(mask, b, size, [height, width]);
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
