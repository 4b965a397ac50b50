import { fileURLToPath } from 'node:url';
import { MdetrError } from '../../../errors.ts';
import { isWebUrl } from '../../../fetching/web-url.ts';
import type { DecodeOptions, EncodableImage } from '../image-source.ts';
import { readImageFile } from './image-file.ts';

/** Limits of reading the bytes of an image. */
export interface ReadLimits {
  readonly maxBytes: number;
  readonly urls?: DecodeOptions['urls'];
}

/** One kind of encoded image: how it is recognized and read. */
interface ImageKind {
  /** Name in errors and documentation. */
  readonly name: string;
  accepts(source: unknown): boolean;
  read(source: never, name: string, limits: ReadLimits): Promise<Uint8Array> | Uint8Array;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const kind = <T>(
  name: string,
  accepts: (source: unknown) => source is T,
  read: (source: T, name: string, limits: ReadLimits) => Promise<Uint8Array> | Uint8Array,
): ImageKind => ({ name, accepts, read });

const isText =
  (pattern: RegExp) =>
  (source: unknown): source is string =>
    typeof source === 'string' && pattern.test(source);

/**
 * Kinds of encoded images, the first that fits. Pixels are no encoded image: `rawImageFromPixels` takes them. The same table
 * serves the library, the command line and the service.
 */
const KINDS: readonly ImageKind[] = [
  kind('an http(s) URL', isText(/^https?:\/\//i), readUrl),
  kind('a file: URL', isText(/^file:/i), (url, name, limits) => readFileUrl(new URL(url), name, limits)),
  kind('a data URI', isText(/^data:/i), readDataUri),
  kind(
    'a path',
    (source): source is string => typeof source === 'string',
    (path, name, { maxBytes }) => readImageFile(path, name, maxBytes),
  ),
  kind('a URL object', (source): source is URL => source instanceof URL, readUrlObject),
  kind(
    'a Uint8Array',
    (source): source is Uint8Array => source instanceof Uint8Array,
    (bytes) => bytes,
  ),
  kind('an ArrayBuffer', isArrayBuffer, (buffer) => new Uint8Array(buffer)),
  kind(
    'a Blob',
    (source): source is Blob => source instanceof Blob,
    async (blob, name, { maxBytes }) => {
      requireSize(blob.size, name, maxBytes);
      return new Uint8Array(await blob.arrayBuffer());
    },
  ),
  kind('an object with toBuffer()', isEncodable, (image) => image.toBuffer()),
  kind('a stream', isStream, readStream),
];

/** Kinds of images, for errors. */
export const IMAGE_KINDS =
  'a path, a file:, data: or (when allowed) http(s) URL, a Uint8Array, ArrayBuffer, Blob or stream of a file, ' +
  'pixels with width, height, channels and data, or an object with toBuffer()';

/**
 * The bytes of an image file, from any kind of source but pixels.
 *
 * @throws {MdetrError} for another kind of value, for a source that cannot be read, is larger than `maxBytes`, or is a URL
 *   that may not be fetched
 */
export const readImageBytes = async (source: unknown, name: string, limits: ReadLimits): Promise<Uint8Array> => {
  const found = KINDS.find(({ accepts }) => accepts(source));
  const bytes: unknown = found === undefined ? undefined : await found.read(source as never, name, limits);
  if (!(bytes instanceof Uint8Array)) throw new MdetrError(`${name}: an image is ${IMAGE_KINDS}.`);
  requireSize(bytes.length, name, limits.maxBytes);
  return bytes;
};

const requireSize = (bytes: number, name: string, maxBytes: number): void => {
  if (bytes > maxBytes) throw new MdetrError(`${name}: has ${bytes} bytes; the limit for image files is ${maxBytes}.`);
};

async function readUrl(url: string, name: string, { maxBytes, urls = 'refuse' }: ReadLimits): Promise<Uint8Array> {
  if (urls === 'refuse')
    throw new MdetrError(
      `${name}: URLs are not fetched unless that is allowed (--allow-urls, or the option urls: 'public'); or download the image and pass its path.`,
    );
  // The HTTP client takes as long to load as a small image to decode.
  const { fetchBytes } = await import('../../../fetching/fetch-bytes.ts');
  return fetchBytes(url, { maxBytes, reach: urls });
}

const readFileUrl = (url: URL, name: string, { maxBytes }: ReadLimits): Promise<Uint8Array> => {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (error) {
    throw new MdetrError(`${name}: is not the URL of a file on this machine`, { cause: error });
  }
  return readImageFile(path, name, maxBytes);
};

async function readUrlObject(url: URL, name: string, limits: ReadLimits): Promise<Uint8Array> {
  if (url.protocol === 'file:') return readFileUrl(url, name, limits);
  if (url.protocol === 'data:') return readDataUri(url.href, name, limits);
  if (isWebUrl(url.href)) return readUrl(url.href, name, limits);
  throw new MdetrError(`${name.slice(0, 100)}: only file:, data:, http: and https: URLs are read.`);
}

function readDataUri(text: string, name: string, { maxBytes }: ReadLimits): Uint8Array {
  const comma = text.indexOf(',');
  if (comma < 0) throw new MdetrError(`${name}: is not a data URI: it has no comma`);
  // Four characters of base64 are three bytes.
  requireSize(Math.floor(((text.length - comma) * 3) / 4) - 3, name, maxBytes);
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
}

function isArrayBuffer(source: unknown): source is ArrayBuffer {
  return (
    source instanceof ArrayBuffer || (typeof SharedArrayBuffer !== 'undefined' && source instanceof SharedArrayBuffer)
  );
}

function isEncodable(source: unknown): source is EncodableImage {
  return isObject(source) && 'toBuffer' in source && typeof source.toBuffer === 'function';
}

type ByteStream = AsyncIterable<Uint8Array>;

function isStream(source: unknown): source is ByteStream {
  return isObject(source) && Symbol.asyncIterator in source;
}

async function readStream(stream: ByteStream, name: string, { maxBytes }: ReadLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      if (!(chunk instanceof Uint8Array)) throw new MdetrError(`${name}: the stream gives no bytes (Uint8Array)`);
      bytes += chunk.byteLength;
      requireSize(bytes, name, maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name}: the stream failed (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    });
  }
  return Uint8Array.from(Buffer.concat(chunks));
}
