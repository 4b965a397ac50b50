import { flipCaption, type FlipMode } from './caption-flip.ts';
import { cropMask, flipMask, resizeMask } from '../../geometry/mask-geometry.ts';
import { cropImage, flipImage } from '../images/raw-image.ts';
import { type Region } from '../../geometry/size.ts';
import { resizeBilinear, resizedSize } from './resize.ts';
import { boxesWithArea, keepBoxes, type Sample, type Target } from '../format/target.ts';

/*
 * The official transforms as functions of a sample and their parameters. Boxes and areas are rounded to float32 where the
 * official tensors are. Random parameters are chosen in random-transforms.ts.
 */

/**
 * Resizes image, boxes, areas and masks: the shorter side becomes `size`, the longer at most `maxSize`.
 *
 * @throws {MdetrError} when the image is so narrow that a side would become 0
 */
export const resizeSample = ({ image, target }: Sample, size: number, maxSize?: number): Sample => {
  const [height, width] = resizedSize([image.height, image.width], size, maxSize);
  const [ratioX, ratioY] = [width / image.width, height / image.height];
  const boxRatios = [Math.fround(ratioX), Math.fround(ratioY)];
  const areaRatio = Math.fround(ratioX * ratioY);
  return {
    image: resizeBilinear(image, width, height),
    target: {
      ...target,
      boxesXyxy: target.boxesXyxy.map((value, i) => value * boxRatios[i % 2]!),
      area: target.area.map((area) => area * areaRatio),
      masks: target.masks?.map((mask) => resizeMask(mask, [height, width])),
      size: [height, width],
    },
  };
};

/** Boxes (N, 4) in coordinates of the region, clamped to it; boxes outside have no area. */
export const cropBoxesXyxy = (boxesXyxy: Float32Array, { top, left, height, width }: Region): Float32Array =>
  boxesXyxy.map((value, i) => Math.max(Math.min(value - (i % 2 === 0 ? left : top), i % 2 === 0 ? width : height), 0));

const cropTarget = (target: Target, region: Region): Target => {
  const boxesXyxy = cropBoxesXyxy(target.boxesXyxy, region);
  const area = Float32Array.from(
    { length: boxesXyxy.length / 4 },
    (_, i) =>
      Math.fround(boxesXyxy[4 * i + 2]! - boxesXyxy[4 * i]!) *
      Math.fround(boxesXyxy[4 * i + 3]! - boxesXyxy[4 * i + 1]!),
  );
  const cropped = keepBoxes({ ...target, boxesXyxy, area }, boxesWithArea(boxesXyxy));
  return {
    ...cropped,
    masks: cropped.masks?.map((mask) => cropMask(mask, region)),
    size: [region.height, region.width],
  };
};

/**
 * Crops a sample to a region. Boxes are clamped to it and areas computed from them; boxes outside are dropped together with
 * their spans (the official code keeps the spans, so that the remaining ones belong to the wrong boxes).
 */
export const cropSample = ({ image, target }: Sample, region: Region): Sample => ({
  image: cropImage(image, region),
  target: cropTarget(target, region),
});

/** Flips image, boxes and masks horizontally, and the words "left" and "right" of the caption according to `mode`. */
export const flipSample = ({ image, target }: Sample, mode: FlipMode = 'words'): Sample => {
  const { caption, moveSpan } = flipCaption(target.caption, mode);
  const boxesXyxy = target.boxesXyxy.map((value, i, boxes) =>
    // x0 becomes width - x1 and x1 becomes width - x0; y stays.
    i % 2 === 1 ? value : image.width - boxes[i % 4 === 0 ? i + 2 : i - 2]!,
  );
  return {
    image: flipImage(image),
    target: {
      ...target,
      caption,
      boxesXyxy,
      tokensPositive: target.tokensPositive?.map((spans) => spans.map(moveSpan)),
      masks: target.masks?.map(flipMask),
    },
  };
};
