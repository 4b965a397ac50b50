import { Buffer } from 'node:buffer';
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { excerpt, MdetrError, quoted } from '../../errors.ts';
import { openInputSync } from '../../files/input-file.ts';
import { ByteWindow } from './byte-window.ts';
import {
  ANNOTATION_RECORD_BYTES,
  annotationTableAt,
  HEADER_BYTES,
  IMAGE_RECORD_BYTES,
  type IndexHeader,
  type SectionName,
  TableWriter,
  writeFrame,
} from './index-file.ts';
import { prepareFolder, unfinishedPath } from './index-location.ts';
import { JsonScanError, JsonScanner } from './json-scanner.ts';
import { StringIds } from './string-ids.ts';
import { RecordSpool } from './record-spool.ts';
import { fingerprintOf, sameFingerprint } from './source-fingerprint.ts';

/** Options of `buildIndex`. */
export interface BuildOptions {
  /** Called every few megabytes. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  /** Number of bytes that are read at a time. */
  readonly chunkBytes?: number;
  /** Maximum memory for sorting files that are not in order of ids. */
  readonly sortBytes?: number;
}

const DEFAULT_CHUNK_BYTES = 1024 * 1024;
/** Maximum size of the text of an image or annotation. */
export const MAX_ELEMENT_BYTES = 256 * 1024 * 1024;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const IMAGE_KEYS = ['id', 'width', 'height'].map(utf8);
const ANNOTATION_KEYS = ['image_id'].map(utf8);
const KEPT_SECTIONS: readonly string[] = ['info', 'licenses', 'categories'] satisfies SectionName[];

/** Numbers of a record: [key, offset, length], for images also [width, height]. */
const IMAGE_LANES = 5;
const ANNOTATION_LANES = 3;

/**
 * Builds the index of an annotation file in one pass over its bytes and in constant memory. Files that end in `.jsonl` or
 * `.ndjson` have one image a line with its `annotations` inside; all others are one object with COCO's `images` and
 * `annotations`, or with CLEVR's `questions`, whose ids are their indices in the list. Until it is complete, the index has
 * another name and no header, so that no reader takes an unfinished one.
 *
 * @throws {MdetrError} naming file, byte and line where the text is not JSON of that form, or an id occurs twice
 */
