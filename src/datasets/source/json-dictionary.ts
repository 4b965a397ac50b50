import { quoted } from '../../errors.ts';
import { readJsonDictionary, type JsonReadOptions } from './json-entries.ts';
import { JsonRanges } from './json-ranges.ts';

/** Random access to a JSON file that is one object, of any size. Only the byte range of each entry is kept in memory. */
export class JsonDictionary {
  readonly path: string;
  private readonly rangeOf = new Map<string, readonly [begin: number, end: number]>();
  private readonly ranges: JsonRanges;

  /** Scans the file once. Call `close` when done. */
  constructor(path: string, options: JsonReadOptions = {}) {
    this.path = path;
    for (const { key, begin, end } of readJsonDictionary(path, options)) this.rangeOf.set(key, [begin, end]);
    this.ranges = new JsonRanges(path);
  }

  /** Value of a key, and its location (file and key) for messages. */
  get(key: string): { readonly value: unknown; readonly location: string } | undefined {
    const range = this.rangeOf.get(key);
    return range && { value: this.ranges.value(...range), location: `${this.path} [${quoted(key)}]` };
  }

  close(): void {
    this.ranges.close();
  }
}
