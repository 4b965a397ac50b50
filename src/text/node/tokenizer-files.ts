import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MdetrError, messageOf } from '../../errors.ts';
import {
  createTokenizer,
  createTokenizerFromVocab,
  type Tokenizer,
  type TokenizerOptions,
} from '../tokenizer/tokenizer.ts';

/** Larger than any published tokeniser file; a file beyond it is not one. */
const LARGEST_FILE = 64 * 1024 * 1024;

/**
 * Reads a tokeniser from a folder (`tokenizer.json`, or else `vocab.json` with `merges.txt`) or from one of these files.
 * Throws MdetrError that names the file and what is wrong with it.
 */
export const loadTokenizer = async (
  path: string,
  options: Pick<TokenizerOptions, 'maxTokens'> = {},
): Promise<Tokenizer> => {
  const found = await kindOf(path);
  if (found === 'none') throw new MdetrError(`${path}: there is no such file or folder, so no tokeniser.`);
  if (found === 'file' && !['vocab.json', 'merges.txt'].includes(basename(path)))
    return createTokenizer(await readJson(path), { ...options, where: path });
  const folder = found === 'file' ? dirname(path) : path;
  const tokenizerPath = join(folder, 'tokenizer.json');
  if (found === 'folder' && (await kindOf(tokenizerPath)) === 'file')
    return createTokenizer(await readJson(tokenizerPath), { ...options, where: tokenizerPath });
  const vocabName = join(folder, 'vocab.json');
  const mergesName = join(folder, 'merges.txt');
  const missing: string[] = [];
  for (const name of [vocabName, mergesName]) if ((await kindOf(name)) !== 'file') missing.push(basename(name));
  if (missing.length > 0)
    throw new MdetrError(
      `${folder}: no tokeniser here: ${missing.join(' and ')} missing. ` +
        `Wanted is tokenizer.json, or vocab.json together with merges.txt.`,
    );
  return createTokenizerFromVocab(await readJson(vocabName), await readText(mergesName), {
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

const readText = async (path: string): Promise<string> => {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) throw new MdetrError(`it has ${size} bytes; a tokeniser file has at most ${LARGEST_FILE}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read as a text file: ${messageOf(error)}.`, { cause: error });
  }
};

const readJson = async (path: string): Promise<unknown> => {
  const text = await readText(path);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MdetrError(`${path}: it is not JSON: ${messageOf(error)}.`, { cause: error });
  }
};
