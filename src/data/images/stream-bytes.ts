import { MdetrError, messageOf } from '../../errors.ts';

/** A stream of bytes: of Node, of the web, or any other iterable of chunks. */
export type ByteStream = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** True for a stream. Some browsers cannot iterate over theirs. */
export const isByteStream = (source: unknown): source is ByteStream =>
  typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || 'getReader' in source);

/**
 * All bytes of a stream.
 *
 * @throws {MdetrError} naming the image if the stream fails, gives something else, or is longer than `maxBytes`
 */
export const bytesOfStream = async (stream: ByteStream, name: string, maxBytes: number): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of Symbol.asyncIterator in stream ? stream : chunksOf(stream)) {
      if (!(chunk instanceof Uint8Array)) throw new MdetrError(`${name}: the stream gives no bytes (Uint8Array)`);
      length += chunk.byteLength;
      requireLength(length, name, maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${name}: the stream failed (${messageOf(error)})`, { cause: error });
  }
  return joinChunks(chunks, length);
};

/** Joins the chunks of a stream. @param length the sum of their lengths */
export const joinChunks = (chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
};

/** @throws {MdetrError} if an image file has more bytes than the limit */
export const requireLength = (bytes: number, name: string, maxBytes: number): void => {
  if (bytes > maxBytes) throw new MdetrError(`${name}: has ${bytes} bytes; the limit for image files is ${maxBytes}.`);
};

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // A stream that is left early is told that nobody reads on.
    await reader.cancel().catch(() => undefined);
  }
}
