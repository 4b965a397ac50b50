import { closeSync, fstatSync } from 'node:fs';
import { MdetrError, quoted } from '../../errors.ts';
import { openInputSync } from '../../files/input-file.ts';
import { ByteWindow } from '../../data/annotation-index/byte-window.ts';
import { JsonScanError, JsonScanner } from '../../data/annotation-index/json-scanner.ts';
import { parsePythonJson } from '../../data/annotation-index/python-json.ts';

/** Options of reading entries of a large JSON file. */
export interface JsonReadOptions {
  /** Called after every chunk read. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  /** Bytes per read. Default 1 MiB. */
  readonly chunkBytes?: number;
}

/** One entry of a list or object in a file. */
export interface JsonEntry {
  /** Location in the file, for messages: `images[17]`, `[17]`, `["2375429"]`. */
  readonly location: string;
  readonly value: unknown;
  /** Byte range [begin, end) of the entry's text in the file. */
  readonly begin: number;
  readonly end: number;
}

/** An entry of a list, with its location for messages. */
export interface ListEntry<Name extends string> extends JsonEntry {
  /** Key of the list that contains the entry. */
  readonly list: Name;
}

/** An entry of an object, with its key and location for messages. */
export interface DictionaryEntry extends JsonEntry {
  readonly key: string;
  /** Byte offset of the key's opening quote. */
  readonly keyBegin: number;
}

const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/**
 * Iterates over the entries of selected lists of a JSON file that is one object (COCO, LVIS), in file order. Works for
 * files of any size: one entry at a time is in memory, other members are skipped.
 * @throws {MdetrError} naming file and byte where the JSON is malformed, or the lists that are missing
 */
export const readJsonLists = function* <Name extends string>(
  path: string,
  lists: readonly Name[],
  options: JsonReadOptions = {},
): Generator<ListEntry<Name>> {
  const missing = new Set<string>(lists);
  const keys = new UniqueKeys();
  yield* scanned(path, options, function* (scanner) {
    scanner.expect('{', `an object with ${lists.map((list) => `"${list}"`).join(', ')}`);
    if (!scanner.accept('}')) {
      do {
        const key = keys.read(scanner);
        scanner.expect(':', '":" after a key');
        if (missing.delete(key)) {
          const list = key as Name;
          for (const entry of listEntries(scanner, list)) yield { list, ...entry };
        } else scanner.skipValue();
      } while (scanner.accept(','));
      scanner.expect('}', '"," or "}"');
    }
    scanner.expectEnd();
  });
  if (missing.size > 0)
    throw new MdetrError(`${path}: has no list ${listed(missing)}; is it a different file with the same name?`);
};

/**
 * Reads selected members of a JSON file that is one object; missing ones are not in the result. Meant for small members
 * beside long lists, which are skipped.
 * @throws {MdetrError} naming file and byte where the JSON is malformed
 */
export const readJsonMembers = (
  path: string,
  names: readonly string[],
  options: JsonReadOptions = {},
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    scanned(path, options, function* (scanner): Generator<[string, unknown]> {
      const keys = new UniqueKeys();
      scanner.expect('{', 'an object');
      if (!scanner.accept('}')) {
        do {
          const key = keys.read(scanner);
          scanner.expect(':', '":" after a key');
          if (names.includes(key)) yield [key, parsedValue(scanner).value];
          else scanner.skipValue();
        } while (scanner.accept(','));
        scanner.expect('}', '"," or "}"');
      }
      scanner.expectEnd();
    }),
  );

/**
 * Iterates over the keys of a JSON file that is one object, in file order; values are skipped. Stop the iteration early to
 * read only the beginning of the file.
 * @throws {MdetrError} naming file and byte where the JSON is malformed
 */
export const readJsonKeys = (path: string, options: JsonReadOptions = {}): Generator<string> =>
  scanned(path, options, function* (scanner) {
    scanner.expect('{', 'an object');
    if (!scanner.accept('}')) {
      do {
        yield scanner.readString();
        scanner.expect(':', '":" after a key');
        scanner.skipValue();
      } while (scanner.accept(','));
      scanner.expect('}', '"," or "}"');
    }
    scanner.expectEnd();
  });

