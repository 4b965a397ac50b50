import type { RawImage } from '../data/images/raw-image.ts';

/** Maximum difference of color channels of a gray pixel, in levels of 255. */
const grayChroma = 24;
/** Maximum difference to adjacent pixels of a plain area, in levels of green. */
const plainStep = 10;
/** Minimum plain fractions of a scene, with a margin: the minima of 312 scenes were 0.64 and 0.99. */
const leastPlain = 0.55;
const leastPlainTop = 0.9;
const topShare = 1 / 8;

/**
 * Whether an image looks like a procedural scene (`mdetr scenes`): solids on a plain, gray ground that extends to the upper
 * edge. Photos with as much plain gray are rare; they are taken for scenes.
 */
export const looksLikeScene = ({ width, height, data }: RawImage): boolean => {
  const isPlain = (x: number, y: number): boolean => {
    const at = 3 * (y * width + x);
    const [red, green, blue] = [data[at]!, data[at + 1]!, data[at + 2]!];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) >= grayChroma) return false;
    return [3, -3, 3 * width, -3 * width].every((step) => Math.abs(data[at + 1 + step]! - green) < plainStep);
  };
  const topRows = Math.max(2, Math.round(height * topShare));
  let [plain, all, plainTop, allTop] = [0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const isOne = Number(isPlain(x, y));
      all++;
      plain += isOne;
      if (y >= topRows) continue;
      allTop++;
      plainTop += isOne;
    }
  return plain >= leastPlain * all && plainTop >= leastPlainTop * allTop;
};

/** Warning about an image of a kind that the model was not made for. */
export const notASceneWarning = (name: string): string =>
  `${name} does not look like a procedural scene, and this model knows nothing else: its boxes and answers mean nothing here. ` +
  'For photos take a published checkpoint, for instance: mdetr pull pretrained_resnet101, then --model pretrained_resnet101';
