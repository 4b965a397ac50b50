import { MdetrError } from '../../errors.ts';
import { BadRowError } from '../source/bad-rows.ts';
import type { Segmentation } from '../../data/format/coco-format.ts';
import { isPolygons, maskProblem } from '../../data/format/segmentation.ts';
import { boxXywhToXyxy, boxXyxyToXywh, clampBoxXyxy, type BoxXywh } from '../../geometry/boxes.ts';
import type { ImportedImage, ImportedObject, ImportOptions, ImportSplit } from './importer.ts';
import { imageSizesOf, type ImageSize } from './import-source.ts';

/** An object in pixels of the image file, inside it. */
export interface PlacedObject extends ImportedObject {
  readonly bbox: BoxXywh;
}

/** An image that exists, with its true size and all its objects. */
export interface PlacedImage {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly split: ImportSplit | undefined;
  readonly caption: string | undefined;
  readonly objects: readonly PlacedObject[];
  readonly location: string;
}

/** Largest difference between the aspect ratios of an image and of the size that a source states for it. */
const RATIO_TOLERANCE = 0.01;

/**
 * Reads the sizes of the images, converts boxes and masks to pixels of the files, cuts them at the borders, and merges what
 * several files of a source say about one image.
 * @param onImage called for each image
 * @throws {MdetrError} if no image of the source is found
 */
export const placeImages = async (
  images: AsyncIterable<ImportedImage>,
  options: Pick<ImportOptions, 'leftOut' | 'notes' | 'badRows'>,
  onImage: () => void = () => undefined,
): Promise<PlacedImage[]> => {
  const merged = new Map<string, PlacedImage & { objects: PlacedObject[] }>();
  const sizes = new Map<string, { stored: ImageSize; turned: ImageSize }>();
  const missing: ImportedImage[] = [];
  let firstUnreadable: string | undefined;
  for await (const image of images) {
    onImage();
    const { path } = image;
    if (path === undefined) {
      missing.push(image);
      options.leftOut.add('images that were not found', `${image.location}: ${image.fileName.slice(-100)}`);
      continue;
    }
    let size = sizes.get(path);
    if (size === undefined) {
      try {
        size = await imageSizesOf(path);
      } catch (error) {
        if (!(error instanceof MdetrError)) throw error;
        firstUnreadable ??= error.message;
        options.leftOut.add('images that cannot be read', error.message);
        continue;
      }
      sizes.set(path, size);
    }
    addImage(merged, placeImage(image, path, size, options), options);
  }
  if (merged.size === 0) {
    if (firstUnreadable !== undefined) throw new MdetrError(firstUnreadable);
    const [first] = missing;
    if (first === undefined) throw new MdetrError('the source has no images');
    throw new MdetrError(
      `${first.location}: the image ${first.fileName.slice(-100)} was not found` +
        `${missing.length > 1 ? `, nor any of the ${missing.length - 1} others` : ''}; name the folder of the images with --images DIR`,
    );
  }
  return [...merged.values()];
};

const addImage = (
  merged: Map<string, PlacedImage & { objects: PlacedObject[] }>,
  image: PlacedImage & { objects: PlacedObject[] },
  { notes }: Pick<ImportOptions, 'notes'>,
): void => {
  const key = `${image.path}\0${image.caption ?? ''}`;
  const known = merged.get(key);
  const target = known ?? { ...image, objects: [] };
  const keys = new Set(target.objects.map(keyOf));
  for (const object of image.objects) {
    const own = keyOf(object);
    if (keys.has(own)) notes.add('boxes that occur twice, of which one is kept', object.location);
    else target.objects.push(object);
    keys.add(own);
  }
  if (known !== undefined && known.split !== undefined && image.split !== undefined && known.split !== image.split)
    notes.add('images that are in several splits, of which the first counts', image.location);
  merged.set(key, { ...target, split: target.split ?? image.split });
};

const keyOf = ({ label, bbox, spans, occurrence }: PlacedObject): string =>
  `${bbox.map((value) => value.toFixed(1)).join(' ')} ${label} ${JSON.stringify(spans ?? occurrence ?? '')}`;

const placeImage = (
  image: ImportedImage,
  path: string,
  sizes: { readonly stored: ImageSize; readonly turned: ImageSize },
  options: Pick<ImportOptions, 'leftOut' | 'notes' | 'badRows'>,
): PlacedImage & { objects: PlacedObject[] } => {
  const { size, scale } = frameOf(image, sizes, options.notes);
  const objectsOf = (object: ImportedObject): PlacedObject[] => {
    const [x, y, w, h] = object.bbox;
    if (![x, y, w, h].every(Number.isFinite)) throw new BadRowError(`${object.location}: the box is not finite`);
    const bbox = clipped([x * scale[0], y * scale[1], w * scale[0], h * scale[1]], size);
    if (!(bbox[2] > 0 && bbox[3] > 0)) {
      options.leftOut.add('boxes without area in the image', object.location);
      return [];
    }
    return [{ ...object, bbox, segmentation: placedMask(object, size, scale, options) }];
  };
  const objects = [...options.badRows.usable(image.objects, objectsOf)];
  return { path, ...size, split: image.split, caption: image.caption, objects, location: image.location };
};

/** Size of the image in the orientation that the annotations refer to, and the factors from their unit to pixels. */
const frameOf = (
  { unit, width, height, location }: ImportedImage,
  { stored, turned }: { readonly stored: ImageSize; readonly turned: ImageSize },
  notes: ImportOptions['notes'],
): { size: ImageSize; scale: readonly [number, number] } => {
  const isStated = width !== undefined && height !== undefined;
  const fits = (size: ImageSize): boolean =>
    isStated && Math.abs(size.width - width) <= 1 && Math.abs(size.height - height) <= 1;
  const hasRatio = (size: ImageSize): boolean =>
    isStated && Math.abs((size.width / size.height) * (height / width) - 1) <= RATIO_TOLERANCE;
  const size = fits(turned)
    ? turned
    : fits(stored)
      ? stored
      : hasRatio(turned)
        ? turned
        : hasRatio(stored)
          ? stored
          : turned;
  if (unit === 'fractions') return { size, scale: [size.width, size.height] };
  if (!isStated || fits(size)) return { size, scale: [1, 1] };
  if (hasRatio(size)) {
    notes.add('images of another size than stated, whose boxes are scaled', location);
    return { size, scale: [size.width / width, size.height / height] };
  }
  notes.add('images of another size and shape than stated, whose boxes are taken as they are', location);
  return { size, scale: [1, 1] };
};

const clipped = (box: BoxXywh, size: ImageSize): BoxXywh => boxXyxyToXywh(clampBoxXyxy(boxXywhToXyxy(box), size));

const placedMask = (
  { segmentation, location }: ImportedObject,
  { width, height }: ImageSize,
  scale: readonly [number, number],
  { leftOut }: Pick<ImportOptions, 'leftOut'>,
): Segmentation | undefined => {
  if (segmentation === undefined) return undefined;
  const placed = isPolygons(segmentation)
    ? segmentation.map((points) => points.map((value, i) => value * scale[i % 2]!))
    : segmentation;
  const problem = maskProblem(placed, width, height);
  if (problem === undefined) return placed;
  leftOut.add('masks that cannot be used, whose boxes are kept', `${location}: ${problem.message}`);
  return undefined;
};
