import { excerpt, quoted } from '../../../errors.ts';
import type { Segmentation } from '../../../data/format/coco-format.ts';
import { parseSegmentation } from '../../../data/format/segmentation.ts';
import { enclosingBoxXywh, type BoxXywh } from '../../../geometry/boxes.ts';
import { maskBoundsXywh, unpackMask } from '../../../geometry/run-lengths.ts';
import { CodePointMap } from '../../../text/spans/code-points.ts';
import { imageStem } from '../../import/image-names.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitOfPath } from '../../import/stated-split.ts';
import type { Remarks } from '../../preparation/remarks.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { checked } from '../../source/checked.ts';
import { type ListEntry, readJsonLists, withPauses } from '../../source/json-entries.ts';
import { filesByOutline } from '../recognition.ts';
import { boxOfPoints } from '../shapes.ts';
import { classOfNumber } from '../unnamed-classes.ts';
import { statedAttributes } from '../stated-attributes.ts';
import {
  annotationSchema,
  boxField,
  categorySchema,
  imageSchema,
  marksMasksAsCrowds,
  type Annotation,
  type CocoEntry,
} from './entries.ts';

/** Lists of every COCO file. */
const LISTS = ['images', 'annotations', 'categories'] as const;

/** Contents of one annotation file. */
interface CocoFile {
  readonly name: string;
  readonly images: readonly (CocoEntry & { readonly location: string })[];
  readonly categories: ReadonlyMap<string, string>;
  /** The file is in the official format of MDETR: boxes refer to words of captions. */
  readonly hasCaptions: boolean;
  /** Masks are marked as crowds whatever they show, as CVAT and Datumaro write them. */
  readonly hasCrowdMasks: boolean;
  readonly annotations: ReadonlyMap<string, readonly { readonly annotation: Annotation; readonly location: string }[]>;
}

/**
 * Importer of COCO instances as labeling tools export them: any file name, numeric or string ids in any order, category
 * ids from 0, missing `area`, `iscrowd` and ids of annotations, flat polygons, missing sizes, and several files, whose
 * folders can state the split. Key points and panoptic segments give their boxes; captions with `tokens_positive` stay. Keeps
 * the annotations in memory, one file after the other.
 */
export const cocoImporter: Importer = {
  name: 'coco',
  title: 'COCO instances',
  files:
    'JSON files of any name with "images", "annotations" and "categories"; train, valid or test in the path is the split',

  async recognize(source) {
    const withLists = (lists: readonly string[]): Promise<string[]> =>
      filesByOutline(source, /\.json$/i, ({ kind, keys }) => kind === 'object' && lists.every((key) => keys.has(key)));
    const complete = await withLists(LISTS);
    // Files without categories beside complete ones are those of captions.
    return complete.length > 0 ? complete : withLists(['images', 'annotations']);
  },

  async *read(source, files, options) {
    for (const file of files) {
      const content = await readFile(source, file, options);
      const isCornerBoxes = hasCornerBoxes(content);
      if (content.hasCrowdMasks)
        options.notes.add('masks that the exporter marks as crowds, which count as objects', source.pathOf(file));
      if (isCornerBoxes)
        options.notes.add('boxes that are [x0, y0, x1, y1] instead of [x, y, width, height]', source.pathOf(file));
      yield* options.badRows.usable(content.images, (entry) => imageOf(source, content, entry, isCornerBoxes, options));
    }
  },
};

const readFile = async (source: ImportSource, name: string, { leftOut, badRows }: ImportOptions): Promise<CocoFile> => {
  const path = source.pathOf(name);
  const lists = source.outlineOf(name)?.keys.has('categories') === false ? LISTS.slice(0, 2) : LISTS;
  const images: CocoFile['images'][number][] = [];
  const categories = new Map<string, string>();
  const annotations = new Map<string, { annotation: Annotation; location: string }[]>();
  const ids = new Set<string>();
  const read = ({ list, location: entry, value }: ListEntry<(typeof LISTS)[number]>): void => {
    const location = `${path}: ${entry}`;
    if (list === 'images') {
      const image = checked(imageSchema, value, location);
      if (image.id !== undefined && ids.has(image.id))
        throw new BadRowError(`${location}: the image id ${excerpt(image.id)} occurs twice`);
      if (image.id !== undefined) ids.add(image.id);
      images.push({ ...image, location });
    } else if (list === 'categories') {
      const category = checked(categorySchema, value, location);
      const known = categories.get(category.id);
      if (known !== undefined && known !== category.name)
        throw new BadRowError(
          `${location}: category id ${excerpt(category.id)} is ${quoted(known)} and ${quoted(category.name)}`,
        );
      categories.set(category.id, category.name);
    } else {
      const annotation = checked(annotationSchema, value, location);
      const own = annotations.get(annotation.image_id);
      if (own === undefined) annotations.set(annotation.image_id, [{ annotation, location }]);
      else own.push({ annotation, location });
    }
  };
  for await (const entry of withPauses(readJsonLists(path, lists))) badRows.attempt(() => read(entry));
  const known = new Set([...ids, ...images.flatMap((image) => [image.file_name, imageStem(image.file_name)])]);
  for (const [image, own] of annotations)
    if (!known.has(image)) leftOut.add('annotations of missing images', own[0]!.location, own.length);
  const hasCaptions = [...annotations.values()].some((own) =>
    own.some(({ annotation }) => (annotation.tokens_positive?.length ?? 0) > 0),
  );
  const hasCrowdMasks = marksMasksAsCrowds([...annotations.values()].flat().map(({ annotation }) => annotation));
  return { name, images, categories, hasCaptions, hasCrowdMasks, annotations };
};

