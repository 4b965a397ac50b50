import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileReason, MdetrError } from '../../errors.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { removeAbandoned, temporaryPath } from '../../files/temporary-path.ts';

/** Text that is collected before it is written. */
const CHUNK_CHARACTERS = 2 ** 18;

/**
 * A text file that is written piece by piece under a temporary name beside its target, and appears under its own name, synced,
 * when it is complete.
 */
export class GrowingFile {
  private waiting = '';

  private constructor(
    private readonly path: string,
    private readonly temporary: string,
    private readonly handle: FileHandle,
  ) {}

  /** @throws {MdetrError} if the file cannot be written */
  static async open(path: string): Promise<GrowingFile> {
    await makeFolder(dirname(path));
    await removeAbandoned(path);
    const temporary = temporaryPath(path);
    try {
      return new GrowingFile(path, temporary, await open(temporary, 'wx'));
    } catch (error) {
      throw new MdetrError(`${path}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }

  async write(text: string): Promise<void> {
    this.waiting += text;
    if (this.waiting.length >= CHUNK_CHARACTERS) await this.flush();
  }

  async finish(): Promise<void> {
    try {
      await this.flush();
      await this.handle.sync();
      await this.handle.close();
      await rename(this.temporary, this.path);
    } catch (error) {
      await this.abort();
      throw new MdetrError(`${this.path}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }

  async abort(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(this.temporary, { force: true });
  }

  private async flush(): Promise<void> {
    const text = this.waiting;
    this.waiting = '';
    try {
      await this.handle.appendFile(text);
    } catch (error) {
      throw new MdetrError(`${this.path}: cannot be written (${fileReason(error)})`, { cause: error });
    }
  }
}
