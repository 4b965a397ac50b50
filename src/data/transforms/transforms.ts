import { flipCaption, type FlipMode } from './caption-flip.ts';
import { cropMask, flipMask, resizeMask } from '../../geometry/mask-geometry.ts';
import { cropImage, flipImage } from '../images/raw-image.ts';
import { type Region } from '../../geometry/size.ts';
import { resizeBilinear, resizedSize } from './resize.ts';
import { boxesWithArea, keepBoxes, type Sample, type Target } from '../format/target.ts';

/*
 * The official transforms, each as a plain function of a sample and its parameters. Arithmetic on boxes and areas rounds
 * to float32 where the official tensors do. What chooses the parameters by chance is in random-transforms.ts.
 */

/**
 * Resizes image, boxes, areas and masks: the shorter side becomes `size`, the longer at most `maxSize`.
 * Throws `MdetrError` for an image too narrow for that.
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
      ...(target.masks && { masks: target.masks.map((mask) => resizeMask(mask, [height, width])) }),
      size: [height, width],
    },
  };
};

/** (N, 4) boxes relative to the region and cut off at its edges; boxes outside are left without area. */
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
    ...(cropped.masks && { masks: cropped.masks.map((mask) => cropMask(mask, region)) }),
    size: [region.height, region.width],
  };
};

/**
 * Cuts out a region. Boxes are cut off at its edges; what is left of a box becomes its area; boxes outside disappear,
 * and their spans with them (the official code forgets the spans, so that the rest belong to the wrong boxes).
 */
export const cropSample = ({ image, target }: Sample, region: Region): Sample => ({
  image: cropImage(image, region),
  target: cropTarget(target, region),
});

/** Mirrors image, boxes and masks left to right, and the words "left" and "right" of the caption (`mode`). */
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
      ...(target.tokensPositive && { tokensPositive: target.tokensPositive.map((spans) => spans.map(moveSpan)) }),
      ...(target.masks && { masks: target.masks.map(flipMask) }),
    },
  };
};
