import { createHash } from 'node:crypto';
import { normalize } from 'node:path';
import { errorCode, MdetrError, messageOf } from '../../errors.ts';
import { codePointLength, SOFT_TOKENS, type Tokenizer } from '../../text/index.ts';
import type { CocoImage, CocoRow } from '../../data/format/coco-format.ts';
import type { RowProblem, RowRules } from '../../data/format/row-checks.ts';
import { ImageIdentities, keyOf } from '../combine/image-identity.ts';
import { DECODE_DEFAULTS } from '../../data/images/decode-options.ts';
import type { Orientation, OrientationRule, PixelSize } from '../../data/images/orientation.ts';
import { orientationOf, readImageFile, readImageHeader, type ImageHeader } from '../../data/images/node/image-file.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import type { ImageRoots } from '../../data/images/node/image-roots.ts';
import { AnnotationIndex, type OpenOptions } from '../../data/annotation-index/annotation-index.ts';
import { RowReader } from '../../data/annotation-index/row-reader.ts';
import { type Finding, Findings } from './findings.ts';

/** Options of `checkDataset`. */
export interface CheckOptions extends RowRules, OpenOptions {
  /** Image folders. Without them images are not checked. */
  readonly roots?: ImageRoots;
  /** Read only the headers of images instead of decoding them. */
  readonly quick?: boolean;
  /** Orientation of the images; by default the size in an image's row decides. */
  readonly orientation?: Orientation;
  /** Tokenizer for counting tokens. Without it caption lengths are not checked. */
  readonly tokenizer?: Tokenizer;
  /** Called after every row and every few images of a file. */
  readonly onStep?: (file: string, what: 'rows' | 'images', done: number, total: number) => void;
}

/** Counts and findings of one annotation file. */
export interface FileReport {
  /** Path of the annotation file. */
  readonly file: string;
  /** Number of rows. */
  readonly rows: number;
  /** Number of rows that readers accept. */
  readonly usableRows: number;
  /** Number of different image files. */
  readonly images: number;
  /** Number of boxes. */
  readonly annotations: number;
  /** Mean number of boxes of a row. */
  readonly boxesPerRow: number;
  /** Maximum number of characters of a caption. */
  readonly longestCaption: number;
  /** Number of rows by `dataset_name`. */
  readonly datasets: Readonly<Record<string, number>>;
  /** Problems, most severe first. */
  readonly findings: readonly Finding[];
}

/** Result of `checkDataset`. */
export interface CheckReport {
  /** Report of each annotation file, in the given order. */
  readonly files: readonly FileReport[];
  /** Images that occur in several of the files. Splits must not share any. */
  readonly shared: readonly Finding[];
}

/**
 * Checks every row and image of annotation files.
 * @throws {MdetrError} if a file cannot be read at all
 */
export const checkDataset = async (files: readonly string[], options: CheckOptions = {}): Promise<CheckReport> => {
  const shared = new Findings();
  const firstFileOf = new Map<string, string>();
  const reports: FileReport[] = [];
  for (const file of files) {
    const { report, images } = checkRows(file, options);
    const keys = imageKeys(images);
    if (options.roots !== undefined) await checkImages(file, keys, options.roots, options, report);
    for (const image of keys) {
      // The name suffices; the bytes find copies under another name.
      const first = firstFileOf.get(image.name) ?? firstFileOf.get(image.bytes);
      if (first !== undefined && first !== file) {
        const how = firstFileOf.get(image.name) === first ? 'image' : 'image with the same bytes';
        shared.add('error', `${how} in ${first} and ${file}`, image.file.file_name);
      }
    }
    for (const { name, bytes } of keys)
      for (const key of [name, bytes]) if (key !== '' && !firstFileOf.has(key)) firstFileOf.set(key, file);
    reports.push({ ...report.summary, findings: report.findings.list() });
  }
  return { files: reports, shared: shared.list() };
};

