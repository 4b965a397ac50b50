import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import * as z from 'zod';
import { openInputSync } from '../../files/input-file.ts';

/*
 * Layout of an index file, little-endian:
 *
 *     0         8 bytes   "MDETRIDX"
 *     8         u32       version of this layout
 *     12        u32       length of the header
 *     16                  the header, JSON
 *     4096                image records, 40 bytes each, by ascending id: id, offset, first annotation (f64),
 *                         length, number of annotations, width, height (u32)
 *     …                   annotation records, 12 bytes each, by image, then in file order: offset (f64), length (u32)
 *     the end   8 bytes   "MDETREND"
 *
 * Offsets and lengths are in bytes of the annotation file.
 */

export const HEADER_BYTES = 4096;
/** Size of an image's record in an index file. */
export const IMAGE_RECORD_BYTES = 40;
/** Size of an annotation's record in an index file. */
export const ANNOTATION_RECORD_BYTES = 12;
const MAGIC = 'MDETRIDX';
const END_MAGIC = 'MDETREND';
const VERSION = 1;

const count = z.int().nonnegative();
const range = z.tuple([count, count]);
const headerSchema = z.object({
  source: z.object({ bytes: count, modifiedNs: z.string(), sample: z.string() }),
  /** A JSON object with lists of images and annotations, one with a list of questions, or a JSON object per line. */
  format: z.enum(['coco', 'questions', 'lines']),
  images: count,
  annotations: count,
  /** Number of annotations whose image is not in the file; they are ignored, as in pycocotools. */
  orphans: count,
  /** Ranges [begin, end) in bytes of these members of the top-level object. */
  sections: z.object({ info: range.optional(), licenses: range.optional(), categories: range.optional() }),
});

/** Range [begin, end) in bytes. */
export type ByteRange = [number, number];

/** Header of an index file. */
export interface IndexHeader {
  /** Size, modification time and sampled digest of the annotation file. */
  source: { bytes: number; modifiedNs: string; sample: string };
  /** A JSON object with lists of images and annotations, one with a list of questions, or a JSON object per line. */
  format: 'coco' | 'questions' | 'lines';
  /** Number of rows. */
  images: number;
  /** Number of annotations. */
  annotations: number;
  /** Number of annotations whose image is not in the file; they are ignored, as in pycocotools. */
  orphans: number;
  /** Byte ranges of these keys of the top-level object. */
  sections: {
    info?: ByteRange | undefined;
    licenses?: ByteRange | undefined;
    categories?: ByteRange | undefined;
  };
}

/** Name of a section of an annotation file. */
export type SectionName = keyof IndexHeader['sections'];

/** Offset of the table of annotations in an index file. */
export const annotationTableAt = (images: number): number => HEADER_BYTES + images * IMAGE_RECORD_BYTES;
const endMarkAt = (header: IndexHeader): number =>
  annotationTableAt(header.images) + header.annotations * ANNOTATION_RECORD_BYTES;

/** Writes header and end mark around the tables of an index file. */
export const writeFrame = (fd: number, header: IndexHeader): void => {
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(HEADER_BYTES);
  if (16 + json.length > HEADER_BYTES) throw new Error('internal: the header of an index does not fit');
  head.write(MAGIC, 'latin1');
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(json.length, 12);
  json.copy(head, 16);
  writeSync(fd, Buffer.from(END_MAGIC, 'latin1'), 0, END_MAGIC.length, endMarkAt(header));
  writeSync(fd, head, 0, HEADER_BYTES, 0);
};

/** Opens an index file; undefined unless it is complete and of this version. */
export const openIndexFile = (path: string): { fd: number; header: IndexHeader } | undefined => {
  let fd: number;
  try {
    fd = openInputSync(path);
  } catch {
    return undefined;
  }
  const header = readHeader(fd);
  if (header !== undefined) return { fd, header };
  closeSync(fd);
  return undefined;
};

const readHeader = (fd: number): IndexHeader | undefined => {
  const head = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, head, 0, HEADER_BYTES, 0) !== HEADER_BYTES) return undefined;
  if (head.toString('latin1', 0, 8) !== MAGIC || head.readUInt32LE(8) !== VERSION) return undefined;
  let header: IndexHeader;
  try {
    header = headerSchema.parse(JSON.parse(head.toString('utf8', 16, 16 + head.readUInt32LE(12))));
  } catch {
    return undefined;
  }
  if (fstatSync(fd).size !== endMarkAt(header) + END_MAGIC.length) return undefined;
  const isInside = Object.values(header.sections).every(([begin, end]) => begin < end && end <= header.source.bytes);
  if (!isInside) return undefined;
  const mark = Buffer.alloc(END_MAGIC.length);
  readSync(fd, mark, 0, mark.length, endMarkAt(header));
  return mark.toString('latin1') === END_MAGIC ? header : undefined;
};

/** Writes records of one size consecutively from a position of a file on, a megabyte at a time. */
export class TableWriter {
  private readonly fd: number;
  private readonly recordBytes: number;
  private readonly buffer: Uint8Array;
  /** View into which the caller writes the record of `nextRecord`. */
  readonly view: DataView;
  private used = 0;
  private position: number;

  constructor(fd: number, position: number, recordBytes: number) {
    this.fd = fd;
    this.position = position;
    this.recordBytes = recordBytes;
    this.buffer = new Uint8Array(Math.floor((1024 * 1024) / recordBytes) * recordBytes);
    this.view = new DataView(this.buffer.buffer);
  }

  /** Offset of the next record in `view`; it must be written before the next call. */
  nextRecord(): number {
    if (this.used === this.buffer.length) this.flush();
    const at = this.used;
    this.used += this.recordBytes;
    return at;
  }

  flush(): void {
    for (let done = 0; done < this.used;)
      done += writeSync(this.fd, this.buffer, done, this.used - done, this.position + done);
    this.position += this.used;
    this.used = 0;
  }
}
