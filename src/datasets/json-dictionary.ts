import { readJsonDictionary, type JsonReadOptions } from './json-entries.ts';
import { JsonRanges } from './json-ranges.ts';

/** A JSON file that is one dictionary, of any size: only where each entry stands is held in memory. */
export class JsonDictionary {
  readonly path: string;
  private readonly places = new Map<string, readonly [begin: number, end: number]>();
  private readonly ranges: JsonRanges;

  /** Reads through the file once. `close` it afterwards. */
  constructor(path: string, options: JsonReadOptions = {}) {
    this.path = path;
    for (const { key, begin, end } of readJsonDictionary(path, options)) this.places.set(key, [begin, end]);
    this.ranges = new JsonRanges(path);
  }

  /** The entry's value, and file and key for messages. */
  get(key: string): { readonly value: unknown; readonly place: string } | undefined {
    const range = this.places.get(key);
    return range && { value: this.ranges.value(...range), place: `${this.path} [${JSON.stringify(key)}]` };
  }

  close(): void {
    this.ranges.close();
  }
}
