import { decodeBmp, readBmpHeader } from '../data/images/bmp.ts';
import { DECODE_DEFAULTS, decodeOptionRules } from '../data/images/decode-options.ts';
import { identifyFile } from '../data/images/file-kind.ts';
import { isEncodable, nameOfSource, type DecodeOptions } from '../data/images/image-source.ts';
import { bytesOfStream, isByteStream, requireLength } from '../data/images/stream-bytes.ts';
import { isPixelInput, rawImageFromPixels, type RawImage } from '../data/images/raw-image.ts';
import { checkSize, type SizeLimits } from '../data/images/size-limits.ts';
import { MdetrError, messageOf } from '../errors.ts';
import { checkOptions } from '../options/check-options.ts';
import { rgbOfBitmap } from './bitmap-pixels.ts';
import { IMAGE_KINDS } from './send-image.ts';
import { withoutExif } from './stored-orientation.ts';
import { fetchFile } from './weight-cache.ts';

type Settings = SizeLimits & Pick<Required<DecodeOptions>, 'maxBytes'> & Pick<DecodeOptions, 'orientation'>;

/** Formats that the browser may decode although Node's decoder is another one. */
const BROWSER_FORMATS: ReadonlySet<string> = new Set(['JPEG', 'PNG', 'WebP', 'GIF', 'AVIF', 'HEIF', 'HEIC']);

/**
 * Decodes an image to 8-bit RGB with the browser's decoders: color profiles are ignored, alpha is dropped, EXIF
 * orientation is applied unless `orientation` is `stored`. Runs in pages and in workers.
 *
 * @param source URL, bytes of a file, `Blob`, stream, pixels, `ImageData` or `ImageBitmap`
 * @throws {UsageError} for unknown options or values of the wrong type
 * @throws {MdetrError} naming the image when it cannot be fetched or decoded, or is too large or too narrow
 */
export const decodeImage = async (source: unknown, options: DecodeOptions = {}): Promise<RawImage> => {
  checkOptions('decodeImage', options, decodeOptionRules);
  const settings: Settings = {
    maxPixels: options.maxPixels ?? DECODE_DEFAULTS.maxPixels,
    maxAspectRatio: options.maxAspectRatio ?? DECODE_DEFAULTS.maxAspectRatio,
    maxBytes: options.maxBytes ?? DECODE_DEFAULTS.maxBytes,
    orientation: options.orientation,
  };
  const name = options.name ?? nameOfSource(source) ?? 'image';
  const pixels = pixelsOf(source);
  if (pixels !== undefined) {
    const image = rawImageFromPixels(pixels);
    checkSize(name, image, settings);
    return image;
  }
  if (typeof ImageBitmap !== 'undefined' && source instanceof ImageBitmap) {
    checkSize(name, source, settings);
    return rgbOfBitmap(source);
  }
  const bytes = await bytesOf(source, name, settings.maxBytes);
  return decodeFile(bytes, name, settings);
};

const pixelsOf = (source: unknown): Parameters<typeof rawImageFromPixels>[0] | undefined => {
  if (typeof ImageData !== 'undefined' && source instanceof ImageData) {
    const { width, height, data } = source;
    return { width, height, channels: 4, data: new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength) };
  }
  return isPixelInput(source) ? source : undefined;
};

const bytesOf = async (source: unknown, name: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> => {
  const address = source instanceof URL ? source.href : source;
  let file = typeof address === 'string' ? await (await fetchFile(address, name)).blob() : source;
  if (isEncodable(file)) file = await file.toBuffer();
  else if (isByteStream(file)) file = await bytesOfStream(file, name, maxBytes);
  if (file instanceof Blob) {
    requireLength(file.size, name, maxBytes);
    return new Uint8Array(await file.arrayBuffer());
  }
  if (!(file instanceof Uint8Array || file instanceof ArrayBuffer)) throw new MdetrError(`${name}: ${IMAGE_KINDS}.`);
  requireLength(file.byteLength, name, maxBytes);
  return file instanceof ArrayBuffer ? new Uint8Array(file) : Uint8Array.from(file);
};

const decodeFile = async (bytes: Uint8Array<ArrayBuffer>, name: string, settings: Settings): Promise<RawImage> => {
  const kind = identifyFile(bytes);
  if (kind.decoder === undefined) throw new MdetrError(`${name}: ${kind.problem}.`);
  if (kind.decoder === 'bmp') return decodeBitmapFile(bytes, name, settings);
  if (!BROWSER_FORMATS.has(kind.name))
    throw new MdetrError(`${name}: ${kind.name} is not decoded by browsers; convert it to PNG or JPEG.`);
  let bitmap: ImageBitmap;
  try {
    const file = settings.orientation === 'stored' ? withoutExif(bytes, kind.name) : bytes;
    bitmap = await createImageBitmap(new Blob([file]), {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
      imageOrientation: 'from-image',
    });
  } catch (error) {
    throw new MdetrError(
      `${name}: this browser cannot decode it (${kind.name}; ${messageOf(error)}): it is damaged, or the browser lacks the format.`,
      { cause: error },
    );
  }
  try {
    checkSize(name, bitmap, settings);
    return await rgbOfBitmap(bitmap);
  } finally {
    bitmap.close();
  }
};

const decodeBitmapFile = (bytes: Uint8Array, name: string, settings: Settings): RawImage => {
  try {
    const header = readBmpHeader(bytes);
    checkSize(name, header, settings);
    return decodeBmp(bytes, header);
  } catch (error) {
    if (!(error instanceof MdetrError) || error.message.startsWith(`${name}: `)) throw error;
    throw new MdetrError(`${name}: ${error.message}.`, { cause: error });
  }
};
