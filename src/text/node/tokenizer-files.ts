import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { readTextFile } from '../../files/json/json-file.ts';
import { parseJson } from '../../files/json/json-text.ts';
import { readTokenizerJson, readVocabAndMerges } from '../tokenizer/tokenizer-json.ts';
import { tokenizerOf, type Tokenizer, type TokenizerOptions } from '../tokenizer/tokenizer.ts';
import { packedDefinition } from './packed-tokenizer.ts';

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
    return loadTokenizerJson(path, options);
  const folder = found === 'file' ? dirname(path) : path;
  const tokenizerPath = join(folder, 'tokenizer.json');
  if (found === 'folder' && (await kindOf(tokenizerPath)) === 'file') return loadTokenizerJson(tokenizerPath, options);
  const vocabName = join(folder, 'vocab.json');
  const mergesName = join(folder, 'merges.txt');
  const missing: string[] = [];
  for (const name of [vocabName, mergesName]) if ((await kindOf(name)) !== 'file') missing.push(basename(name));
  if (missing.length > 0)
    throw new MdetrError(
      `${folder}: no tokenizer here: ${missing.join(' and ')} missing. ` +
        `Expected tokenizer.json, or vocab.json with merges.txt.`,
    );
  const [vocab, merges] = [await readTextFile(vocabName, MAX_BYTES), await readTextFile(mergesName, MAX_BYTES)];
  const names = { vocab: vocabName, merges: mergesName };
  return tokenizerOf(
    await packedDefinition([vocab, merges], () => readVocabAndMerges(parseJson(vocab, vocabName), merges, names)),
    options.maxTokens,
  );
};

const loadTokenizerJson = async (
  path: string,
  { maxTokens }: Pick<TokenizerOptions, 'maxTokens'>,
): Promise<Tokenizer> => {
  const text = await readTextFile(path, MAX_BYTES);
  return tokenizerOf(await packedDefinition([text], () => readTokenizerJson(parseJson(text, path), path)), maxTokens);
};

const kindOf = async (path: string): Promise<'file' | 'folder' | 'none'> => {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return 'none';
  }
};
