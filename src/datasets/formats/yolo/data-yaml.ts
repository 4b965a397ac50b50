import { parseDocument } from 'yaml';
import { MdetrError } from '../../../errors.ts';
import { readTextFile } from '../../../files/json/json-file.ts';
import type { ImportSplit } from '../../import/importer.ts';
import { shortText } from '../field-numbers.ts';

/** Maximum size of a YAML file; those of datasets have a few lines. */
const MAX_BYTES = 4 * 2 ** 20;
/** Maximum number of classes. */
const MAX_CLASSES = 100_000;

/** Description of a dataset: class names, and where the images of each split are. */
export interface YoloDescription {
  /** Path of the file relative to the source. */
  readonly file: string;
  readonly names: ReadonlyMap<number, string>;
  /** Number of classes that the file states. */
  readonly classCount: number | undefined;
  /** Folder that the paths of splits are relative to, as written. */
  readonly path: string | undefined;
  /** Folders or lists of images, as written. */
  readonly splits: readonly { readonly split: ImportSplit; readonly paths: readonly string[] }[];
  /** Values of the key points behind each box; 0 for none. */
  readonly keyPointValues: number;
}

/** Whether a YAML file is called, or looks, like the description of a dataset. */
export const looksLikeDataYaml = (text: string, file: string): boolean =>
  /(^|\/)data\.ya?ml$/i.test(file) ||
  (/^\s*["']?names["']?\s*:/m.test(text) && /^\s*["']?(train|val|valid|test|path|nc)["']?\s*:/m.test(text));

/**
 * Reads `data.yaml`.
 * @param path path of the file
 * @param file the same relative to the source
 * @throws {MdetrError} naming file and line of malformed YAML, or the key that cannot be used
 */
export const readDataYaml = async (path: string, file: string): Promise<YoloDescription> => {
  const text = await readTextFile(path, MAX_BYTES);
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined)
    throw new MdetrError(
      `${path}: line ${error.linePos?.[0].line ?? 1}: malformed YAML: ${shortText(error.message.split('\n')[0]!)}`,
    );
  let content: unknown;
  try {
    // Aliases that multiply ("billion laughs") are rejected.
    content = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new MdetrError(`${path}: refused: its aliases expand to too much`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new MdetrError(`${path}: holds no keys; expected "names", "train" and "val"`);
  const values = content as Readonly<Record<string, unknown>>;
  const count = values['nc'];
  return {
    file,
    names: namesOf(values['names'], path),
    classCount: typeof count === 'number' ? count : undefined,
    path: textOf(values['path'], 'path', path),
    splits: (['train', 'val', 'test'] as const).flatMap((split) => {
      const value = values[split] ?? (split === 'val' ? (values['valid'] ?? values['validation']) : undefined);
      const paths = pathsOf(value, split, path);
      return paths.length > 0 ? [{ split, paths }] : [];
    }),
    keyPointValues: keyPointValuesOf(values['kpt_shape']),
  };
};

/** Reads `obj.data`: `key = value` lines with the paths of the lists. */
export const readObjData = async (path: string): Promise<ReadonlyMap<string, string>> => {
  const values = new Map<string, string>();
  for (const line of (await readTextFile(path, MAX_BYTES)).split(/\r\n|\n|\r/)) {
    const [, key, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key.toLowerCase(), value);
  }
  return values;
};

const namesOf = (value: unknown, path: string): Map<number, string> => {
  if (value === undefined || value === null) return new Map();
  if (typeof value === 'string') return new Map([[0, value]]);
  if (typeof value !== 'object')
    throw new MdetrError(`${path}: "names" is ${shortText(JSON.stringify(value))}, neither a list nor a map`);
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((name, i) => [i, name])
    : Object.entries(value);
  if (entries.length > MAX_CLASSES) throw new MdetrError(`${path}: "names" has more than ${MAX_CLASSES} classes`);
  return new Map(
    entries.map(([key, name]) => {
      const id = Number(key);
      if (!Number.isInteger(id) || id < 0)
        throw new MdetrError(`${path}: "names" has the key "${shortText(String(key))}", not a class number`);
      if (typeof name === 'object' && name !== null)
        throw new MdetrError(`${path}: "names" of class ${id} is not a string`);
      return [id, typeof name === 'string' ? name.trim() : name === null ? '' : JSON.stringify(name)];
    }),
  );
};

const textOf = (value: unknown, key: string, path: string): string | undefined => {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string')
    throw new MdetrError(`${path}: "${key}" is ${shortText(JSON.stringify(value))}, not a path`);
  return value;
};

const pathsOf = (value: unknown, key: string, path: string): string[] =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap((each) => textOf(each, key, path) ?? []);

const keyPointValuesOf = (shape: unknown): number =>
  Array.isArray(shape) && shape.length === 2 && shape.every((value) => Number.isInteger(value))
    ? (shape[0] as number) * (shape[1] as number)
    : 0;
