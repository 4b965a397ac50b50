import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { readJsonFile, readTextFile } from '../../files/json/json-file.ts';
import {
  createTokenizer,
  createTokenizerFromVocab,
  type Tokenizer,
  type TokenizerOptions,
} from '../tokenizer/tokenizer.ts';

/** Maximum size of a tokenizer file; published ones are smaller. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Reads a tokenizer from a folder (`tokenizer.json`, or else `vocab.json` with `merges.txt`) or from one of these files.
 *
 * @throws {MdetrError} naming the file and what is wrong with it
 */
export const loadTokenizer = async (
  path: string,
  options: Pick<TokenizerOptions, 'maxTokens'> = {},
): Promise<Tokenizer> => {
  const found = await kindOf(path);
  if (found === 'none') throw new MdetrError(`${path}: no such file or folder: the tokenizer cannot be read.`);
  if (found === 'file' && !['vocab.json', 'merges.txt'].includes(basename(path)))
    return createTokenizer(await readJsonFile(path, MAX_BYTES), { ...options, where: path });
  const folder = found === 'file' ? dirname(path) : path;
  const tokenizerPath = join(folder, 'tokenizer.json');
  if (found === 'folder' && (await kindOf(tokenizerPath)) === 'file')
    return createTokenizer(await readJsonFile(tokenizerPath, MAX_BYTES), { ...options, where: tokenizerPath });
  const vocabName = join(folder, 'vocab.json');
  const mergesName = join(folder, 'merges.txt');
  const missing: string[] = [];
  for (const name of [vocabName, mergesName]) if ((await kindOf(name)) !== 'file') missing.push(basename(name));
  if (missing.length > 0)
    throw new MdetrError(
      `${folder}: no tokenizer here: ${missing.join(' and ')} missing. ` +
        `Expected tokenizer.json, or vocab.json with merges.txt.`,
    );
  return createTokenizerFromVocab(await readJsonFile(vocabName, MAX_BYTES), await readTextFile(mergesName, MAX_BYTES), {
    ...options,
    vocabName,
    mergesName,
  });
};

const kindOf = async (path: string): Promise<'file' | 'folder' | 'none'> => {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'none';
  }
};