/** Iterates over the entries of a JSON file that is one list (PhraseCut, Visual Genome), like `readJsonLists`. */
export const readJsonList = (path: string, options: JsonReadOptions = {}): Generator<JsonEntry> =>
  scanned(path, options, function* (scanner) {
    yield* listEntries(scanner, '');
    scanner.expectEnd();
  });

/** Iterates over the members of a JSON file that is one object (GQA's questions and scene graphs), like `readJsonLists`. */
export const readJsonDictionary = (path: string, options: JsonReadOptions = {}): Generator<DictionaryEntry> =>
  scanned(path, options, function* (scanner) {
    const keys = new UniqueKeys();
    scanner.expect('{', 'an object with an entry per key');
    if (!scanner.accept('}')) {
      do {
        scanner.peek();
        const keyBegin = scanner.offset;
        const key = keys.read(scanner);
        scanner.expect(':', '":" after a key');
        yield { key, keyBegin, location: `[${quoted(key)}]`, ...parsedValue(scanner) };
      } while (scanner.accept(','));
      scanner.expect('}', '"," or "}"');
    }
    scanner.expectEnd();
  });

/** Reads the keys of one object, none of which may occur twice. */
class UniqueKeys {
  private readonly known = new Set<string>();

  read(scanner: JsonScanner): string {
    scanner.peek();
    const { offset } = scanner;
    const key = scanner.readString();
    if (this.known.has(key)) throw new JsonScanError(offset, `the key ${quoted(key)} occurs twice`);
    this.known.add(key);
    return key;
  }
}

const ENTRIES_PER_PAUSE = 2048;

/**
 * Iterates over the same entries and yields to the event loop now and then, so that a pass over gigabytes still handles
 * signals. Not needed by loops that await a write per entry.
 */
export const withPauses = async function* <Entry>(entries: Iterable<Entry>): AsyncGenerator<Entry> {
  let count = 0;
  for (const entry of entries) {
    if (++count % ENTRIES_PER_PAUSE === 0) await new Promise((resolve) => setImmediate(resolve));
    yield entry;
  }
};

const listEntries = function* (scanner: JsonScanner, name: string): Generator<JsonEntry> {
  scanner.expect('[', 'a list');
  if (scanner.accept(']')) return;
  let index = 0;
  do yield { location: `${name}[${index++}]`, ...parsedValue(scanner) };
  while (scanner.accept(','));
  scanner.expect(']', '"," or "]"');
};

const parsedValue = (scanner: JsonScanner): Pick<JsonEntry, 'value' | 'begin' | 'end'> => {
  scanner.peek();
  const begin = scanner.offset;
  const text = scanner.readValue();
  try {
    return { value: parsePythonJson(text), begin, end: scanner.offset };
  } catch (error) {
    throw new JsonScanError(begin, `the value here is not valid JSON (${(error as Error).message})`);
  }
};

/** Opens the file, passes a scanner to `walk`, and closes the file however the iteration ends. */
const scanned = function* <Entry>(
  path: string,
  { onProgress, chunkBytes = DEFAULT_CHUNK_BYTES }: JsonReadOptions,
  walk: (scanner: JsonScanner) => Generator<Entry>,
): Generator<Entry> {
  const fd = openInputSync(path);
  try {
    const { size } = fstatSync(fd);
    const scanner = new JsonScanner(new ByteWindow(fd, chunkBytes, (done) => onProgress?.(done, size)));
    scanner.skipByteOrderMark();
    yield* walk(scanner);
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    throw new MdetrError(
      `${path}: byte ${error.offset}: ${error.message}; if the file is truncated, download it again`,
      {
        cause: error,
      },
    );
  } finally {
    closeSync(fd);
  }
};

const listed = (names: Iterable<string>): string => [...names].map(quoted).join(', ');