interface RowsReport {
  readonly summary: Omit<FileReport, 'findings'>;
  readonly findings: Findings;
}
interface ImageFile extends Pick<CocoImage, 'id' | 'file_name' | 'data_source'> {
  /** Sizes that rows state for the image, by `WIDTHxHEIGHT`. */
  readonly sizes: Map<string, PixelSize>;
}
interface KeyedImage {
  readonly file: ImageFile;
  /** Key of the image's name. */
  readonly name: string;
  /** Digest of the file's bytes; empty until the file is read. */
  bytes: string;
}

const checkRows = (file: string, options: CheckOptions): { report: RowsReport; images: ImageFile[] } => {
  const findings = new Findings();
  const index = AnnotationIndex.open(file, options);
  try {
    const reader = new RowReader(index, {
      captions: options.captions,
      masks: options.masks ?? 'checked',
      onBadRow: 'skip',
      onProblem: ({ row, field, message, kind }) =>
        findings.add(kind === 'bad' ? 'error' : 'warning', titleOf(kind, field), `row ${row}: ${field} ${message}`),
    });
    const objects = new ObjectCounts(findings);
    const images = new Map<string, ImageFile>();
    const datasets = new Map<string, number>();
    let longestCaption = 0;
    for (let row = 0; row < index.length; row++) {
      const read = reader.read(row);
      if (read !== undefined) {
        const { id, file_name, data_source, width, height, caption = '', dataset_name = '(none)' } = read.image;
        const key = `${data_source ?? ''}/${file_name}`;
        const image = images.get(key) ?? { id, file_name, data_source, sizes: new Map<string, PixelSize>() };
        images.set(key, image);
        image.sizes.set(`${width}x${height}`, { width, height });
        datasets.set(dataset_name, (datasets.get(dataset_name) ?? 0) + 1);
        longestCaption = Math.max(longestCaption, codePointLength(caption));
        checkContent(read, row, options.tokenizer, findings);
        objects.add(read, row);
      }
      options.onStep?.(file, 'rows', row + 1, index.length);
    }
    if (index.orphanCount > 0)
      findings.add('warning', 'annotation whose image is not in the file', file, index.orphanCount);
    objects.finish();
    const summary = {
      file,
      rows: index.length,
      usableRows: reader.counts.read,
      images: images.size,
      annotations: index.annotationCount,
      boxesPerRow: index.length === 0 ? 0 : index.annotationCount / index.length,
      longestCaption,
      datasets: Object.fromEntries(datasets),
    };
    return { report: { summary, findings }, images: [...images.values()] };
  } finally {
    index.close();
  }
};

/** Title of the finding that a problem of a row belongs to. */
const titleOf = (kind: RowProblem['kind'], field: string): string => {
  if (kind === 'empty') return 'box without area';
  if (kind === 'mask') return 'broken segmentation: training with mask losses refuses the row';
  return `${field.replaceAll(/\[\d+\]/g, '[]')} is not usable`;
};

/** Checks of objects that need all rows of a file: ids that occur several times, and masks that only some objects have. */
class ObjectCounts {
  private readonly ids = new Set<string | number>();
  private readonly findings: Findings;
  private masks = 0;
  private readonly without = { count: 0, example: '' };

  constructor(findings: Findings) {
    this.findings = findings;
  }

  add({ annotations }: CocoRow, row: number): void {
    annotations.forEach(({ id, bbox, iscrowd, segmentation }, i) => {
      const at = `row ${row}: annotations[${i}]`;
      if (id !== undefined && this.ids.size === this.ids.add(id).size)
        this.findings.add('warning', 'annotation id that occurs several times', `${at}.id ${id}`);
      if (segmentation !== undefined) this.masks++;
      else if (iscrowd !== 1 && bbox[2] > 0 && bbox[3] > 0 && this.without.count++ === 0) this.without.example = at;
    });
  }

