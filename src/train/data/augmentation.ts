import {
  clevrSizes,
  photoSizes,
  trainTransform,
  type AugmentationSizes,
  type Transform,
} from '../../data/transforms/random-transforms.ts';
import { resizeSample } from '../../data/transforms/transforms.ts';
import type { TrainConfig } from '../config/config.ts';
import type { AnnotatedDataset } from '../config/slices/datasets.ts';

type Settings = Pick<TrainConfig, 'augmentation' | 'image_size'>;

/**
 * How training pictures of a dataset are varied: unless the config says, official CLEVR sets as CLEVR, all others as
 * photos. Captions name sides and every box, so nothing is mirrored, and crops look for a place that keeps all boxes.
 */
export const augmentationOf = (
  { name }: Pick<AnnotatedDataset, 'name'>,
  { augmentation, image_size: size }: Settings,
): Transform => {
  const kind = augmentation ?? (name?.startsWith('clevr') === true ? 'clevr' : 'photo');
  if (kind === 'none') return (sample) => resizeSample(sample, size.shortest_edge, size.longest_edge);
  return trainTransform(kind === 'clevr' ? clevrSizes : photoSizesFor(size));
};

/** The official sizes for networks that look at pictures of 800 to 1333 pixels, in proportion for others. */
const photoSizesFor = ({
  shortest_edge: shortest,
  longest_edge: longest,
}: Settings['image_size']): AugmentationSizes => {
  const scaled = (pixels: number): number => Math.max(1, Math.round((pixels * shortest) / 800));
  const { scales, scalesBeforeCrop, cropSides } = photoSizes;
  return {
    scales: scales.map(scaled),
    maxSize: longest,
    scalesBeforeCrop: scalesBeforeCrop.map(scaled),
    cropSides: [scaled(cropSides[0]), scaled(cropSides[1])],
    validationScale: shortest,
  };
};