/**
 * Whether the boxes of a file are corners, against COCO's definition: read as corners all lie in their images and give the
 * areas that the file states; read as corner and size they do not.
 */
const hasCornerBoxes = ({ images, annotations }: CocoFile): boolean => {
  let [boxes, asCorners, asSizes] = [0, 0, 0];
  for (const image of images) {
    if (!(Number(image.width) > 0 && Number(image.height) > 0)) continue;
    for (const { annotation } of annotations.get(image.id ?? image.file_name) ?? []) {
      const { bbox, area } = annotation as Annotation & { area?: unknown };
      if (bbox?.length !== 4 || typeof area !== 'number') continue;
      const [a, b, c, d] = bbox;
      boxes++;
      if (Math.abs((c - a) * (d - b) - area) <= 1 + 0.01 * area && c <= image.width! + 1 && d <= image.height! + 1)
        asCorners++;
      if (a + c <= image.width! + 1 && b + d <= image.height! + 1) asSizes++;
    }
  }
  return boxes > 0 && asCorners === boxes && asSizes < boxes;
};

const imageOf = (
  source: ImportSource,
  content: CocoFile,
  entry: CocoFile['images'][number],
  isCornerBoxes: boolean,
  options: ImportOptions,
): ImportedImage => {
  const { file_name: fileName, width, height, location } = entry;
  const caption = content.hasCaptions ? (entry.caption ?? undefined) : undefined;
  return {
    fileName,
    path: source.findImage(fileName, content.name),
    width: width ?? undefined,
    height: height ?? undefined,
    split: splitOfPath(content.name),
    caption,
    objects: objectsOf(content, entry, caption, isCornerBoxes, options),
    location,
  };
};

/** Objects of an image. Those without category or box are left out. */
const objectsOf = (
  { annotations, categories, hasCrowdMasks }: CocoFile,
  { id: imageId, file_name: fileName }: CocoFile['images'][number],
  caption: string | undefined,
  isCornerBoxes: boolean,
  options: ImportOptions,
): ImportedObject[] => {
  const { leftOut, defaultClass } = options;
  const entries =
    annotations.get(imageId ?? fileName) ?? annotations.get(fileName) ?? annotations.get(imageStem(fileName)) ?? [];
  const codePoints = caption === undefined ? undefined : new CodePointMap(caption);
  const objectsOfEntry = ({ annotation, location }: (typeof entries)[number]): ImportedObject[] => {
    if (annotation.segments_info != null)
      return annotation.segments_info.flatMap((segment, i) => {
        const place = `${location}: segments_info[${i}]`;
        const bbox = boxField.safeParse(segment.bbox);
        if (bbox.success)
          return [
            {
              label: labelOf(segment.category_id, categories, place, options),
              bbox: bbox.data,
              isCrowd: segment.iscrowd === 1,
              location: place,
            },
          ];
        leftOut.add('annotations without a box', place);
        return [];
      });
    const spans =
      codePoints === undefined ? [] : (annotation.tokens_positive ?? []).map((own) => codePoints.toSpan(own));
    const named = categories.size === 0 ? annotation.category_name?.trim() : undefined;
    const label =
      named !== undefined && named !== ''
        ? named
        : annotation.category_id == null && defaultClass !== undefined
          ? defaultClass
          : labelOf(annotation.category_id, categories, location, options);
    const segmentation = segmentationOf(annotation, location, leftOut);
    const [a, b, c, d] = annotation.bbox?.length === 4 ? annotation.bbox : [];
    const stated: BoxXywh | undefined =
      a === undefined ? undefined : isCornerBoxes ? [a, b!, c! - a, d! - b!] : [a, b!, c!, d!];
    const bbox = stated ?? boundsOf(segmentation, location);
    if (bbox === undefined) {
      leftOut.add('annotations without a box', location);
      return [];
    }
    return [
      {
        label,
        bbox,
        segmentation,
        isCrowd: annotation.iscrowd === 1 && !hasCrowdMasks,
        spans: spans.length > 0 ? spans : undefined,
        attributes: attributesOf(annotation.attributes),
        location,
      },
    ];
  };
  return [...options.badRows.usable(entries, objectsOfEntry)];
};

const labelOf = (
  category: string | null | undefined,
  categories: ReadonlyMap<string, string>,
  location: string,
  options: ImportOptions,
): string => {
  const label = category == null ? undefined : categories.get(category);
  if (label === undefined && categories.size === 0 && /^\d+$/.test(category ?? '')) {
    const id = Number(category);
    return options.classNames?.[id] ?? classOfNumber(id, options, location);
  }
  if (label === undefined)
    throw new BadRowError(`${location}: category_id ${excerpt(String(category))} is not in "categories"`);
  return label;
};

/** Attributes as CVAT writes them: `{ "occluded": false, "color": "red" }`. */
const attributesOf = (value: unknown): Record<string, string> | undefined => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return statedAttributes(value);
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

/** Bounds of polygons or run lengths, xywh. */
const boundsOf = (segmentation: Segmentation | undefined, location: string): BoxXywh | undefined => {
  if (segmentation === undefined) return undefined;
  if ('counts' in segmentation) return maskBoundsXywh(unpackMask(segmentation, location));
  const boxes = segmentation.flatMap((points): BoxXywh[] => {
    const bounds = boxOfPoints(points);
    return bounds === undefined ? [] : [bounds];
  });
  return boxes.length === 0 ? undefined : enclosingBoxXywh(boxes);
};
