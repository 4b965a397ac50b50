import { join } from 'node:path';
import { replaceFile } from '../../files/atomic-file.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';
import { parseQuantization, quantizationJson, type Quantization } from '../quantization.ts';
import { isFile } from './model-files.ts';

/**
 * The ranges in a model folder; undefined for a weight file, and for a folder without them.
 *
 * @throws {MdetrError} if the file is broken
 */
export const readQuantization = async (folder: string): Promise<Quantization | undefined> => {
  const path = join(folder, MODEL_FILE_NAMES.quantization);
  return (await isFile(path)) ? parseQuantization(await readJsonFile(path), path) : undefined;
};

/** Writes the ranges into a model folder and returns the path of the file. */
export const writeQuantization = async (folder: string, quantization: Quantization): Promise<string> => {
  const path = join(folder, MODEL_FILE_NAMES.quantization);
  const json = quantizationJson(quantization);
  parseQuantization(json, path);
  await replaceFile(path, `${JSON.stringify(json, undefined, 2)}\n`);
  return path;
};
