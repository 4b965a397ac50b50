import { Buffer } from 'node:buffer';
import { closeSync, existsSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { MdetrError, messageOf } from '../../errors.ts';
import { openInputSync } from '../../files/input-file.ts';
import type { UncheckedRow } from '../format/row-checks.ts';
import { buildIndex, MAX_ELEMENT_BYTES, type BuildOptions } from './build-index.ts';
import {
  ANNOTATION_RECORD_BYTES,
  annotationTableAt,
  HEADER_BYTES,
  IMAGE_RECORD_BYTES,
  type IndexHeader,
  openIndexFile,
  type SectionName,
} from './index-file.ts';
import { indexPaths, isWritableFolder } from './index-location.ts';
import { parseList, parsePythonJson } from './python-json.ts';
import { takeImageId, withNumberOfString } from './string-ids.ts';
import { imageOfQuestion } from './question-row.ts';
import { RowSyntaxError } from './row-syntax-error.ts';
import { fingerprintOf, sameFingerprint } from './source-fingerprint.ts';

/** Options of `AnnotationIndex.open`. */
export interface OpenOptions extends BuildOptions {
  /** Folder of indexes whose annotation file is in a folder that cannot be written. Default: the package's cache folder. */
  readonly cacheFolder?: string;
  /** Build the index again even if a valid one exists. */
  readonly rebuild?: boolean;
}

/**
 * Random access to the rows of an annotation file of any size. Row `i` is the image with the `i`-th smallest id, as in
 * torchvision's `CocoDetection`, with its annotations in file order. Holds two open files and a small buffer; each worker
 * opens its own, which takes a millisecond once the index exists.
 */
export class AnnotationIndex {
  /** Path of the annotation file. */
  readonly annotationFile: string;
  /** Path of the index beside it. */
  readonly indexFile: string;
  private readonly header: IndexHeader;
  private readonly indexFd: number;
  private readonly sourceFd: number;
  private readonly record = Buffer.alloc(IMAGE_RECORD_BYTES);
  private table = Buffer.alloc(64 * ANNOTATION_RECORD_BYTES);
  private text = Buffer.alloc(64 * 1024);

  private constructor(annotationFile: string, indexFile: string, indexFd: number, header: IndexHeader) {
    this.annotationFile = annotationFile;
    this.indexFile = indexFile;
    this.indexFd = indexFd;
    this.header = header;
    this.sourceFd = openInputSync(annotationFile);
  }

  /**
   * Opens the index of an annotation file, beside the file or in the cache folder. Builds it first if there is none, or if
   * the file was changed since.
   *
   * @throws {MdetrError} when the file is missing or is not an annotation file
   */
  static open(annotationFile: string, options: OpenOptions = {}): AnnotationIndex {
    if (!existsSync(annotationFile)) throw new MdetrError(`${annotationFile}: no such annotation file`);
    const paths = indexPaths(annotationFile, options.cacheFolder);
    if (options.rebuild !== true) {
      const fingerprint = fingerprintOf(annotationFile);
      for (const path of paths) {
        const opened = openIndexFile(path);
        if (opened === undefined) continue;
        if (sameFingerprint(opened.header.source, fingerprint))
          return new AnnotationIndex(annotationFile, path, opened.fd, opened.header);
        closeSync(opened.fd);
      }
    }
    const path = paths.find((candidate, i) => i === paths.length - 1 || isWritableFolder(dirname(candidate)))!;
    buildIndex(annotationFile, path, options);
    const opened = openIndexFile(path);
    if (opened === undefined) throw new MdetrError(`${path}: the index just written cannot be read: is the disk full?`);
    return new AnnotationIndex(annotationFile, path, opened.fd, opened.header);
  }

  /** Format of the file: COCO's lists, CLEVR's list of questions, or one image a line. */
  get format(): IndexHeader['format'] {
    return this.header.format;
  }

  /** Number of rows. */
  get length(): number {
    return this.header.images;
  }

  /** Number of annotations of all rows. */
  get annotationCount(): number {
    return this.header.annotations;
  }

  /** Number of annotations whose `image_id` belongs to no image. */
  get orphanCount(): number {
    return this.header.orphans;
  }

  /** The image id of a row. */
  idOf(row: number): number {
    this.readRecord(row);
    return this.record.readDoubleLE(0);
  }

  /** Width and height that the row states, in pixels; 0 where it states none. */
  sizeOf(row: number): { width: number; height: number } {
    this.readRecord(row);
    return { width: this.record.readUInt32LE(32), height: this.record.readUInt32LE(36) };
  }

  /** Row of an image id, found by bisection; undefined for an unknown id. */
  rowOf(id: number): number | undefined {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.idOf(middle) < id) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.idOf(low) === id ? low : undefined;
  }

  /**
   * Reads a row without checks; `RowReader` checks it. Non-finite numbers are returned as strings.
   *
   * @throws {RowSyntaxError} when the row's text is not JSON
   * @throws {MdetrError} when the file was changed since it was indexed
   */
  row(row: number): UncheckedRow {
    const image = this.image(row);
    if (this.format === 'lines') return splitLine(image, this.record.readDoubleLE(0));
    if (this.format === 'questions') return { image, annotations: [] };
    const count = this.record.readUInt32LE(28);
    const id = this.record.readDoubleLE(0);
    const annotations = count === 0 ? [] : this.readAnnotations(row, this.record.readDoubleLE(16), count);
    if (!(annotations as { image_id?: unknown }[]).every((annotation) => takeImageId(annotation, image, id)))
      throw this.changed(row);
    return { image, annotations };
  }

  /** Reads the image object of a row without its annotations (for `.jsonl` files, the whole line). */
  image(row: number): unknown {
    this.readRecord(row);
    const offset = this.record.readDoubleLE(8);
    const length = this.record.readUInt32LE(24);
    this.readSource(offset, length);
    const image = this.parse(0, length, offset, row);
    const recordedId = this.record.readDoubleLE(0);
    if (this.format === 'questions') return imageOfQuestion(image as object, recordedId);
    const { id } = image as { id?: unknown };
    if (this.format === 'lines' && typeof id === 'string')
      return { original_id: id, ...(image as object), id: recordedId };
    if (id === recordedId || (id === undefined && this.format !== 'coco')) return image;
    const withNumber = withNumberOfString(image as object, recordedId);
    if (withNumber === undefined) throw this.changed(row);
    return withNumber;
  }

  /** Reads `categories`, `info` or `licenses` of the file's top-level object; undefined where it is missing. */
  section(name: SectionName): unknown {
    const range = this.header.sections[name];
    if (range === undefined) return undefined;
    const [begin, end] = range;
    if (begin < 0 || end < begin || end > this.header.source.bytes) throw this.damaged(name);
    this.readSource(begin, end - begin);
    try {
      return parsePythonJson(this.text.toString('utf8', 0, end - begin));
    } catch (error) {
      throw this.damaged(name, error);
    }
  }

  /** Closes both files. Further reads fail. */
  close(): void {
    closeSync(this.indexFd);
    closeSync(this.sourceFd);
  }

  private readRecord(row: number): void {
    if (!Number.isInteger(row) || row < 0 || row >= this.length)
      throw new RangeError(`internal: row ${row} of ${this.length} of ${this.annotationFile}`);
    const { record } = this;
    readFully(this.indexFd, record, IMAGE_RECORD_BYTES, HEADER_BYTES + row * IMAGE_RECORD_BYTES, this.indexFile);
    const first = record.readDoubleLE(16);
    const isPossible =
      Number.isSafeInteger(record.readDoubleLE(0)) &&
      this.isRange(record.readDoubleLE(8), record.readUInt32LE(24)) &&
      Number.isSafeInteger(first) &&
      first >= 0 &&
      first + record.readUInt32LE(28) <= this.annotationCount;
    if (!isPossible) throw this.damaged(`row ${row}`);
  }

  private readAnnotations(row: number, first: number, count: number): unknown[] {
    const tableBytes = count * ANNOTATION_RECORD_BYTES;
    this.table = grown(this.table, tableBytes);
    const position = annotationTableAt(this.length) + first * ANNOTATION_RECORD_BYTES;
    readFully(this.indexFd, this.table, tableBytes, position, this.indexFile);
    const begin = this.table.readDoubleLE(0);
    const last = tableBytes - ANNOTATION_RECORD_BYTES;
    const end = this.table.readDoubleLE(last) + this.table.readUInt32LE(last + 8);
    let bytes = 0;
    for (let at = 0; at < tableBytes; at += ANNOTATION_RECORD_BYTES) {
      const length = this.table.readUInt32LE(at + 8);
      if (!this.isRange(this.table.readDoubleLE(at), length)) throw this.damaged(`row ${row}`);
      bytes += length;
    }
    // Annotations do not overlap: more bytes than the file has could be read for ever.
    if (bytes > this.header.source.bytes) throw this.damaged(`row ${row}`);
    // The annotations of an image are usually adjacent: then one read and one parse suffice.
    const together = end - begin >= bytes && end - begin - bytes <= 32 * count;
    if (together) {
      this.readSource(begin, end - begin);
      const list = parseList(this.text.toString('utf8', 0, end - begin));
      if (list?.length === count) return list;
    }
    return Array.from({ length: count }, (_, i) => {
      const at = i * ANNOTATION_RECORD_BYTES;
      const offset = this.table.readDoubleLE(at);
      const length = this.table.readUInt32LE(at + 8);
      if (!together) this.readSource(offset, length);
      return this.parse(together ? offset - begin : 0, length, offset, row);
    });
  }

  /** Reads bytes of the annotation file into `text`. */
  private readSource(offset: number, length: number): void {
    this.text = grown(this.text, length);
    readFully(this.sourceFd, this.text, length, offset, this.annotationFile);
  }

  /** Parses the object at `start` of `text`, whose offset in the file is `offset`. */
  private parse(start: number, length: number, offset: number, row: number): unknown {
    if (this.text[start] !== 0x7b || this.text[start + length - 1] !== 0x7d) throw this.changed(row);
    try {
      return parsePythonJson(this.text.toString('utf8', start, start + length));
    } catch (error) {
      throw new RowSyntaxError(`${this.annotationFile}: row ${row} (byte ${offset}) is not JSON: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Whether an object of that many bytes can be at an offset of the annotation file. */
  private isRange(offset: number, length: number): boolean {
    return (
      Number.isSafeInteger(offset) &&
      offset >= 0 &&
      length >= 2 &&
      length <= MAX_ELEMENT_BYTES &&
      offset + length <= this.header.source.bytes
    );
  }

  private damaged(part: string, cause?: unknown): MdetrError {
    return new MdetrError(
      `${this.indexFile}: is damaged (${part}); delete it, or run \`mdetr data index --rebuild ${this.annotationFile}\``,
      { cause },
    );
  }

  private changed(row: number): MdetrError {
    return new MdetrError(
      `${this.annotationFile} was changed after ${this.indexFile} was made (row ${row}): run \`mdetr data index --rebuild\``,
    );
  }
}

/** Splits a line, which holds its annotations itself. */
const splitLine = (line: unknown, id: number): UncheckedRow => {
  const { annotations = [], ...image } = line as Record<string, unknown>;
  image['id'] ??= id;
  if (!Array.isArray(annotations)) return { image, annotations: [annotations] };
  for (const annotation of annotations as unknown[])
    if (typeof annotation === 'object' && annotation !== null)
      (annotation as Record<string, unknown>)['image_id'] ??= image['id'];
  return { image, annotations };
};

const grown = (buffer: Buffer<ArrayBuffer>, length: number): Buffer<ArrayBuffer> =>
  buffer.length >= length ? buffer : Buffer.alloc(Math.max(length, 2 * buffer.length));

const readFully = (fd: number, buffer: Buffer, length: number, position: number, path: string): void => {
  for (let done = 0; done < length;) {
    const count = readSync(fd, buffer, done, length - done, position + done);
    if (count === 0) throw new MdetrError(`${path} ends before byte ${position + length}: it was truncated while open`);
    done += count;
  }
};
