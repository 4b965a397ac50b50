import { MdetrError } from '../../errors.ts';
import type { CocoImage, CocoRow } from '../../data/format/coco-format.ts';
import { AnnotationIndex, type OpenOptions, RowSyntaxError } from '../../data/annotation-index/annotation-index.ts';
import { type ReaderOptions, RowReader } from '../../data/annotation-index/row-reader.ts';
import { MixedDataset } from '../../data/sampling/mixed-dataset.ts';
import { JsonSections } from '../../scenes/dataset/json-sections.ts';
import { type CombineOptions, combineTexts } from './combine-texts.ts';
import { ImageIdentities, type ImageIdentity, keyOf, type VisualGenomeImage } from './image-identity.ts';
import { type GuardList, guardedImages } from './leakage-guard.ts';

/** An annotation file with one text per row, and the collection its images are from (`coco`, `vg`; default: as each row says). */
export interface CombineInput {
  readonly path: string;
  readonly source?: string;
}

export interface CombineFilesOptions extends CombineOptions, ReaderOptions, OpenOptions {
  /** Images that must not enter. */
  readonly guards?: readonly GuardList[];
  /** Visual Genome's image list, by number: tells which of its images are COCO's. */
  readonly visualGenome?: ReadonlyMap<string, VisualGenomeImage>;
  /** COCO's `instances_train2014.json`: names and sizes of images that come by way of Visual Genome. */
  readonly cocoImages?: string;
  /** Images done and in all. */
  readonly onImages?: (done: number, total: number) => void;
}

export interface CombineReport {
  readonly images: number;
  readonly textsIn: number;
  readonly sentencesOut: number;
  readonly annotationsOut: number;
  readonly guardedImages: number;
  readonly guardedTexts: number;
  readonly badRows: number;
}

/**
 * Combines the texts of annotation files image by image into one official annotation file, `dataset_name` "mixed".
 * Only which row belongs to which image is held in memory (about 8 bytes per row, and the images' names); rows are read
 * when their image's turn comes. Order: COCO images, Visual Genome's, others, each as they first occur.
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
      throw new MdetrError(`${path}: has questions without boxes: only texts that share boxes can be combined`);
    return index;
  };
  try {
    const readers = inputs.map(({ path, source }) => ({ reader: new RowReader(open(path), options), source }));
    const texts = new MixedDataset(
      readers.map((part) => ({ name: part.reader.index.annotationFile, source: part.reader.index })),
    );
    const groups = groupByImage(texts, inputs, identities, guarded, options);
    const coco = options.cocoImages === undefined ? undefined : open(options.cocoImages);
    const writer = await JsonSections.create(outPath, ['images', 'annotations']);
    try {
      const counts = { sentencesOut: 0, annotationsOut: 0, textsIn: 0 };
      for (let image = 0; image < groups.images.length; image++) {
        const rows: PlacedRow[] = [];
        for (const text of groups.textsOf(image)) {
          const { part, row } = texts.locate(text);
          const { reader, source } = readers[texts.parts.indexOf(part)]!;
          const read = reader.read(row);
          if (read !== undefined)
            rows.push({ row: read, identity: identities.of(read.image.file_name, source ?? read.image.data_source) });
        }
        counts.textsIn += rows.length;
        await writeImage(writer, groups.images[image]!, rows, coco, image, options, counts);
        options.onImages?.(image + 1, groups.images.length);
      }
      await writer.finish({ info: [], licenses: [], images: [], annotations: [], categories: [] });
      return {
        images: groups.images.length,
        ...counts,
        guardedImages: groups.guardedImages,
        guardedTexts: groups.guardedTexts,
        badRows: readers.reduce((sum, { reader }) => sum + reader.counts.skipped, groups.unreadable),
      };
    } finally {
      await writer.discard();
    }
  } finally {
    for (const index of opened) index.close();
  }
};

interface PlacedRow {
  readonly row: CocoRow;
  readonly identity: ImageIdentity;
}

interface ImageGroups {
  readonly images: readonly ImageIdentity[];
  readonly guardedImages: number;
  readonly guardedTexts: number;
  readonly unreadable: number;
  /** Numbers of an image's texts in the mixed dataset. */
  textsOf(image: number): Uint32Array;
}

