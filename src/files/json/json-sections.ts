import { GrowingFile } from '../growing-file.ts';
import { removeAbandoned } from '../temporary-path.ts';

/**
 * Writer of a JSON file that is one object with long arrays. Entries are appended in constant memory: the arrays grow
 * side by side in temporary files and are joined by `finish`, which gives the file its name.
 */
export class JsonSections {
  private readonly parts = new Map<string, GrowingFile>();
  private joined: GrowingFile | undefined;

  private constructor(private readonly path: string) {}

  /**
   * Creates the temporary files.
   * @param arrays keys of the arrays
   * @throws {MdetrError} if a file cannot be created
   */
  static async create(path: string, arrays: readonly string[]): Promise<JsonSections> {
    const file = new JsonSections(path);
    await removeAbandoned(path);
    for (const name of arrays) file.parts.set(name, await GrowingFile.create(path, `${path}.${name}`));
    return file;
  }

  /** Appends an entry to an array. */
  async append(array: string, entry: unknown): Promise<void> {
    const part = this.parts.get(array);
    if (part === undefined) throw new Error(`internal: ${this.path} has no array "${array}"`);
    await part.writeEntry(entry);
  }

  /**
   * Joins the arrays, writes the file and renames it to its final path.
   * @param layout members of the object in order; the value of an array's key is ignored
   */
  async finish(layout: Readonly<Record<string, unknown>>): Promise<void> {
    const joined = (this.joined = await GrowingFile.create(this.path));
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
    await joined.finish('}\n');
    await this.discard();
  }

  /** Removes the temporary files. Does nothing after `finish`. */
  async discard(): Promise<void> {
    for (const part of [...this.parts.values(), this.joined]) await part?.discard();
  }
}
