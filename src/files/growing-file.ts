import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileReason, MdetrError } from '../errors.ts';
import { makeFolder } from './make-folder.ts';
import { removeAbandoned, temporaryPath } from './temporary-path.ts';

/** Size of the write buffer: characters when writing text, bytes when copying. */
const CHUNK_SIZE = 1 << 18;

/**
 * A text file that is written piece by piece under a temporary name beside its target, and appears under its own name, synced,
 * when it is complete.
 */
export class GrowingFile {
  private pending = '';
  private entries = 0;
  private isOpen = true;

  private constructor(
    private readonly target: string,
    private readonly temporary: string,
    private readonly handle: FileHandle,
  ) {}

  /**
   * Creates the temporary file, and its folder if that is missing, and removes what killed processes left of the target.
   * @throws {MdetrError} if the file cannot be created
   */
  static async open(target: string): Promise<GrowingFile> {
    await makeFolder(dirname(target));
    await removeAbandoned(target);
    return GrowingFile.create(target);
  }

  /**
   * Creates the temporary file.
   * @param target the file that `finish` writes, which errors name
   * @param name path that the name of the temporary file begins with
   * @throws {MdetrError} if the file cannot be created
   */
  static async create(target: string, name = target): Promise<GrowingFile> {
    const temporary = temporaryPath(name);
    return new GrowingFile(target, temporary, await guard(target, () => open(temporary, 'wx+')));
  }

  async write(text: string): Promise<void> {
    this.pending += text;
    if (this.pending.length >= CHUNK_SIZE) await this.flush();
  }

  /** Writes the next entry of a JSON list, on a line of its own. The brackets of the list are the caller's. */
  async writeEntry(entry: unknown): Promise<void> {
    await this.write((this.entries++ === 0 ? '\n' : ',\n') + JSON.stringify(entry));
  }

  /** Appends what another file holds so far. */
  async copyFrom(source: GrowingFile): Promise<void> {
    await source.flush();
    await this.flush();
    const buffer = Buffer.alloc(CHUNK_SIZE);
    for (let position = 0; ;) {
      const { bytesRead } = await source.handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      await guard(this.target, () => this.handle.writeFile(buffer.subarray(0, bytesRead)));
    }
  }

  /** Writes the last text, flushes the file to disk and gives it its name; removes it if that fails. */
  async finish(end = ''): Promise<void> {
    try {
      await this.write(end);
      await this.flush();
      await guard(this.target, async () => {
        await this.handle.sync();
        await this.close();
        await rename(this.temporary, this.target);
      });
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Removes the temporary file. Does nothing after `finish`. */
  async discard(): Promise<void> {
    await this.close().catch(() => undefined);
    await rm(this.temporary, { force: true });
  }

  private async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.handle.close();
  }

  private async flush(): Promise<void> {
    const text = this.pending;
    this.pending = '';
    // writeFile on a handle continues at its current position.
    if (text !== '') await guard(this.target, () => this.handle.writeFile(text));
  }
}

/** Runs a file operation. @throws {MdetrError} naming the file if it fails */
export const guard = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw new MdetrError(`${path}: cannot be written (${fileReason(error)})`, { cause: error });
  }
};
