import { excerpt, MdetrError, messageOf } from '../../../errors.ts';
import type { RawImage } from '../raw-image.ts';

/**
 * Decodes a HEIC photo (HEIF with HEVC) to RGB. libvips is built without HEVC, so libheif does it, compiled to WebAssembly;
 * it is loaded when the first such photo is read. Its decoder cannot be stopped: the pixel limit bounds the time.
 *
 * @throws {MdetrError} for a damaged file, completed by the caller with the image's name
 */
export const decodeHeic = async (bytes: Uint8Array): Promise<RawImage> => {
  const { one } = await (loaded ??= loadDecoder());
  const { width, height, data } = await oneByOne(() => quietly(() => one({ buffer: bytes })));
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4) {
    rgb[to++] = data[from]!;
    rgb[to++] = data[from + 1]!;
    rgb[to++] = data[from + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
};

let loaded: ReturnType<typeof loadDecoder> | undefined;

/** libheif stays a file of its own in the package, which another build of the library can replace. */
const loadDecoder = async () => {
  const [{ default: decodersOf }, { default: loadLibheif }] = await Promise.all([
    import('heic-decode/lib.js'),
    import('libheif-js/libheif-wasm/libheif-bundle.mjs'),
  ]);
  return decodersOf(loadLibheif());
};

let last: Promise<unknown> = Promise.resolve();

/** Runs decoders one after another, since each takes the console's place while it runs. */
const oneByOne = <T>(run: () => Promise<T>): Promise<T> => {
  const next = last.then(run);
  last = next.catch(() => undefined);
  return next;
};

/** Runs the decoder. It logs its errors to the console; here the last of them becomes the error's message instead. */
const quietly = async <T>(decode: () => Promise<T>): Promise<T> => {
  const { log } = console;
  let reason = '';
  console.log = (...parts: unknown[]) => {
    const found = reasonIn(parts);
    if (found === undefined) log(...parts);
    else reason = found;
  };
  try {
    return await decode();
  } catch (error) {
    const message = reason === '' ? messageOf(error) : reason;
    throw new MdetrError(`the image data are damaged or incomplete (HEIC: ${excerpt(message.trim())})`, {
      cause: error,
    });
  } finally {
    console.log = log;
  }
};

/** The message in what libheif logs about an error; undefined for anything that others log meanwhile. */
const reasonIn = (parts: readonly unknown[]): string | undefined => {
  const error = parts.find(
    (part) => typeof part === 'object' && part !== null && 'subcode' in part && 'message' in part,
  );
  if (error !== undefined) return String((error as { message: unknown }).message);
  return typeof parts[0] === 'string' && /heif|decoding image failed/i.test(parts[0]) ? parts[0] : undefined;
};
