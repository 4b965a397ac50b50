import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { fileReason, MdetrError } from '../../errors.ts';
import { openInput, openInputSync } from '../input-file.ts';
import { parseJson } from './json-text.ts';
import { decodeForeignText, decodeText } from '../text-encoding.ts';

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
  const file = await openInput(path);
  try {
    assertSize(path, (await file.stat()).size, maxBytes);
    return decodeText(await file.readFile(), path);
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file.close();
  }
};

/**
 * Reads a text file of another program: UTF-8, or the encoding that an XML declaration names.
 * @throws {MdetrError} naming the file and the reason if it cannot be read or decoded
 */
export const readForeignTextFile = async (path: string): Promise<string> => {
  const file = await openInput(path);
  try {
    assertSize(path, (await file.stat()).size, MAX_TEXT_BYTES);
    return decodeForeignText(await file.readFile(), path);
  } catch (error) {
    throw readError(path, error);
  } finally {
    await file.close();
  }
};

/** The same as `readTextFile`, synchronous. */
export const readTextFileSync = (path: string): string => {
  const fd = openInputSync(path);
  try {
    assertSize(path, fstatSync(fd).size, MAX_TEXT_BYTES);
    return decodeText(readFileSync(fd), path);
  } catch (error) {
    throw readError(path, error);
  } finally {
    closeSync(fd);
  }
};

const readError = (path: string, error: unknown): unknown =>
  error instanceof MdetrError
    ? error
    : new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });

const assertSize = (path: string, bytes: number, maxBytes: number): void => {
  if (bytes > maxBytes) throw new MdetrError(`${path}: has ${bytes} bytes; such a file has at most ${maxBytes}`);
};
