import { closeSync, fstatSync, openSync } from 'node:fs';
import { fileReason, MdetrError } from '../errors.ts';
import { ByteWindow } from '../data/annotation-index/byte-window.ts';
import { JsonScanError, JsonScanner } from '../data/annotation-index/json-scanner.ts';
import { parsePythonJson } from '../data/annotation-index/python-json.ts';

export interface JsonReadOptions {
  /** Called after every piece read. */
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  /** How much is read at a time. */
  readonly chunkBytes?: number;
}

/** One entry of a list or dictionary in a file. */
export interface JsonEntry {
  /** `images[17]`, `[17]`, `["2375429"]`: for messages. */
  readonly place: string;
  readonly value: unknown;
  /** Where its text is: bytes [begin, end) of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface ListEntry<Name extends string> extends JsonEntry {
  /** Which list it is in. */
  readonly list: Name;
}

export interface DictionaryEntry extends JsonEntry {
  readonly key: string;
  /** Where its key begins, in bytes of the file. */
  readonly keyBegin: number;
}

const DEFAULT_CHUNK_BYTES = 1024 * 1024;

/**
 * The entries of chosen lists of a JSON file that is one object (COCO, LVIS), in the order of the file, whatever its
 * size: one entry at a time is in memory. Other members are stepped over.
 * @throws MdetrError naming file and byte where the text is not such JSON, or a list is missing
 */
export const readJsonLists = function* <Name extends string>(
  path: string,
  lists: readonly Name[],
  options: JsonReadOptions = {},
): Generator<ListEntry<Name>> {
  const missing = new Set<string>(lists);
  yield* scanned(path, options, function* (scanner) {
    scanner.expect('{', `an object with ${lists.map((list) => `"${list}"`).join(', ')}`);
    if (!scanner.accept('}')) {
      do {
        const key = scanner.readString();
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
    throw new MdetrError(`${path}: has no list ${quoted(missing)}: is it another file of the same name?`);
};

/**
 * Whole members of a JSON file that is one object, by name; those that are missing are not in the result. For small
 * members beside long lists, which are stepped over.
 */
export const readJsonMembers = (
  path: string,
  names: readonly string[],
  options: JsonReadOptions = {},
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    scanned(path, options, function* (scanner): Generator<[string, unknown]> {
      scanner.expect('{', 'an object');
      if (!scanner.accept('}')) {
        do {
          const key = scanner.readString();
          scanner.expect(':', '":" after a key');
          if (names.includes(key)) yield [key, parsedValue(scanner).value];
          else scanner.skipValue();
        } while (scanner.accept(','));
        scanner.expect('}', '"," or "}"');
      }
      scanner.expectEnd();
    }),
  );

/** The entries of a JSON file that is one list (PhraseCut, Visual Genome), as `readJsonLists` does. */
export const readJsonList = (path: string, options: JsonReadOptions = {}): Generator<JsonEntry> =>
  scanned(path, options, function* (scanner) {
    yield* listEntries(scanner, '');
    scanner.expectEnd();
  });

/** The entries of a JSON file that is one dictionary (GQA's questions and scene graphs), as `readJsonLists` does. */
export const readJsonDictionary = (path: string, options: JsonReadOptions = {}): Generator<DictionaryEntry> =>
  scanned(path, options, function* (scanner) {
    scanner.expect('{', 'an object with an entry per key');
    if (!scanner.accept('}')) {
      do {
        scanner.peek();
        const keyBegin = scanner.offset;
        const key = scanner.readString();
        scanner.expect(':', '":" after a key');
        yield { key, keyBegin, place: `[${JSON.stringify(key)}]`, ...parsedValue(scanner) };
      } while (scanner.accept(','));
      scanner.expect('}', '"," or "}"');
    }
    scanner.expectEnd();
  });

const ENTRIES_PER_TURN = 2048;

/**
 * The same entries, with a turn of the event loop now and then, so that a pass over gigabytes still hears signals.
 * Whoever waits for a file to be written between entries does not need it.
 */
export const withPauses = async function* <Entry>(entries: Iterable<Entry>): AsyncGenerator<Entry> {
  let count = 0;
  for (const entry of entries) {
    if (++count % ENTRIES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    yield entry;
  }
};

const listEntries = function* (scanner: JsonScanner, name: string): Generator<JsonEntry> {
  scanner.expect('[', 'a list');
  if (scanner.accept(']')) return;
  let place = 0;
  do yield { place: `${name}[${place++}]`, ...parsedValue(scanner) };
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
    throw new JsonScanError(begin, `what begins here is not JSON (${(error as Error).message})`);
  }
};

/** Opens the file, hands a scanner at its beginning to `walk`, and closes it however the walk ends. */
const scanned = function* <Entry>(
  path: string,
  { onProgress, chunkBytes = DEFAULT_CHUNK_BYTES }: JsonReadOptions,
  walk: (scanner: JsonScanner) => Generator<Entry>,
): Generator<Entry> {
  const fd = openForReading(path);
  try {
    const { size } = fstatSync(fd);
    const scanner = new JsonScanner(new ByteWindow(fd, chunkBytes, (done) => onProgress?.(done, size)));
    scanner.skipByteOrderMark();
    yield* walk(scanner);
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    throw new MdetrError(`${path}: byte ${error.offset}: ${error.message}; if the file is cut off, fetch it again`, {
      cause: error,
    });
  } finally {
    closeSync(fd);
  }
};

const openForReading = (path: string): number => {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  }
};

const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ');
