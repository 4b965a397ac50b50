import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { fileReason, MdetrError } from '../errors.ts';

/** An append-only file of a run. Opening it truncates it to the length that the saved state recorded. */
export class AppendFile {
  private bytes: number;
  private readonly handle: number;
  /** True if the file was shorter than recorded: it was edited, or a crash of the machine lost unflushed data. */
  readonly isShort: boolean;

  /**
   * @param keep number of bytes to keep; 0 starts an empty file
   * @param usableLength number of bytes to keep of a file that is shorter than `keep`; none by default
   * @throws {MdetrError} if the file cannot be written, as `append` and `flush` do
   */
  constructor(
    readonly path: string,
    keep: number,
    usableLength: (contents: Uint8Array) => number = () => 0,
  ) {
    const size = existsSync(path) ? statSync(path).size : 0;
    this.isShort = size < keep;
    this.handle = this.written(() => openSync(path, existsSync(path) ? 'r+' : 'w+'));
    this.bytes = this.isShort ? usableLength(this.read(size)) : keep;
    ftruncateSync(this.handle, this.bytes);
  }

  get length(): number {
    return this.bytes;
  }

  append(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    this.written(() => {
      let done = 0;
      while (done < bytes.length) done += writeSync(this.handle, bytes, done, bytes.length - done, this.bytes + done);
    });
    this.bytes += bytes.length;
  }

  /** Flushes the appended data to disk. */
  flush(): void {
    this.written(() => fsyncSync(this.handle));
  }

  close(): void {
    closeSync(this.handle);
  }

  private written<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw new MdetrError(`${this.path}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }

  private read(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.handle, bytes, done, length - done, done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }
}
