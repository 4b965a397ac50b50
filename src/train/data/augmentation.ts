import {
  CLEVR_SIZES,
  compose,
  PHOTO_SIZES,
  randomCropAroundBoxes,
  randomHorizontalFlip,
  trainTransform,
  type AugmentationSizes,
  type Transform,
} from '../../data/transforms/random-transforms.ts';
import { resizeSample } from '../../data/transforms/transforms.ts';
import type { AugmentationConfig } from '../config/run-settings.ts';
import type { AnnotatedDataset } from '../config/slices/datasets.ts';

type Settings = Pick<AugmentationConfig, 'augmentation' | 'image_size'>;

/** Minimum sides of the crops of `light`, as a fraction of the image's. */
const MIN_LIGHT_CROP = 0.7;

/**
 * Training augmentation of a dataset. By default official CLEVR datasets use the sizes of CLEVR and all others those of
 * photos. Captions name sides and every box, so these do
 * not flip, and crops keep all boxes where they can; `light` flips and exchanges left and right in the caption.
 */
export const augmentationOf = (
  { name }: Pick<AnnotatedDataset, 'name'>,
  { augmentation, image_size: size }: Settings,
): Transform => {
  const kind = augmentation ?? (name?.startsWith('clevr') === true ? 'clevr' : 'photo');
  const resize: Transform = (sample) => resizeSample(sample, size.shortest_edge, size.longest_edge);
  if (kind === 'none') return resize;
  if (kind === 'light') return compose(randomHorizontalFlip(), randomCropAroundBoxes(MIN_LIGHT_CROP), resize);
  return trainTransform(kind === 'clevr' ? CLEVR_SIZES : photoSizesFor(size));
};

/** Official sizes, made for a shorter side of 800 pixels, scaled to the network's. */
const photoSizesFor = ({
  shortest_edge: shortest,
  longest_edge: longest,
}: Settings['image_size']): AugmentationSizes => {
  const scaled = (pixels: number): number => Math.max(1, Math.round((pixels * shortest) / 800));
  const { scales, scalesBeforeCrop, cropSides } = PHOTO_SIZES;
  return {
    scales: scales.map(scaled),
    maxSize: longest,
    scalesBeforeCrop: scalesBeforeCrop.map(scaled),
    cropSides: [scaled(cropSides[0]), scaled(cropSides[1])],
    validationScale: shortest,
  };
};
