import { fileURLToPath } from 'node:url';
import { MdetrError } from '../../../errors.ts';
import { isWebUrl } from '../../../fetching/web-url.ts';
import { isEncodable, type DecodeOptions } from '../image-source.ts';
import { bytesOfStream, isByteStream, requireLength } from '../stream-bytes.ts';
import { readImageFile } from './image-file.ts';

/** Limits of reading the bytes of an image. */
export interface ReadLimits {
  readonly maxBytes: number;
  readonly urls?: DecodeOptions['urls'];
}

/** Kinds of images, for errors. */
const IMAGE_KINDS =
  'a path, a file:, data: or (when allowed) http(s) URL, a Uint8Array, ArrayBuffer, Blob or stream of a file, ' +
  'pixels with width, height, channels and data, or an object with toBuffer()';

/**
 * The bytes of an image file, from any kind of source but pixels.
 *
 * @throws {MdetrError} for another kind of value, for a source that cannot be read, is larger than `maxBytes`, or is a URL
 *   that may not be fetched
 */
export const readImageBytes = async (source: unknown, name: string, limits: ReadLimits): Promise<Uint8Array> => {
  const bytes = await encodedBytes(source, name, limits);
  if (!(bytes instanceof Uint8Array)) throw new MdetrError(`${name}: an image is ${IMAGE_KINDS}.`);
  requireLength(bytes.length, name, limits.maxBytes);
  return bytes;
};

/**
 * Content of a source: its bytes, or anything else from a `toBuffer()` that does not; undefined for another kind of value. The
 * library, the command line and the service read images by this one function.
 */
const encodedBytes = async (source: unknown, name: string, limits: ReadLimits): Promise<unknown> => {
  if (typeof source === 'string') return readPathOrUrl(source, name, limits);
  if (source instanceof URL) {
    if (!URL_PROTOCOLS.includes(source.protocol))
      throw new MdetrError(`${name.slice(0, 100)}: only file:, data:, http: and https: URLs are read.`);
    return readPathOrUrl(source.href, name, limits);
  }
  if (source instanceof Uint8Array) return source;
  if (isArrayBuffer(source)) return new Uint8Array(source);
  if (source instanceof Blob) {
    requireLength(source.size, name, limits.maxBytes);
    return new Uint8Array(await source.arrayBuffer());
  }
  if (isEncodable(source)) return source.toBuffer();
  return isByteStream(source) ? bytesOfStream(source, name, limits.maxBytes) : undefined;
};

const URL_PROTOCOLS = ['file:', 'data:', 'http:', 'https:'];

const readPathOrUrl = (text: string, name: string, limits: ReadLimits): Promise<Uint8Array> | Uint8Array => {
  if (isWebUrl(text)) return fetchImage(text, name, limits);
  if (/^file:/i.test(text)) return readFileUrl(new URL(text), name, limits);
  if (/^data:/i.test(text)) return readDataUri(text, name, limits);
  return readImageFile(text, name, limits.maxBytes);
};

const fetchImage = async (
  url: string,
  name: string,
  { maxBytes, urls = 'refuse' }: ReadLimits,
): Promise<Uint8Array> => {
  if (urls === 'refuse')
    throw new MdetrError(
      `${name}: URLs are not fetched unless that is allowed (--allow-urls, or the option urls: 'public'); or download the image and pass its path.`,
    );
  // The HTTP client takes as long to load as a small image to decode.
  const { fetchBytes } = await import('../../../fetching/fetch-bytes.ts');
  return fetchBytes(url, { maxBytes, reach: urls });
};

const readFileUrl = (url: URL, name: string, { maxBytes }: ReadLimits): Promise<Uint8Array> => {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (error) {
    throw new MdetrError(`${name}: is not the URL of a file on this machine`, { cause: error });
  }
  return readImageFile(path, name, maxBytes);
};

const readDataUri = (text: string, name: string, { maxBytes }: ReadLimits): Uint8Array => {
  const comma = text.indexOf(',');
  if (comma < 0) throw new MdetrError(`${name}: is not a data URI: it has no comma`);
  // Four characters of base64 are three bytes.
  requireLength(Math.floor(((text.length - comma) * 3) / 4) - 3, name, maxBytes);
  const head = text.slice(0, comma);
  let payload: string;
  try {
    payload = decodeURIComponent(text.slice(comma + 1));
  } catch (error) {
    throw new MdetrError(`${name}: is not a data URI: a percent escape is broken`, { cause: error });
  }
  if (!/;base64$/i.test(head.trim())) return Uint8Array.from(Buffer.from(payload, 'latin1'));
  const packed = payload.replace(/\s+/g, '');
  if (!/^[a-z0-9+/_-]*=*$/i.test(packed)) throw new MdetrError(`${name}: is not a data URI: its base64 text is broken`);
  return Uint8Array.from(Buffer.from(packed, 'base64'));
};

const isArrayBuffer = (source: unknown): source is ArrayBuffer =>
  source instanceof ArrayBuffer || (typeof SharedArrayBuffer !== 'undefined' && source instanceof SharedArrayBuffer);
