import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';

/** A file that a run appends to. After a crash it is cut back to where the stored state was made. */
export class AppendFile {
  private bytes: number;
  private readonly handle: number;
  /** The file was shorter than the state says: it was changed, or the machine lost what it had not written yet. */
  readonly isShort: boolean;

  /**
   * @param keep bytes that stay of what is there; 0 begins anew
   * @param wholePart how much of a file that is shorter than that can be kept
   */
  constructor(
    readonly path: string,
    keep: number,
    wholePart: (there: Uint8Array) => number = () => 0,
  ) {
    const there = existsSync(path) ? statSync(path).size : 0;
    this.isShort = there < keep;
    this.handle = openSync(path, existsSync(path) ? 'r+' : 'w+');
    this.bytes = this.isShort ? wholePart(this.read(there)) : keep;
    ftruncateSync(this.handle, this.bytes);
  }

  get length(): number {
    return this.bytes;
  }

  append(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let done = 0;
    while (done < bytes.length) done += writeSync(this.handle, bytes, done, bytes.length - done, this.bytes + done);
    this.bytes += bytes.length;
  }

  /** Waits until the disk has it. */
  flush(): void {
    fsyncSync(this.handle);
  }

  close(): void {
    closeSync(this.handle);
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
