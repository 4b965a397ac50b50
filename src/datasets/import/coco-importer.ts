import { join, posix } from 'node:path';
import { z } from 'zod';
import { MdetrError, quoted } from '../../errors.ts';
import type { Segmentation } from '../../data/format/coco-format.ts';
import { parseSegmentation } from '../../data/format/segmentation.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { checked } from '../source/checked.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { flagField } from '../source/coco-instances.ts';
import { readJsonKeys, readJsonLists, withPauses } from '../source/json-entries.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions, ImportSplit } from './importer.ts';
import { imageSizeOf, type ImportSource } from './import-source.ts';

const id = z.union([z.int(), z.string()]).transform(String);

const imageSchema = z.looseObject({
  id: id.optional(),
  file_name: z.string().min(1),
  width: z.number().nonnegative().nullish(),
  height: z.number().nonnegative().nullish(),
});

const categorySchema = z.looseObject({ id, name: z.string().min(1) });

const annotationSchema = z.looseObject({
  image_id: id,
  category_id: id,
  bbox: z.tuple([z.number(), z.number(), z.number(), z.number()]).nullish(),
  segmentation: z.unknown().optional(),
  iscrowd: flagField,
});
type Annotation = z.output<typeof annotationSchema>;

/** Contents of one annotation file. */
interface CocoFile {
  readonly name: string;
  readonly images: readonly (z.output<typeof imageSchema> & { readonly location: string })[];
  readonly categories: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, readonly { readonly annotation: Annotation; readonly location: string }[]>;
}

/**
 * Importer of COCO instances as labeling tools export them: any file name, numeric or string ids in any order, category
 * ids from 0, missing `area`, `iscrowd` and ids of annotations, flat polygons, missing sizes, and several files, whose
 * folders can state the split. Keeps the annotations in memory, one file after the other.
 */
export const cocoImporter: Importer = {
  name: 'coco',
  title: 'COCO instances',
  files:
    'JSON files of any name with "images", "annotations" and "categories"; train, valid or test in the path is the split',

  async recognize(source) {
    const found: string[] = [];
    for (const file of source.files)
      if (/\.json$/i.test(file) && (await isCoco(join(source.root, file)))) found.push(file);
    return found;
  },

  async *read(source, files, options) {
    const contents: CocoFile[] = [];
    for (const file of files) contents.push(await readFile(source, file, options));
    const merged = new Map<string, { image: Omit<ImportedImage, 'objects'>; objects: ImportedObject[] }>();
    for (const content of contents)
      for (const entry of content.images) {
        const image = await imageOf(source, content.name, entry);
        const objects = objectsOf(content, entry, image, options);
        const known = merged.get(image.path ?? image.fileName);
        if (known === undefined) {
          merged.set(image.path ?? image.fileName, { image, objects });
          continue;
        }
        options.notes.add('images that occur several times, whose boxes are merged', entry.location);
        const keys = new Set(known.objects.map(keyOf));
        known.objects.push(...objects.filter((object) => !keys.has(keyOf(object))));
      }
    for (const { image, objects } of merged.values()) yield { ...image, objects };
  },
};

/** Whether a JSON file is an object with the lists of COCO. */
const isCoco = async (path: string): Promise<boolean> => {
  const missing = new Set(['images', 'annotations', 'categories']);
  try {
    for await (const key of withPauses(readJsonKeys(path))) {
      missing.delete(key);
      if (missing.size === 0) return true;
    }
  } catch (error) {
    // Malformed and other files have another format, or none.
    if (!(error instanceof MdetrError)) throw error;
  }
  return false;
};

const readFile = async (source: ImportSource, name: string, { leftOut }: ImportOptions): Promise<CocoFile> => {
  const path = join(source.root, name);
  const images: CocoFile['images'][number][] = [];
  const categories = new Map<string, string>();
  const annotations = new Map<string, { annotation: Annotation; location: string }[]>();
  for await (const { list, location: entry, value } of withPauses(
    readJsonLists(path, ['images', 'annotations', 'categories']),
  )) {
    const location = `${path}: ${entry}`;
    if (list === 'images') images.push({ ...checked(imageSchema, value, location), location });
    else if (list === 'categories') {
      const category = checked(categorySchema, value, location);
      const known = categories.get(category.id);
      if (known !== undefined && known !== category.name)
        throw new MdetrError(
          `${location}: category id ${category.id} is ${quoted(known)} and ${quoted(category.name)}`,
        );
      categories.set(category.id, category.name);
    } else {
      const annotation = checked(annotationSchema, value, location);
      const own = annotations.get(annotation.image_id);
      if (own === undefined) annotations.set(annotation.image_id, [{ annotation, location }]);
      else own.push({ annotation, location });
    }
  }
  const known = new Set(images.flatMap((image) => [image.id ?? image.file_name, image.file_name]));
  for (const [image, own] of annotations)
    if (!known.has(image)) leftOut.add('annotations of missing images', own[0]!.location, own.length);
  return { name, images, categories, annotations };
};