export const buildIndex = (annotationFile: string, indexPath: string, options: BuildOptions = {}): void => {
  prepareFolder(indexPath);
  const temporary = unfinishedPath(indexPath);
  const fingerprint = fingerprintOf(annotationFile);
  const source = openInputSync(annotationFile);
  const spools: RecordSpool[] = [];
  let target: number | undefined;
  try {
    const images = new RecordSpool(temporary.replace(/\.tmp$/, 'i.tmp'), IMAGE_LANES, options.sortBytes);
    spools.push(images);
    const annotations = new RecordSpool(temporary.replace(/\.tmp$/, 'a.tmp'), ANNOTATION_LANES, options.sortBytes);
    spools.push(annotations);
    target = openSync(temporary, 'wx');

    const window = new ByteWindow(source, options.chunkBytes ?? DEFAULT_CHUNK_BYTES, (done) =>
      options.onProgress?.(done, fingerprint.bytes),
    );
    const scanner = new JsonScanner(window);
    const stringIds = new StringIds();
    const { format, sections } = isLineFormat(annotationFile)
      ? scanLines(scanner, images)
      : scanLists(scanner, images, annotations, stringIds);
    const joined = join(target, images, annotations, stringIds);
    if (!sameFingerprint(fingerprint, fingerprintOf(annotationFile)))
      throw new MdetrError(`${annotationFile} changed while it was being indexed: try again when it is complete`);
    const header: IndexHeader = { source: fingerprint, format, images: images.length, ...joined, sections };
    fsyncSync(target);
    writeFrame(target, header);
    fsyncSync(target);
    closeSync(target);
    target = undefined;
    renameSync(temporary, indexPath);
    syncFolder(dirname(indexPath));
  } catch (error) {
    if (error instanceof JsonScanError) {
      const line = lineOf(source, error.offset);
      throw new MdetrError(`${annotationFile}: byte ${error.offset} (line ${line}): ${error.message}`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    for (const spool of spools) spool.close();
    if (target !== undefined) {
      closeSync(target);
      rmSync(temporary, { force: true });
    }
    closeSync(source);
  }
};

/** True for the file names of formats with one image a line. */
const isLineFormat = (path: string): boolean => ['.jsonl', '.ndjson'].includes(extname(path).toLowerCase());

type Scanned = Pick<IndexHeader, 'format' | 'sections'>;

/** Scans a file with one image a line. */
const scanLines = (scanner: JsonScanner, images: RecordSpool): Scanned => {
  scanner.skipByteOrderMark();
  const addImage = elementAdder(scanner, images, IMAGE_KEYS, IMAGE_LANES);
  while (scanner.peek() !== 0) addImage('a line that holds an image object', 'where missing');
  scanner.expectEnd();
  return { format: 'lines', sections: {} };
};

/** Scans a file with lists of images, or questions, and annotations. */
const scanLists = (
  scanner: JsonScanner,
  images: RecordSpool,
  annotations: RecordSpool,
  stringIds: StringIds,
): Scanned => {
  scanner.skipByteOrderMark();
  const addImage = elementAdder(scanner, images, IMAGE_KEYS, IMAGE_LANES, stringIds);
  const sections: IndexHeader['sections'] = {};
  const addAnnotation = elementAdder(scanner, annotations, ANNOTATION_KEYS, ANNOTATION_LANES, stringIds);
  const seen = new Set<string>();
  scanner.expect('{', 'an object with "images" and "annotations"');
  if (!scanner.accept('}')) {
    do {
      scanner.peek();
      const keyAt = scanner.offset;
      const key = scanner.readString();
      if (seen.has(key)) throw new JsonScanError(keyAt, `${quoted(key)} occurs twice in the top-level object`);
      seen.add(key);
      scanner.expect(':', '":" after a key');
      if (key === 'images' || key === 'questions') {
        if (seen.has('images') && seen.has('questions'))
          throw new JsonScanError(
            keyAt,
            'there are both "images" and "questions": only one of them can be the list of rows',
          );
        if (key === 'images') scanList(scanner, () => addImage('an image object', 'never'));
        else scanList(scanner, () => addImage('a question object', 'always'));
      } else if (key === 'annotations') scanList(scanner, () => addAnnotation('an annotation object', 'never'));
      else {
        scanner.peek();
        const begin = scanner.offset;
        scanner.skipValue();
        if (KEPT_SECTIONS.includes(key)) sections[key as SectionName] = [begin, scanner.offset];
      }
    } while (scanner.accept(','));
    scanner.expect('}', '"," or "}"');
  }
  scanner.expectEnd();
  if (!seen.has('images') && !seen.has('questions'))
    throw new JsonScanError(0, 'there is no "images" list: this is not a COCO-like annotation file');
  return { format: seen.has('questions') ? 'questions' : 'coco', sections };
};

const scanList = (scanner: JsonScanner, element: () => void): void => {
  scanner.expect('[', 'a list');
  if (scanner.accept(']')) return;
  do element();
  while (scanner.accept(','));
  scanner.expect(']', '"," or "]"');
};

/** Whether an element's index is its id. */
type IdByIndex = 'never' | 'where missing' | 'always';

/** Returns a function that reads one object and adds its record to the spool. */
const elementAdder = (
  scanner: JsonScanner,
  spool: RecordSpool,
  keys: readonly Uint8Array[],
  lanes: number,
  stringIds?: StringIds,
): ((wanted: string, idByIndex: IdByIndex) => void) => {
  const values = new Float64Array(keys.length);
  const record = new Float64Array(lanes);
  const keyName = Buffer.from(keys[0]!).toString();
  const stringId = stringIds === undefined ? undefined : (id: string) => stringIds.numberOf(id);
  return (wanted, idByIndex) => {
    if (scanner.peek() !== 0x7b) scanner.fail(`expected ${wanted}`);
    const begin = scanner.offset;
    scanner.skipObject(keys, values, stringId);
    const length = scanner.offset - begin;
    if (idByIndex === 'always' || (idByIndex === 'where missing' && Number.isNaN(values[0]!))) values[0] = spool.length;
    if (Math.abs(values[0]!) > Number.MAX_SAFE_INTEGER)
      throw new JsonScanError(
        begin,
        `"${keyName}" in element ${spool.length} has more digits than a number keeps (2^53 is the limit): write it in quotes`,
      );
    if (!Number.isSafeInteger(values[0]))
      throw new JsonScanError(
        begin,
        `"${keyName}" is missing or neither an integer nor a string in element ${spool.length}`,
      );
    if (length > MAX_ELEMENT_BYTES) throw new JsonScanError(begin, `element ${spool.length} is larger than 256 MB`);
    record[0] = values[0]!;
    record[1] = begin;
    record[2] = length;
    for (let k = 1; k < keys.length; k++) record[2 + k] = sideOrZero(values[k]!);
    spool.add(record);
  };
};

/** Sizes only order rows by shape; an invalid one is reported when its row is read. */
const sideOrZero = (value: number): number => (value > 0 && value < 2 ** 32 ? Math.floor(value) : 0);

/** Writes both tables by a merge join of images and annotations, which are sorted by image id. */
const join = (
  fd: number,
  images: RecordSpool,
  annotations: RecordSpool,
  stringIds: StringIds,
): Pick<IndexHeader, 'annotations' | 'orphans'> => {
  const imageTable = new TableWriter(fd, HEADER_BYTES, IMAGE_RECORD_BYTES);
  const annotationTable = new TableWriter(fd, annotationTableAt(images.length), ANNOTATION_RECORD_BYTES);
  const image = images.sort();
  const annotation = annotations.sort();
  let annotationLeft = annotation.next();
  let written = 0;
  let previousId = NaN;
  let previousOffset = NaN;
  while (image.next()) {
    const { numbers, offset } = image;
    const id = numbers[offset]!;
    if (id === previousId)
      throw new JsonScanError(
        numbers[offset + 1]!,
        `image id ${excerpt(String(stringIds.idOf(id)))} is also that of the image at byte ${previousOffset}`,
      );
    previousId = id;
    previousOffset = numbers[offset + 1]!;
    while (annotationLeft && annotation.numbers[annotation.offset]! < id) annotationLeft = annotation.next();
    const first = written;
    while (annotationLeft && annotation.numbers[annotation.offset]! === id) {
      const at = annotationTable.nextRecord();
      annotationTable.view.setFloat64(at, annotation.numbers[annotation.offset + 1]!, true);
      annotationTable.view.setUint32(at + 8, annotation.numbers[annotation.offset + 2]!, true);
      written++;
      annotationLeft = annotation.next();
    }
    const at = imageTable.nextRecord();
    const { view } = imageTable;
    view.setFloat64(at, id, true);
    view.setFloat64(at + 8, numbers[offset + 1]!, true);
    view.setFloat64(at + 16, first, true);
    view.setUint32(at + 24, numbers[offset + 2]!, true);
    view.setUint32(at + 28, written - first, true);
    view.setUint32(at + 32, numbers[offset + 3]!, true);
    view.setUint32(at + 36, numbers[offset + 4]!, true);
  }
  imageTable.flush();
  annotationTable.flush();
  return { annotations: written, orphans: annotations.length - written };
};

/** Line number of a byte, beginning at 1. */
const lineOf = (fd: number, offset: number): number => {
  const chunk = Buffer.alloc(1024 * 1024);
  let line = 1;
  for (let done = 0; done < offset;) {
    const count = readSync(fd, chunk, 0, Math.min(chunk.length, offset - done), done);
    if (count === 0) break;
    for (let at = chunk.indexOf(0x0a); at >= 0 && at < count; at = chunk.indexOf(0x0a, at + 1)) line++;
    done += count;
  }
  return line;
};

/** Makes the rename durable, where folders can be synced. */
const syncFolder = (folder: string): void => {
  try {
    const fd = openSync(folder, 'r');
    fsyncSync(fd);
    closeSync(fd);
  } catch {
    // Folders cannot be opened on Windows.
  }
};
