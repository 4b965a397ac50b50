import sharp, { type Sharp } from 'sharp';
import { MdetrError } from '../../../errors.ts';
import { checkOptions, withoutUndefined } from '../../../options/check-options.ts';
import { decodeBmp } from '../bmp.ts';
import { DECODE_DEFAULTS, decodeImageOptionRules } from '../decode-options.ts';
import { nameOfSource, type DecodeImageOptions, type ImageSource } from '../image-source.ts';
import type { Orientation } from '../orientation.ts';
import { isPixelInput, rawImageFromPixels, type RawImage } from '../raw-image.ts';
import { decodeHeic } from './decode-heic.ts';
import { oneLine, orientationOf, readImageHeader, tooSlow, type ImageHeader, type ImageLimits } from './image-file.ts';
import { readImageBytes } from './image-bytes.ts';
import { checkSize } from '../size-limits.ts';

/**
 * Decodes an image to 8-bit RGB, bit-equal to Pillow's `convert('RGB')`: alpha is dropped, not blended; color profiles are
 * ignored; CMYK is converted by arithmetic; only the first frame or page is read. Two things differ: EXIF orientation is
 * applied (see `orientation` and `rowSize`), and 16-bit gray keeps its high byte where Pillow saturates.
 *
 * @throws {UsageError} for unknown options or values of the wrong type
 * @throws {MdetrError} naming the image when it is missing, empty, something else than an image, broken, truncated, too
 *   large or too narrow, or when its size is not that of its row
 */
export const decodeImage = async (source: ImageSource, options: DecodeImageOptions = {}): Promise<RawImage> => {
  checkOptions('decodeImage', options, decodeImageOptionRules);
  const settings = { ...DECODE_DEFAULTS, ...withoutUndefined(options) };
  if (typeof source !== 'string' && isPixelInput(source)) {
    const image = rawImageFromPixels(source);
    checkSize(options.name ?? 'raw image', image, settings);
    return image;
  }
  const name = options.name ?? nameOfSource(source) ?? 'image';
  if (isSharpPipeline(source)) return await pixelsOfSharp(source, name, options, settings);
  const bytes = await readImageBytes(source, name, settings);
  const header = await readImageHeader(bytes, name, settings);
  const { orientation, note } = orientationOf(header, name, options);
  if (note !== undefined) options.onNote?.(note);
  try {
    if (header.bmp !== undefined) return decodeBmp(bytes, header.bmp);
    if (!header.isHevc) return await decodePixels(bytes, header, orientation, settings);
    const image = await decodeHeic(bytes);
    checkSize(name, image, settings);
    return image;
  } catch (error) {
    if (error instanceof MdetrError) throw new MdetrError(`${name}: ${error.message}.`, { cause: error });
    const reason = oneLine(error);
    if (reason.includes('timeout: ')) throw tooSlow(name, settings, error);
    throw new MdetrError(`${name}: the image data are damaged or incomplete (${reason}).`, { cause: error });
  }
};

/** A `sharp` pipeline. Its pixels are taken as they are, since encoding them would lose some. */
const isSharpPipeline = (source: unknown): source is Sharp =>
  typeof source === 'object' &&
  source !== null &&
  ['clone', 'metadata', 'raw', 'toBuffer'].every((name) => name in source);

const pixelsOfSharp = async (
  source: Sharp,
  name: string,
  { orientation }: DecodeImageOptions,
  settings: ImageLimits,
): Promise<RawImage> => {
  try {
    const pipeline = orientation === 'stored' ? source.clone() : source.clone().autoOrient();
    const { data, info } = await pipeline
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .timeout({ seconds: settings.timeoutS })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const image = rawImageFromPixels({ width, height, channels: channels as 1 | 3, data: new Uint8Array(data) });
    checkSize(name, image, settings);
    return image;
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name}: the sharp pipeline failed (${oneLine(error)}).`, { cause: error });
  }
};

const decodePixels = async (
  bytes: Uint8Array,
  { isCmyk }: ImageHeader,
  orientation: Orientation,
  { maxPixels, timeoutS }: ImageLimits,
): Promise<RawImage> => {
  const decoder = sharp(bytes, {
    autoOrient: orientation === 'exif',
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