const imageOf = async (
  source: ImportSource,
  file: string,
  { file_name: fileName, width, height, location }: CocoFile['images'][number],
): Promise<Omit<ImportedImage, 'objects'>> => {
  const path = source.findImage(fileName, file);
  const stated = { width: width ?? 0, height: height ?? 0 };
  const isStated = stated.width > 0 && stated.height > 0;
  if (!isStated && path === undefined)
    throw new MdetrError(
      `${location}: has no size, and the image ${fileName} was not found; pass its folder with --images`,
    );
  const size = isStated ? stated : await imageSizeOf(path!);
  return { fileName, path, ...size, split: splitOf(file) };
};

/** Objects of an image, clipped to it. Those without category, box or area are left out. */
const objectsOf = (
  { annotations, categories }: CocoFile,
  { id: imageId, file_name: fileName }: CocoFile['images'][number],
  { width, height }: Pick<ImportedImage, 'width' | 'height'>,
  { leftOut }: ImportOptions,
): ImportedObject[] => {
  const entries = annotations.get(imageId ?? fileName) ?? annotations.get(fileName) ?? [];
  return entries.flatMap(({ annotation, location }): ImportedObject[] => {
    const label = categories.get(annotation.category_id);
    if (label === undefined)
      throw new MdetrError(`${location}: category_id ${annotation.category_id} is not in "categories"`);
    const segmentation = segmentationOf(annotation, location, leftOut);
    const box = annotation.bbox ?? boundsOf(segmentation);
    if (box === undefined) {
      leftOut.add('annotations without a box', location);
      return [];
    }
    const bbox = clipped(box, width, height);
    if (!(bbox[2] > 0 && bbox[3] > 0)) {
      leftOut.add('boxes without area in the image', location);
      return [];
    }
    return [{ label, bbox, segmentation, isCrowd: annotation.iscrowd === 1, location }];
  });
};

/** Segmentation of an object; undefined if it has none, or a broken one, which is reported. */
const segmentationOf = ({ segmentation }: Annotation, location: string, leftOut: Remarks): Segmentation | undefined => {
  const parsed = parseSegmentation(segmentation);
  if (parsed.kind === 'broken')
    leftOut.add(
      'broken segmentations, whose boxes are kept',
      `${location}: segmentation${parsed.field} ${parsed.message}`,
    );
  return parsed.kind === 'mask' ? parsed.segmentation : undefined;
};

/** Bounds of polygons, xywh. Undefined for run lengths, since exporters of these write boxes. */
const boundsOf = (segmentation: Segmentation | undefined): BoxXywh | undefined => {
  if (segmentation === undefined || 'counts' in segmentation) return undefined;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const points of segmentation)
    for (let i = 0; i < points.length; i += 2) {
      [left, right] = [Math.min(left, points[i]!), Math.max(right, points[i]!)];
      [top, bottom] = [Math.min(top, points[i + 1]!), Math.max(bottom, points[i + 1]!)];
    }
  return [left, top, right - left, bottom - top];
};

const clipped = ([x, y, w, h]: BoxXywh, width: number, height: number): BoxXywh => {
  const [x0, y0] = [Math.max(0, x), Math.max(0, y)];
  return [x0, y0, Math.min(width, x + w) - x0, Math.min(height, y + h) - y0];
};

const keyOf = ({ label, bbox }: ImportedObject): string => `${bbox.join()} ${label}`;

/** Split that the path of an annotation file states: a folder, or a part of the file name. */
const splitOf = (file: string): ImportSplit | undefined => {
  const words = file
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
  if (words.includes('train')) return 'train';
  if (words.some((word) => ['val', 'valid', 'validation'].includes(word))) return 'val';
  return words.includes('test') && posix.dirname(file) !== '.' ? 'test' : undefined;
};
