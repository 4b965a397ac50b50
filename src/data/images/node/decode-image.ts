import { readFile, stat } from 'node:fs/promises';
import sharp from 'sharp';
import { fileReason, MdetrError, messageOf } from '../../../errors.ts';
import type { DecodeOptions, EncodableImage, ImageSource } from '../image-source.ts';
import { isPixelInput, rawImageFromPixels, type RawImage } from '../raw-image.ts';

const DEFAULTS = { orient: true, maxPixels: 50e6, maxAspectRatio: 1000, maxBytes: 256 * 2 ** 20, timeoutS: 30 };

/** Raster formats. SVG, which the decoder could read too, is excluded: it can refer to other files. */
const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];

/**
 * Decodes an image to 8-bit RGB, bit-equal to Pillow's `convert('RGB')`: alpha is dropped, not blended; color profiles are
 * ignored; CMYK is converted by arithmetic; only the first frame or page is read. Two things differ: EXIF orientation is
 * applied (`orient`), and 16-bit gray keeps its high byte where Pillow saturates.
 *
 * @throws {MdetrError} naming the image when it is missing, empty, broken, truncated, too large or too narrow
 */
export const decodeImage = async (source: ImageSource, options: DecodeOptions = {}): Promise<RawImage> => {
  const settings = { ...DEFAULTS, ...withoutUndefined(options) };
  if (typeof source !== 'string' && isPixelInput(source)) {
    const image = rawImageFromPixels(source);
    checkSize(options.name ?? 'raw image', image, settings);
    return image;
  }
  const name = options.name ?? (typeof source === 'string' ? source : 'image');
  const bytes =
    typeof source === 'string' ? await readImageFile(source, name, settings.maxBytes) : await bytesOf(source);
  if (!(bytes instanceof Uint8Array))
    throw new MdetrError(
      `${name}: an image is a path, a Uint8Array of a file, pixels with width and height, or an object with toBuffer().`,
    );
  if (bytes.length === 0) throw new MdetrError(`${name}: the file is empty.`);
  const header = await readHeader(bytes, name);
  checkSize(name, header, settings);
  try {
    return await decodePixels(bytes, header.space === 'cmyk', settings);
  } catch (error) {
    const reason = oneLine(error);
    throw new MdetrError(
      reason.includes('timeout: ')
        ? `${name}: decoding took longer than ${settings.timeoutS} s and was stopped.`
        : `${name}: the image data are damaged or incomplete (${reason}).`,
      { cause: error },
    );
  }
};

const bytesOf = (source: unknown): unknown =>
  typeof source === 'object' && source !== null && 'toBuffer' in source && typeof source.toBuffer === 'function'
    ? (source as EncodableImage).toBuffer()
    : source;

const readImageFile = async (path: string, name: string, maxBytes: number): Promise<Uint8Array> => {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path))
    throw new MdetrError(`${name}: URLs are not fetched; download the image and pass its path.`);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new MdetrError(`${name}: is a folder, not an image.`);
    // Reading a pipe or device may never end.
    if (!info.isFile()) throw new MdetrError(`${name}: is not a regular file.`);
    if (info.size > maxBytes)
      throw new MdetrError(`${name}: has ${info.size} bytes; the limit for image files is ${maxBytes}.`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name}: cannot be read (${fileReason(error)}).`, { cause: error });
  }
};

const readHeader = async (
  bytes: Uint8Array,
  name: string,
): Promise<{ width: number; height: number; space: string | undefined }> => {
  let header;
  try {
    header = await sharp(bytes, { limitInputPixels: false }).metadata();
  } catch (error) {
    throw new MdetrError(
      `${name}: is not an image in a supported format (JPEG, PNG, WebP, GIF, TIFF or AVIF; ${oneLine(error)}).`,
      { cause: error },
    );
  }
  const { width, height, format, space } = header;
  if (!FORMATS.includes(format))
    throw new MdetrError(`${name}: ${format.toUpperCase()} is not supported; convert it to PNG or JPEG.`);
  return { width, height, space };
};

const checkSize = (
  name: string,
  { width, height }: { width: number; height: number },
  { maxPixels, maxAspectRatio }: { maxPixels: number; maxAspectRatio: number },
): void => {
  if (width * height > maxPixels)
    throw new MdetrError(
      `${name}: ${width}x${height} is ${millions(width * height)} million pixels, the limit is ` +
        `${millions(maxPixels)} million. Make the image smaller or raise the limit.`,
    );
  if (Math.max(width, height) > maxAspectRatio * Math.min(width, height))
    throw new MdetrError(
      `${name}: ${width}x${height} is too narrow, one side is more than ${maxAspectRatio} times the other. Crop it first.`,
    );
};

const decodePixels = async (
  bytes: Uint8Array,
  isCmyk: boolean,
  { orient, maxPixels, timeoutS }: typeof DEFAULTS,
): Promise<RawImage> => {
  const decoder = sharp(bytes, {
    autoOrient: orient,
    failOn: 'error',
    ignoreIcc: true,
    limitInputPixels: maxPixels,
    pages: 1,
    sequentialRead: true,
  }).timeout({ seconds: timeoutS });
  if (isCmyk) decoder.pipelineColourspace('cmyk').toColourspace('cmyk');
  else decoder.removeAlpha().toColourspace('srgb');
  const { data, info } = await decoder.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const rgb = isCmyk ? rgbFromCmyk(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (rgb.length !== width * height * 3)
    throw new Error(`decoded to ${info.channels} channels in ${data.length} bytes for ${width}x${height}`);
  return { width, height, channels: 3, data: rgb };
};

/** CMYK (N, 4) to RGB (N, 3): (255 - K) × (255 - C, M, Y) / 255, rounded as in Pillow. */
const rgbFromCmyk = (cmyk: Uint8Array): Uint8Array => {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - cmyk[from + 3]!;
    for (let ink = 0; ink < 3; ink++) {
      const product = cmyk[from + ink]! * light + 128;
      rgb[to++] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
};

const millions = (pixels: number): string => String(Math.round(pixels / 1e5) / 10);

const oneLine = (error: unknown): string => messageOf(error).trim().replace(/\s+/g, ' ');

const withoutUndefined = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
