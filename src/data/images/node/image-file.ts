import type { FileHandle } from 'node:fs/promises';
import sharp from 'sharp';
import { MdetrError, messageOf } from '../../../errors.ts';
import { openSizedInput } from '../../../files/input-file.ts';
import { readBmpHeader, type BmpHeader } from '../bmp.ts';
import { identifyFile } from '../file-kind.ts';
import { decideOrientation, type OrientationRule, type PixelSize } from '../orientation.ts';
import { plainPngSize } from '../png-header.ts';
import { checkSize, type SizeLimits } from '../size-limits.ts';
import { requireLength } from '../stream-bytes.ts';
import { readTiffDirectories } from '../tiff-directories.ts';

/** Limits on what decoding an image may cost. */
export interface ImageLimits extends SizeLimits {
  readonly maxPages: number;
  readonly timeoutS: number;
}

/** The header of an image file. */
export interface ImageHeader extends PixelSize {
  /** EXIF orientation, 1 to 8; width and height are those of the stored pixels. */
  readonly exif: number;
  readonly isCmyk: boolean;
  /** Encoded with HEVC, which libvips cannot decode; width and height are those after the file's own turning and cropping. */
  readonly isHevc: boolean;
  /** Header of a bitmap, which is decoded by `decodeBmp`; undefined for all other formats. */
  readonly bmp?: BmpHeader | undefined;
}

/**
 * Reads an image file that a user named.
 *
 * @throws {MdetrError} for a file that is missing, not regular, or larger than `maxBytes`
 */
export const readImageFile = async (path: string, name: string, maxBytes: number): Promise<Uint8Array> => {
  const { file, size } = await openSizedInput(path);
  try {
    requireLength(size, name, maxBytes);
    return await readWhole(file, size);
  } finally {
    await file.close();
  }
};

/** Contents of a file of a known size, in one read: `readFile` takes two more, each on another thread. */
const readWhole = async (file: FileHandle, size: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(size);
  const { bytesRead } = await file.read(bytes, 0, size, 0);
  // A file that changes while it is read, or a file system that gives less than was asked for.
  return bytesRead === size && size > 0 ? bytes : new Uint8Array(await file.readFile());
};

/**
 * Reads the header of an image and charges it against the limits. The file's content decides what it is, and only formats
 * that can be decoded reach the decoder.
 *
 * @throws {MdetrError} for a file that is something else, damaged, or beyond a limit
 */
export const readImageHeader = async (bytes: Uint8Array, name: string, limits: ImageLimits): Promise<ImageHeader> => {
  const kind = identifyFile(bytes);
  if (kind.decoder === undefined) throw new MdetrError(`${name}: ${kind.problem}.`);
  if (kind.name === 'TIFF') {
    const { pages, isCameraRaw } = readTiffDirectories(bytes, limits.maxPages);
    if (isCameraRaw)
      throw new MdetrError(`${name}: is a camera raw file, which is not supported; develop it and export PNG or JPEG.`);
    checkPages(name, pages, limits);
  }
  const header = kind.decoder === 'bmp' ? bmpHeader(bytes, name) : await headerOf(bytes, name, kind.name, limits);
  checkSize(name, header, limits);
  return header;
};

/** `decideOrientation` with the name of the image in errors and notes. */
export const orientationOf = (
  header: ImageHeader,
  name: string,
  rule: OrientationRule,
): ReturnType<typeof decideOrientation> => {
  try {
    const { orientation, note } = decideOrientation(header, header.exif, rule);
    return { orientation, note: note === undefined ? undefined : `${name}: ${note}` };
  } catch (error) {
    throw error instanceof MdetrError ? new MdetrError(`${name}: ${error.message}`, { cause: error }) : error;
  }
};

const bmpHeader = (bytes: Uint8Array, name: string): ImageHeader => {
  try {
    const bmp = readBmpHeader(bytes);
    return { width: bmp.width, height: bmp.height, exif: 1, isCmyk: false, isHevc: false, bmp };
  } catch (error) {
    throw error instanceof MdetrError ? new MdetrError(`${name}: ${error.message}.`, { cause: error }) : error;
  }
};

/** Header of a file that libvips or libheif decodes. */
const headerOf = (
  bytes: Uint8Array,
  name: string,
  format: string,
  limits: ImageLimits,
): ImageHeader | Promise<ImageHeader> => {
  const plain = format === 'PNG' ? plainPngSize(bytes) : undefined;
  if (plain === undefined) return decoderHeader(bytes, name, format, limits);
  return { ...plain, exif: 1, isCmyk: false, isHevc: false };
};

const decoderHeader = async (
  bytes: Uint8Array,
  name: string,
  format: string,
  limits: ImageLimits,
): Promise<ImageHeader> => {
  const metadata = sharp(bytes, { limitInputPixels: false, pages: 1 }).metadata();
  let header;
  try {
    header = await withinTime(metadata, limits.timeoutS);
  } catch (error) {
    throw new MdetrError(
      `${name}: the ${format} file is damaged or incomplete, or of a variant that is not supported ` +
        `(${oneLine(error).replace(/:$/, '')}).`,
      { cause: error },
    );
  }
  if (header === undefined) throw tooSlow(name, limits);
  const { width, height, orientation, space, pages, compression } = header;
  checkPages(name, pages ?? 1, limits);
  return { width, height, exif: orientation ?? 1, isCmyk: space === 'cmyk', isHevc: compression === 'hevc' };
};

/** The value of a promise; undefined if it takes longer than the limit. */
const withinTime = async <T>(value: Promise<T>, limitS: number): Promise<T | undefined> => {
  let timer;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitS * 1000);
  });
  try {
    return await Promise.race([value, timeout]);
  } finally {
    clearTimeout(timer);
  }
};

/** Error of an image whose decoding exceeds the time limit. */
export const tooSlow = (name: string, { timeoutS }: ImageLimits, cause?: unknown): MdetrError =>
  new MdetrError(`${name}: decoding took longer than ${timeoutS} s and was stopped.`, { cause });

const checkPages = (name: string, pages: number, { maxPages }: ImageLimits): void => {
  if (pages > maxPages)
    throw new MdetrError(`${name}: has more than ${maxPages} pages or frames; extract the one that is meant.`);
};

/** Message of an error on one line. */
export const oneLine = (error: unknown): string => messageOf(error).trim().replace(/\s+/g, ' ');
