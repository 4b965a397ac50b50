import { MdetrError } from '../../errors.ts';
import { fileHeadBytes } from './file-head.ts';
import { readJsonDictionary, readJsonKeys, readJsonList } from '../source/json-entries.ts';
import { parsePythonJson } from '../../data/annotation-index/python-json.ts';

/** Number of keys that an outline has at most. */
const MAX_KEYS = 64;
/** Bytes at the beginning of a file that decide whether it is one object, a list, or JSON Lines. */
const HEAD_BYTES = 1024 * 1024;

/** The beginning of a JSON file. */
export interface JsonOutline {
  /** An object, a list, or one object per line. */
  readonly kind: 'object' | 'list' | 'lines';
  /** The first keys of the object, or of the first entry of the list or line. */
  readonly keys: ReadonlySet<string>;
  /** The first entry of the list, the object of the first line, or the value of the object's first key. */
  readonly first: unknown;
}

/** Outlines of JSON files by path, each read once. Files that cannot be read have none, and are remembered. */
export class JsonOutlines {
  private readonly known = new Map<string, JsonOutline | undefined>();
  /** Why files could not be read, by path. */
  readonly errors = new Map<string, MdetrError>();

  of(path: string): JsonOutline | undefined {
    if (this.known.has(path)) return this.known.get(path);
    let outline: JsonOutline | undefined;
    try {
      outline = outlineOf(path);
    } catch (error) {
      if (!(error instanceof MdetrError)) throw error;
      this.errors.set(path, error);
    }
    this.known.set(path, outline);
    return outline;
  }
}

const outlineOf = (path: string): JsonOutline | undefined => {
  const head = headOf(path);
  const start = head.trimStart();
  if (/\.(jsonl|ndjson|jsonlines)$/i.test(path) || isLines(start)) return linesOutline(start, path);
  if (start.startsWith('[')) {
    for (const { value } of readJsonList(path)) return { kind: 'list', keys: keysOf(value), first: value };
    return { kind: 'list', keys: new Set(), first: undefined };
  }
  const keys = new Set<string>();
  for (const key of readJsonKeys(path)) if (keys.add(key).size === MAX_KEYS) break;
  return { kind: 'object', keys, first: firstValue(path, start) };
};

/** Value of the first key, if the beginning of the file shows that it is an object. */
const firstValue = (path: string, start: string): unknown => {
  if (!/^\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{/.test(start)) return undefined;
  for (const { value } of readJsonDictionary(path)) return value;
  return undefined;
};

/** Whether text is several JSON objects, one on each line. */
const isLines = (start: string): boolean => {
  const [first = '', second = ''] = start.split(/\r?\n/, 2);
  if (!first.startsWith('{') || !second.startsWith('{')) return false;
  return parsed(first) !== undefined;
};

const linesOutline = (start: string, path: string): JsonOutline => {
  // A line that is not JSON is an entry that cannot be used; the others still show the format.
  const value = start
    .split(/\r?\n/)
    .map((line) => parsed(line.trim()))
    .find((each) => each !== undefined);
  if (value === undefined) throw new MdetrError(`${path}: line 1: is not JSON`);
  return { kind: 'lines', keys: keysOf(value), first: value };
};

const parsed = (line: string): unknown => {
  try {
    return parsePythonJson(line);
  } catch {
    return undefined;
  }
};

const keysOf = (value: unknown): Set<string> =>
  new Set(typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []);

const headOf = (path: string): string => {
  const bytes = fileHeadBytes(path, HEAD_BYTES);
  try {
    // A character that is cut at the end of the head is no error.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch (error) {
    throw new MdetrError(`${path}: is not UTF-8 text; save it as UTF-8`, { cause: error });
  }
};
