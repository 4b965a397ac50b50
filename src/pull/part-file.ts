import { open, readFile, rename, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { errorCode, fileReason, MdetrError } from '../errors.ts';
import { syncFolder } from '../files/atomic-file.ts';
import { LockFile } from '../files/lock-file.ts';
import { makeFolder } from '../files/make-folder.ts';

/** Remote file that the received bytes belong to. */
const stateSchema = z.object({
  url: z.string(),
  /** Strong ETag or date of the last change, for `If-Range`. */
  validator: z.string().optional(),
  totalBytes: z.number().int().nonnegative().optional(),
});

/** State of an interrupted download. */
export type PartState = Readonly<z.infer<typeof stateSchema>>;

/**
 * A partially downloaded file. `NAME.part` has the received bytes, `NAME.part.json` the remote file that they belong to,
 * and `NAME.part.lock` the process that writes. `finish` renames it to `NAME`.
 */
export class PartFile {
  readonly path: string;
  private written: number;

  private constructor(
    readonly target: string,
    private readonly handle: FileHandle,
    private readonly lock: LockFile,
    bytes: number,
    private known: PartState | undefined,
  ) {
    this.path = `${target}.part`;
    this.written = bytes;
  }

  /** Opens or creates the part file of `target`. @throws {MdetrError} if another process downloads it, or the folder is not writable */
  static async open(target: string): Promise<PartFile> {
    let lock: LockFile;
    try {
      await makeFolder(dirname(target));
      lock = takeLock(target);
    } catch (error) {
      const cause = error instanceof MdetrError ? error.cause : undefined;
      throw writeError(target, cause ?? error);
    }
    try {
      const handle = await open(`${target}.part`, 'a');
      const { size } = await handle.stat();
      const state = await readState(`${target}.part.json`);
      const part = new PartFile(target, handle, lock, size, state);
      // Bytes of an unknown file cannot be resumed.
      if (state === undefined && size > 0) await part.truncate();
      return part;
    } catch (error) {
      lock.release();
      throw writeError(target, error);
    }
  }

  /** Number of received bytes. */
  get bytes(): number {
    return this.written;
  }

  get state(): PartState | undefined {
    return this.known;
  }

  /** Drops all received bytes. The next ones belong to `state`. */
  async restart(state: PartState | undefined): Promise<void> {
    await this.guarded(async () => {
      await this.truncate();
      this.known = state;
      const path = `${this.path}.json`;
      if (state === undefined) await rm(path, { force: true });
      else await writeFile(path, JSON.stringify(state));
    });
  }

  /** Appends received bytes. @throws {MdetrError} if the disk is full; earlier bytes can still be resumed */
  async write(chunk: Uint8Array): Promise<void> {
    await this.guarded(async () => {
      let done = 0;
      while (done < chunk.byteLength) {
        const { bytesWritten } = await this.handle.write(chunk, done);
        done += bytesWritten;
        this.written += bytesWritten;
      }
    });
  }

  async sync(): Promise<void> {
    await this.guarded(() => this.handle.sync());
  }

  /** Flushes the complete file to disk and renames it to its target. */
  async finish(): Promise<void> {
    await this.guarded(async () => {
      await this.handle.sync();
      await this.handle.close();
      await rename(this.path, this.target);
      await rm(`${this.path}.json`, { force: true });
      this.lock.release();
    });
    await syncFolder(dirname(this.target));
  }

  /** Closes the file and keeps the received bytes, if there are any, for a later download. */
  async leave(): Promise<void> {
    await this.handle.sync().catch(() => undefined);
    await this.handle.close().catch(() => undefined);
    if (this.written === 0) {
      await rm(this.path, { force: true });
      await rm(`${this.path}.json`, { force: true });
    }
    this.lock.release();
  }

  private async truncate(): Promise<void> {
    // A device cannot be truncated, and need not be when nothing was written.
    if (this.written > 0) await this.handle.truncate(0);
    this.written = 0;
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw writeError(this.target, error);
    }
  }
}

const readState = async (path: string): Promise<PartState | undefined> => {
  try {
    return stateSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
};

/** Locks `target`, since two processes that append to one file would corrupt it. A lock of a dead process is replaced. */
const takeLock = (target: string): LockFile =>
  LockFile.take(
    `${target}.part.lock`,
    ({ pid, host }) => `${target}: is being downloaded by process ${pid} on ${host}`,
  );

const writeError = (target: string, error: unknown): unknown => {
  const code = errorCode(error);
  if (error instanceof MdetrError || code === undefined) return error;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const wayOut = isFull
    ? 'free some space and run the same command again to resume'
    : 'set MDETR_CACHE to use another folder';
  return new MdetrError(`${target}: cannot be written (${fileReason(error)}); ${wayOut}`, { cause: error });
};

/** Size of a file in bytes; undefined if it does not exist or is not a file. */
export const sizeOfFile = (path: string): Promise<number | undefined> =>
  stat(path).then(
    (info) => (info.isFile() ? info.size : undefined),
    () => undefined,
  );
