import { MdetrError } from '../../errors.ts';
import type { CocoImage, CocoRow } from '../../data/format/coco-format.ts';
import { AnnotationIndex, type OpenOptions } from '../../data/annotation-index/annotation-index.ts';
import { RowSyntaxError } from '../../data/annotation-index/row-syntax-error.ts';
import { type ReaderOptions, RowReader } from '../../data/annotation-index/row-reader.ts';
import { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import { JsonSections } from '../../files/json/json-sections.ts';
import { combineCaptions, type CombineOptions } from './combine-captions.ts';
import { ImageIdentities, type ImageIdentity, keyOf, type VisualGenomeImage } from './image-identity.ts';
import { type GuardList, guardedImages } from './leakage-guard.ts';

/** An annotation file with one caption per row, and the collection of its images (`coco`, `vg`; default: the row's `data_source`). */
export interface CombineInput {
  /** Path of the annotation file. */
  readonly path: string;
  /** Image collection of its rows (`coco`, `vg`, `flickr`). */
  readonly source?: string;
}

/** Options of `combineFiles`. */
export interface CombineFilesOptions extends CombineOptions, ReaderOptions, OpenOptions {
  /** Lists of images to leave out. */
  readonly guards?: readonly GuardList[];
  /** Visual Genome's images by id, which tell which of them are in COCO. */
  readonly visualGenome?: ReadonlyMap<string, VisualGenomeImage>;
  /** Path of COCO's `instances_train2014.json`, for names and sizes of COCO images referenced by Visual Genome files. */
  readonly cocoImages?: string;
  /** Called after every image. */
  readonly onImages?: (done: number, total: number) => void;
}

/** Counts of a `combineFiles` run. */
export interface CombineReport {
  /** Number of images. */
  readonly images: number;
  /** Number of captions that were read. */
  readonly captionsIn: number;
  /** Number of captions that were written. */
  readonly captionsOut: number;
  /** Number of boxes that were written. */
  readonly annotationsOut: number;
  /** Number of images left out because evaluation uses them. */
  readonly guardedImages: number;
  /** Number of captions left out because evaluation uses their images. */
  readonly guardedCaptions: number;
  /** Number of rows that could not be used. */
  readonly badRows: number;
}

/**
 * Combines the captions of annotation files, image by image, into one annotation file in the official format, with
 * `dataset_name` "mixed". Images are in order of first occurrence: those of COCO, of Visual Genome, then others. Memory:
 * about 8 bytes per row, plus the names of the images; rows are read on demand.
 * @throws {MdetrError} if a file or row cannot be used, or the size of a COCO image is unknown
 */
export const combineFiles = async (
  inputs: readonly CombineInput[],
  outPath: string,
  options: CombineFilesOptions = {},
): Promise<CombineReport> => {
  const identities = new ImageIdentities(options.visualGenome);
  const guarded = guardedImages(options.guards ?? [], identities, options);
  const opened: AnnotationIndex[] = [];
  const open = (path: string): AnnotationIndex => {
    const index = AnnotationIndex.open(path, options);
    opened.push(index);
    if (index.format === 'questions')
      throw new MdetrError(`${path}: has questions without boxes; only captions with boxes can be combined`);
    return index;
  };
  try {
    const readers = inputs.map(({ path, source }) => ({ reader: new RowReader(open(path), options), source }));
    const captions = new MixedDataset(
      readers.map((part) => ({ name: part.reader.index.annotationFile, source: part.reader.index })),
    );
    const groups = groupByImage(captions, inputs, identities, guarded, options);
    const coco = options.cocoImages === undefined ? undefined : open(options.cocoImages);
    const writer = await JsonSections.create(outPath, ['images', 'annotations']);
    try {
      const counts = { captionsOut: 0, annotationsOut: 0, captionsIn: 0 };
      for (let image = 0; image < groups.images.length; image++) {
        const rows: IdentifiedRow[] = [];
        for (const index of groups.captionsOf(image)) {
          const { part, row } = captions.locate(index);
          const { reader, source } = readers[captions.parts.indexOf(part)]!;
          const read = reader.read(row);
          if (read !== undefined)
            rows.push({ row: read, identity: identities.of(read.image.file_name, source ?? read.image.data_source) });
        }
        counts.captionsIn += rows.length;
        await writeImage(writer, groups.images[image]!, rows, coco, image, options, counts);
        options.onImages?.(image + 1, groups.images.length);
      }
      await writer.finish({ info: [], licenses: [], images: [], annotations: [], categories: [] });
      return {
        images: groups.images.length,
        ...counts,
        guardedImages: groups.guardedImages,
        guardedCaptions: groups.guardedCaptions,
        badRows: readers.reduce((sum, { reader }) => sum + reader.counts.skipped, groups.unreadable),
      };
    } finally {
      await writer.discard();
    }
  } finally {
    for (const index of opened) index.close();
  }
};

interface IdentifiedRow {
  readonly row: CocoRow;
  readonly identity: ImageIdentity;
}

interface ImageGroups {
  readonly images: readonly ImageIdentity[];
  readonly guardedImages: number;
  readonly guardedCaptions: number;
  readonly unreadable: number;
  /** Indices of an image's captions in the mixed dataset. */
  captionsOf(image: number): Uint32Array;
}

/** Groups the rows of all files by image in one pass, without the guarded images. */
const groupByImage = (
  captions: MixedDataset<AnnotationIndex>,
  inputs: readonly CombineInput[],
  identities: ImageIdentities,
  guarded: ReadonlySet<string>,
  { onBadRow }: ReaderOptions,
): ImageGroups => {
  const indexOf = new Map<string, number>();
  const found: ImageIdentity[] = [];
  const imageOf = new Int32Array(captions.length).fill(-1);
  const guardedSeen = new Set<string>();
  let guardedCaptions = 0;
  let unreadable = 0;
  let caption = 0;
  for (const [p, { source: index }] of captions.parts.entries())
    for (let row = 0; row < index.length; row++, caption++) {
      const image = imageAt(index, row, onBadRow);
      if (image === undefined) {
        unreadable++;
        continue;
      }
      const identity = identities.of(image.file_name, inputs[p]!.source ?? image.data_source);
      const key = keyOf(identity);
      if (guarded.has(key)) {
        guardedSeen.add(key);
        guardedCaptions++;
        continue;
      }
      let imageIndex = indexOf.get(key);
      if (imageIndex === undefined) {
        imageIndex = found.push(identity) - 1;
        indexOf.set(key, imageIndex);
      }
      imageOf[caption] = imageIndex;
    }
  const rank = ({ source }: ImageIdentity): number => (source === 'coco' ? 0 : source === 'vg' ? 1 : 2);
  const order = [...found.keys()].sort((a, b) => rank(found[a]!) - rank(found[b]!) || a - b);
  const positionOf = new Uint32Array(order.length);
  order.forEach((image, position) => (positionOf[image] = position));
  // Counting sort of the captions by the position of their image.
  const starts = new Uint32Array(order.length + 1);
  for (const image of imageOf) if (image >= 0) starts[positionOf[image]! + 1]!++;
  for (let i = 0; i < order.length; i++) starts[i + 1]! += starts[i]!;
  const grouped = new Uint32Array(starts[order.length]!);
  const next = starts.slice();
  imageOf.forEach((image, i) => {
    if (image >= 0) grouped[next[positionOf[image]!]!++] = i;
  });
  return {
    images: order.map((image) => found[image]!),
    guardedImages: guardedSeen.size,
    guardedCaptions,
    unreadable,
    captionsOf: (image) => grouped.subarray(starts[image], starts[image + 1]),
  };
};

/** The image of a row; undefined if the row is skipped. @throws {MdetrError} if the row is bad and not skipped */
const imageAt = (
  index: AnnotationIndex,
  row: number,
  onBadRow: ReaderOptions['onBadRow'],
): { file_name: string; data_source?: string } | undefined => {
  try {
    const image = index.image(row) as Partial<CocoImage>;
    if (typeof image.file_name === 'string') return image as CocoImage;
  } catch (error) {
    if (!(error instanceof RowSyntaxError) || onBadRow !== 'skip') throw error;
  }
  if (onBadRow === 'skip') return undefined;
  throw new MdetrError(`${index.annotationFile}: row ${row}: file_name is missing or not a string`);
};

const writeImage = async (
  writer: JsonSections,
  identity: ImageIdentity,
  rows: readonly IdentifiedRow[],
  coco: AnnotationIndex | undefined,
  imageIndex: number,
  options: CombineOptions,
  counts: { captionsOut: number; annotationsOut: number },
): Promise<void> => {
  if (rows.length === 0) return;
  const image = imageOf(identity, rows, coco);
  const captions = rows.map((row) => rescaled(row, image));
  for (const combined of combineCaptions(captions, options, imageIndex)) {
    const id = counts.captionsOut++;
    await writer.append('images', {
      ...image,
      id,
      original_id: identity.id,
      caption: combined.caption,
      tokens_negative: combined.tokens_negative,
      data_source: identity.source,
      dataset_name: 'mixed',
    });
    for (const annotation of combined.annotations)
      await writer.append('annotations', { ...annotation, image_id: id, id: counts.annotationsOut++ });
  }
};

type ImageFile = Pick<CocoImage, 'file_name' | 'height' | 'width'>;

/** File name and size of an image, from COCO's image list or a row of its own collection. */
const imageOf = (
  identity: ImageIdentity,
  rows: readonly IdentifiedRow[],
  coco: AnnotationIndex | undefined,
): ImageFile => {
  const listed = identity.source === 'coco' ? coco?.rowOf(Number(identity.id)) : undefined;
  const known =
    listed === undefined
      ? rows.find((row) => row.identity.statedSize === undefined)?.row.image
      : (coco!.image(listed) as Partial<CocoImage>);
  const { file_name, height, width } = known ?? {};
  if (file_name === undefined || height === undefined || width === undefined)
    throw new MdetrError(
      `the Visual Genome image ${rows[0]!.row.image.file_name} is COCO image ${identity.id}, ` +
        `${coco === undefined ? 'but no list of COCO images was given' : `which ${coco.annotationFile} does not have`}; ` +
        'pass instances_train2014.json with --coco-images',
    );
  return { file_name, height, width };
};

/** Rescales boxes of a Visual Genome row to COCO's version of the image. Areas are not rescaled, as in the official script. */
const rescaled = ({ row, identity: { statedSize } }: IdentifiedRow, { width, height }: ImageFile): CocoRow => {
  if (statedSize === undefined) return row;
  const across = (x: number): number => (x / statedSize.width) * width;
  const down = (y: number): number => (y / statedSize.height) * height;
  return {
    image: row.image,
    annotations: row.annotations.map((annotation) => {
      const [x, y, w, h] = annotation.bbox;
      return { ...annotation, bbox: [across(x), down(y), across(w), down(h)] };
    }),
  };
};
