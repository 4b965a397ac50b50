import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { fileReason, MdetrError } from '../../errors.ts';

/** Text is handed to the file in pieces of about this many characters. */
const PIECE = 1 << 18;

/**
 * A JSON file of one object with long arrays, written entry by entry in flat memory: the arrays grow side by side in
 * temporary files and are joined at the end, and only then does the file take its name.
 */
export class JsonSections {
  private readonly parts = new Map<string, Part>();

  private constructor(private readonly path: string) {}

  static async create(path: string, arrays: readonly string[]): Promise<JsonSections> {
    const file = new JsonSections(path);
    for (const name of arrays) file.parts.set(name, await Part.create(`${path}.${name}.part`));
    return file;
  }

  async append(array: string, entry: unknown): Promise<void> {
    const part = this.parts.get(array);
    if (part === undefined) throw new Error(`internal: ${this.path} has no array "${array}"`);
    await part.write((part.entries++ === 0 ? '\n' : ',\n') + JSON.stringify(entry));
  }

  /** `layout` has the fields in order; a field named like an array stands for it, whatever its value. */
  async finish(layout: Readonly<Record<string, unknown>>): Promise<void> {
    const whole = await Part.create(`${this.path}.part`);
    let separator = '{';
    for (const [name, value] of Object.entries(layout)) {
      await whole.write(`${separator}${JSON.stringify(name)}:`);
      separator = ',\n';
      const part = this.parts.get(name);
      if (part === undefined) {
        await whole.write(JSON.stringify(value));
        continue;
      }
      await whole.write('[');
      await whole.copyFrom(part);
      await whole.write(']');
    }
    await whole.write('}\n');
    await whole.close(true);
    await guard(this.path, () => rename(whole.path, this.path));
    await this.discard();
  }

  /** Removes the temporary files. */
  async discard(): Promise<void> {
    for (const part of this.parts.values()) {
      await part.close(false);
      await rm(part.path, { force: true });
    }
    await rm(`${this.path}.part`, { force: true });
  }
}

class Part {
  entries = 0;
  private pending = '';
  private open = true;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(path: string): Promise<Part> {
    return new Part(path, await guard(path, () => open(path, 'w+')));
  }

  async write(text: string): Promise<void> {
    this.pending += text;
    if (this.pending.length >= PIECE) await this.flush();
  }

  async copyFrom(source: Part): Promise<void> {
    await source.flush();
    await this.flush();
    const buffer = Buffer.alloc(PIECE);
    for (let position = 0; ;) {
      const { bytesRead } = await source.handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      await guard(this.path, () => this.handle.writeFile(buffer.subarray(0, bytesRead)));
    }
  }

  async close(durable: boolean): Promise<void> {
    if (!this.open) return;
    this.open = false;
    if (durable) {
      await this.flush();
      await guard(this.path, () => this.handle.sync());
    }
    await this.handle.close();
  }

  private async flush(): Promise<void> {
    const text = this.pending;
    this.pending = '';
    // writeFile on a handle goes on from where the last one ended.
    if (text !== '') await guard(this.path, () => this.handle.writeFile(text));
  }
}

/** Runs a file operation; a failure names the file. */
export const guard = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw new MdetrError(`${path}: cannot be written (${fileReason(error)})`, { cause: error });
  }
};