/** One pass over the images of all rows: who belongs together, and who stays out. */
const groupByImage = (
  texts: MixedDataset<AnnotationIndex>,
  inputs: readonly CombineInput[],
  identities: ImageIdentities,
  guarded: ReadonlySet<string>,
  { onBadRow }: ReaderOptions,
): ImageGroups => {
  const numberOf = new Map<string, number>();
  const found: ImageIdentity[] = [];
  const imageOf = new Int32Array(texts.length).fill(-1);
  const guardedSeen = new Set<string>();
  let guardedTexts = 0;
  let unreadable = 0;
  let text = 0;
  for (const [p, { source: index }] of texts.parts.entries())
    for (let row = 0; row < index.length; row++, text++) {
      const image = imageAt(index, row, onBadRow);
      if (image === undefined) {
        unreadable++;
        continue;
      }
      const identity = identities.of(image.file_name, inputs[p]!.source ?? image.data_source);
      const key = keyOf(identity);
      if (guarded.has(key)) {
        guardedSeen.add(key);
        guardedTexts++;
        continue;
      }
      let number = numberOf.get(key);
      if (number === undefined) {
        number = found.push(identity) - 1;
        numberOf.set(key, number);
      }
      imageOf[text] = number;
    }
  const rank = ({ source }: ImageIdentity): number => (source === 'coco' ? 0 : source === 'vg' ? 1 : 2);
  const order = [...found.keys()].sort((a, b) => rank(found[a]!) - rank(found[b]!) || a - b);
  const placeOf = new Uint32Array(order.length);
  order.forEach((number, place) => (placeOf[number] = place));
  // A counting sort: where each image's texts begin, then every text to its place.
  const starts = new Uint32Array(order.length + 1);
  for (const number of imageOf) if (number >= 0) starts[placeOf[number]! + 1]!++;
  for (let i = 0; i < order.length; i++) starts[i + 1]! += starts[i]!;
  const grouped = new Uint32Array(starts[order.length]!);
  const next = starts.slice();
  imageOf.forEach((number, i) => {
    if (number >= 0) grouped[next[placeOf[number]!]!++] = i;
  });
  return {
    images: order.map((number) => found[number]!),
    guardedImages: guardedSeen.size,
    guardedTexts,
    unreadable,
    textsOf: (image) => grouped.subarray(starts[image], starts[image + 1]),
  };
};

/** The parts of a row that tell its image; undefined for a row to be skipped. */
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
  throw new MdetrError(`${index.annotationFile}: row ${row}: file_name is missing or not a text`);
};

const writeImage = async (
  writer: JsonSections,
  identity: ImageIdentity,
  rows: readonly PlacedRow[],
  coco: AnnotationIndex | undefined,
  imageNumber: number,
  options: CombineOptions,
  counts: { sentencesOut: number; annotationsOut: number },
): Promise<void> => {
  if (rows.length === 0) return;
  const image = imageOf(identity, rows, coco);
  const texts = rows.map((placed) => rescaled(placed, image));
  for (const sentence of combineTexts(texts, options, imageNumber)) {
    const id = counts.sentencesOut++;
    await writer.append('images', {
      ...image,
      id,
      original_id: identity.id,
      caption: sentence.caption,
      tokens_negative: sentence.tokens_negative,
      data_source: identity.source,
      dataset_name: 'mixed',
    });
    for (const annotation of sentence.annotations)
      await writer.append('annotations', { ...annotation, image_id: id, id: counts.annotationsOut++ });
  }
};

type Picture = Pick<CocoImage, 'file_name' | 'height' | 'width'>;

/** File and size of an image: a row of its own collection knows, else COCO's image list. */
const imageOf = (identity: ImageIdentity, rows: readonly PlacedRow[], coco: AnnotationIndex | undefined): Picture => {
  const listed = identity.source === 'coco' ? coco?.rowOf(Number(identity.id)) : undefined;
  const known =
    listed === undefined
      ? rows.find((placed) => placed.identity.statedSize === undefined)?.row.image
      : (coco!.image(listed) as Partial<CocoImage>);
  const { file_name, height, width } = known ?? {};
  if (file_name === undefined || height === undefined || width === undefined)
    throw new MdetrError(
      `the Visual Genome image of ${rows[0]!.row.image.file_name} is COCO's number ${identity.id}, ` +
        `${coco === undefined ? 'and no list of COCO images was given' : `which ${coco.annotationFile} does not have`}: ` +
        'give instances_train2014.json with --coco-images',
    );
  return { file_name, height, width };
};

/** Boxes of a Visual Genome row in pixels of COCO's version of the image. Areas stay, as in the official script. */
const rescaled = ({ row, identity: { statedSize } }: PlacedRow, { width, height }: Picture): CocoRow => {
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
