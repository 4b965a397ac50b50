import { closeSync, existsSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { MdetrError } from '../errors.ts';

/** A file that a run appends to. After a crash it is cut back to where the stored state was made. */
export class AppendFile {
  private bytes: number;
  private readonly handle: number;

  /** @param keep bytes that stay of what is there; 0 begins anew */
  constructor(
    readonly path: string,
    keep: number,
  ) {
    const there = existsSync(path) ? statSync(path).size : 0;
    if (there < keep)
      throw new MdetrError(
        `${path}: has ${there} bytes, but the stored state was made when it had ${keep}: was it changed?`,
      );
    this.handle = openSync(path, existsSync(path) ? 'r+' : 'w');
    ftruncateSync(this.handle, keep);
    this.bytes = keep;
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

  close(): void {
    closeSync(this.handle);
  }
}
