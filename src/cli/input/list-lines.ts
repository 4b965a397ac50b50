import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { fileReason, MdetrError } from '../../errors.ts';
import { openInput } from '../../files/input-file.ts';

/** Maximum number of characters of a line: more than any path or URL, and enough for an image in a `data:` URI. */
const MAX_LINE = 64 * 2 ** 20;

/**
 * Lines of a list (`-`: standard input) as they are read, several at a time, without empty lines and comments (`#`).
 * @throws {MdetrError} if the list cannot be read, or has a line of more than 64 million characters
 */
export async function* listLines(path: string): AsyncGenerator<readonly string[]> {
  const file = path === '-' ? undefined : await openInput(path);
  const input: NodeJS.ReadableStream = file === undefined ? process.stdin : createReadStream(path, { fd: file });
  const decoder = new StringDecoder('utf8');
  let pieces: string[] = [];
  let length = 0;
  try {
    for await (const chunk of input as AsyncIterable<Buffer | string>) {
      const text = typeof chunk === 'string' ? chunk : decoder.write(chunk);
      const end = text.lastIndexOf('\n');
      if (end < 0) {
        pieces.push(text);
        length += text.length;
        if (length > MAX_LINE) throw new MdetrError(`${path}: has a line of more than ${MAX_LINE} characters`);
        continue;
      }
      yield usedLines(pieces.join('') + text.slice(0, end));
      pieces = [text.slice(end + 1)];
      length = pieces[0]!.length;
    }
  } catch (error) {
    throw error instanceof MdetrError
      ? error
      : new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
  yield usedLines(pieces.join('') + decoder.end());
}

const usedLines = (text: string): readonly string[] => {
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
