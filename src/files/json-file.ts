import { readFileSync, statSync, type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { fileReason, MdetrError } from '../errors.ts';
import { parseJson } from './json-text.ts';
import { decodeText } from './text-encoding.ts';

/** Maximum size of a file that is read into memory as text, by default. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

/**
 * Reads a JSON file that people write or other programs made: UTF-8, with or without a byte order mark, no key twice.
 * @throws {MdetrError} naming the file and the reason if it cannot be read or is not JSON
 */
export const readJsonFile = async (path: string, maxBytes = MAX_TEXT_BYTES): Promise<unknown> =>
  parseJson(await readTextFile(path, maxBytes), path);

/** The same as `readJsonFile`, synchronous. */
export const readJsonFileSync = (path: string): unknown => parseJson(readTextFileSync(path), path);

/**
 * Reads a UTF-8 text file without its byte order mark.
 * @throws {MdetrError} naming the file and the reason if it cannot be read or is not UTF-8
 */
export const readTextFile = async (path: string, maxBytes = MAX_TEXT_BYTES): Promise<string> => {
  let bytes;
  try {
    assertReadable(await stat(path), maxBytes);
    bytes = await readFile(path);
  } catch (error) {
    throw readError(path, error);
  }
  return decodeText(bytes, path);
};

/** The same as `readTextFile`, synchronous. */
export const readTextFileSync = (path: string): string => {
  let bytes;
  try {
    assertReadable(statSync(path), MAX_TEXT_BYTES);
    bytes = readFileSync(path);
  } catch (error) {
    throw readError(path, error);
  }
  return decodeText(bytes, path);
};

const readError = (path: string, error: unknown): MdetrError =>
  new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });

/** Pipes and devices are refused, because reading them may never end. */
const assertReadable = (info: Stats, maxBytes: number): void => {
  if (info.isDirectory()) throw new MdetrError('it is a folder');
  if (!info.isFile()) throw new MdetrError('it is a pipe or device, not a file');
  if (info.size > maxBytes) throw new MdetrError(`it has ${info.size} bytes; such a file has at most ${maxBytes}`);
};
