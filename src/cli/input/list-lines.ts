import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { fileReason, MdetrError } from '../../errors.ts';
import { openInput } from '../../files/input-file.ts';

/** Maximum number of characters of a line: more than any path or URL, and enough for an image in a `data:` URI. */
const MAX_LINE = 64 * 2 ** 20;

/** Bytes of one read. */
const READ_BYTES = 1 << 16;
/**
 * Bytes whose lines are one chunk. Few lines are alive at a time: V8 gives the young generation more memory, and keeps it,
 * the more of its objects survive.
 */
const CHUNK_BYTES = 1 << 12;

/**
 * Text of a list (`-`: standard input) as it is read, several whole lines at a time.
 * @throws {MdetrError} if the list cannot be read, or has a line of more than 64 million characters
 */
export async function* listBlocks(path: string): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let length = 0;
  try {
    for await (const bytes of (path === '-' ? process.stdin : bytesOf(path)) as AsyncIterable<Buffer>)
      for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
        const text = decoder.write(bytes.subarray(from, from + CHUNK_BYTES));
        const end = text.lastIndexOf('\n');
        if (end < 0) {
          pieces.push(text);
          length += text.length;
          if (length > MAX_LINE) throw new MdetrError(`${path}: has a line of more than ${MAX_LINE} characters`);
          continue;
        }
        yield pieces.join('') + text.slice(0, end);
        pieces = [text.slice(end + 1)];
        length = pieces[0]!.length;
      }
  } catch (error) {
    throw error instanceof MdetrError
      ? error
      : new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
  yield pieces.join('') + decoder.end();
}

/** Bytes of a file, in a buffer that is used again. */
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = await openInput(path);
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Lines of a block, without empty lines and comments (`#`). */
export const linesOf = (text: string): readonly string[] => {
  const lines: string[] = [];
  for (const raw of text.split(/\r?\n|\r/)) {
    // trim() also removes a byte order mark.
    const line = raw.trim();
    if (line !== '' && !line.startsWith('#')) lines.push(line);
  }
  return lines;
};

/** A copy of standard input as a temporary file, for calls that read their list several times. */
export class StoredInput {
  private constructor(
    readonly path: string,
    private readonly folder: string,
  ) {}

  /** @throws {MdetrError} if the copy cannot be written */
  static async take(): Promise<StoredInput> {
    const folder = await mkdtemp(join(tmpdir(), 'mdetr-list-'));
    const path = join(folder, 'list.txt');
    try {
      await pipeline(process.stdin, createWriteStream(path));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw new MdetrError(`standard input: cannot be stored in ${folder} (${fileReason(error)})`, { cause: error });
    }
    return new StoredInput(path, folder);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