  finish(): void {
    const { count, example } = this.without;
    if (this.masks > 0 && count > 0)
      this.findings.add('note', 'box without a mask, although other boxes have one', example, count);
  }
}

/** Checks the contents of a row that readers accept. */
const checkContent = (
  { image, annotations }: CocoRow,
  row: number,
  tokenizer: Tokenizer | undefined,
  findings: Findings,
): void => {
  annotations.forEach(({ bbox: [x, y, width, height], tokens, tokens_positive }, i) => {
    const at = `row ${row}: annotations[${i}]`;
    if (width > 0 && height > 0) {
      if (x >= image.width || y >= image.height || x + width <= 0 || y + height <= 0)
        findings.add('warning', 'box outside the image', `${at} [${[x, y, width, height].join(', ')}]`);
      else if (x < -1 || y < -1 || x + width > image.width + 1 || y + height > image.height + 1)
        findings.add('note', 'box that extends beyond the image by more than a pixel', at);
    }
    if (image.caption !== undefined && (tokens ?? tokens_positive ?? []).length === 0)
      findings.add('note', 'box without a phrase', at);
  });
  if (tokenizer === undefined || image.caption === undefined) return;
  let count;
  try {
    count = tokenizer.encode(image.caption).ids.length;
  } catch (error) {
    findings.add('error', `caption of more than ${tokenizer.maxTokens} tokens`, `row ${row}: ${messageOf(error)}`);
    return;
  }
  if (count > SOFT_TOKENS)
    findings.add(
      'warning',
      `caption of more than ${SOFT_TOKENS} tokens: boxes cannot refer to the words after that`,
      `row ${row}: ${count}`,
    );
};

const imageKeys = (images: readonly ImageFile[]): KeyedImage[] => {
  const identities = new ImageIdentities();
  return images.map((file) => ({ file, name: keyOf(identities.of(file.file_name, file.data_source)), bytes: '' }));
};

/** Compares the size of an image with its row. */
const checkImageSize = (header: ImageHeader, path: string, rule: OrientationRule, findings: Findings): void => {
  try {
    const { note } = orientationOf(header, path, rule);
    if (note !== undefined) findings.add('note', 'image whose size does not tell its orientation', note);
  } catch (error) {
    if (!(error instanceof MdetrError)) throw error;
    findings.add('error', 'image whose size differs from its row', error.message);
  }
};

/** Opens every image, checks its size and stores a digest of its bytes. */
const checkImages = async (
  file: string,
  images: readonly KeyedImage[],
  roots: ImageRoots,
  { quick, orientation, onStep }: CheckOptions,
  { findings }: RowsReport,
): Promise<void> => {
  const check = async (image: KeyedImage): Promise<void> => {
    const path = roots.pathOf(image.file);
    if (!path.endsWith(normalize(image.file.file_name)))
      findings.add('note', 'file name in the spelling of another system', `${image.file.file_name} is ${path}`);
    try {
      const bytes = await readImageFile(path, path, DECODE_DEFAULTS.maxBytes);
      image.bytes = createHash('sha256').update(bytes).digest('base64');
      const header = await readImageHeader(bytes, path, DECODE_DEFAULTS);
      if (quick !== true) await decodeImage(bytes, { name: path });
      for (const rowSize of image.file.sizes.values()) checkImageSize(header, path, { orientation, rowSize }, findings);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      const missing = errorCode(error.cause) === 'ENOENT';
      findings.add('error', missing ? 'image missing' : 'image broken', missing ? path : messageOf(error));
    }
  };
  let done = 0;
  for (let first = 0; first < images.length; first += CONCURRENT_IMAGES) {
    const batch = images.slice(first, first + CONCURRENT_IMAGES);
    await Promise.all(batch.map(check));
    done += batch.length;
    onStep?.(file, 'images', done, images.length);
  }
};

const CONCURRENT_IMAGES = 4;
