import { closeSync, readSync } from 'node:fs';
import { openInputSync } from '../../files/input-file.ts';
import { parsePythonJson } from '../../data/annotation-index/python-json.ts';

/** Reads entries of a JSON file by their byte ranges, which a first pass has found. */
export class JsonRanges {
  private readonly fd: number;
  private buffer = Buffer.alloc(64 * 1024);

  /** Opens the file. Call `close` when done. */
  constructor(path: string) {
    this.fd = openInputSync(path);
  }

  /** Decodes bytes [begin, end) as UTF-8. */
  text(begin: number, end: number): string {
    const length = end - begin;
    if (length > this.buffer.length) this.buffer = Buffer.alloc(2 * length);
    for (let done = 0; done < length;) {
      const count = readSync(this.fd, this.buffer, done, length - done, begin + done);
      if (count === 0) throw new Error('internal: the file was truncated while it was read');
      done += count;
    }
    return this.buffer.toString('utf8', 0, length);
  }

  /** Parses bytes [begin, end) as JSON, as Python writes it. */
  value(begin: number, end: number): unknown {
    return parsePythonJson(this.text(begin, end));
  }

  close(): void {
    closeSync(this.fd);
  }
}
