import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';
import { removeAbandoned, temporaryPath } from './temporary-path.ts';

/** Size of the write buffer: characters when writing text, bytes when copying. */
const CHUNK_SIZE = 1 << 18;

/**
 * Writer of a JSON file that is one object with long arrays. Entries are appended in constant memory: the arrays grow
 * side by side in temporary files and are joined by `finish`, which gives the file its name.
 */
export class JsonSections {
  private readonly parts = new Map<string, Part>();
  private joined: Part | undefined;

  private constructor(private readonly path: string) {}

  /**
   * Creates the temporary files.
   * @param arrays keys of the arrays
   * @throws {MdetrError} if a file cannot be created
   */
  static async create(path: string, arrays: readonly string[]): Promise<JsonSections> {
    const file = new JsonSections(path);
    await removeAbandoned(path);
    for (const name of arrays) file.parts.set(name, await Part.create(path, `${path}.${name}`));
    return file;
  }

  /** Appends an entry to an array. */
  async append(array: string, entry: unknown): Promise<void> {
    const part = this.parts.get(array);
    if (part === undefined) throw new Error(`internal: ${this.path} has no array "${array}"`);
    await part.write((part.entries++ === 0 ? '\n' : ',\n') + JSON.stringify(entry));
  }

  /**
   * Joins the arrays, writes the file and renames it to its final path.
   * @param layout members of the object in order; the value of an array's key is ignored
   */
  async finish(layout: Readonly<Record<string, unknown>>): Promise<void> {
    const joined = (this.joined = await Part.create(this.path, this.path));
    let separator = '{';
    for (const [name, value] of Object.entries(layout)) {
      await joined.write(`${separator}${JSON.stringify(name)}:`);
      separator = ',\n';
      const part = this.parts.get(name);
      if (part === undefined) {
        await joined.write(JSON.stringify(value));
        continue;
      }
      await joined.write('[');
      await joined.copyFrom(part);
      await joined.write(']');
    }
    await joined.write('}\n');
    await joined.close(true);
    await guard(this.path, () => rename(joined.path, this.path));
    await this.discard();
  }

  /** Removes the temporary files. Does nothing after `finish`. */
  async discard(): Promise<void> {
    for (const part of [...this.parts.values(), ...(this.joined === undefined ? [] : [this.joined])]) {
      await part.close(false);
      await rm(part.path, { force: true });
    }
  }
}

class Part {
  entries = 0;
  private pending = '';
  private open = true;

  private constructor(
    readonly path: string,
    private readonly target: string,
    private readonly handle: FileHandle,
  ) {}

  /**
   * @param target the file that errors name
   * @param name path that the name of the temporary file begins with
   */
  static async create(target: string, name: string): Promise<Part> {
    const path = temporaryPath(name);
    return new Part(path, target, await guard(target, () => open(path, 'wx+')));
  }

  async write(text: string): Promise<void> {
    this.pending += text;
    if (this.pending.length >= CHUNK_SIZE) await this.flush();
  }

  async copyFrom(source: Part): Promise<void> {
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

  async close(durable: boolean): Promise<void> {
    if (!this.open) return;
    this.open = false;
    if (durable) {
      await this.flush();
      await guard(this.target, () => this.handle.sync());
    }
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
