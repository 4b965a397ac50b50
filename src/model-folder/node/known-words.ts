import { join } from 'node:path';
import * as z from 'zod';
import { MdetrError } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import { readJsonFile, readTextFile } from '../../files/json/json-file.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';
import { isFile } from './model-files.ts';

/** Words of the captions that a model was trained on. */
export interface WordRecord {
  /** All words of all trainings that are recorded, sorted. */
  readonly words: readonly string[];
  /** Words that were new to the model in its last training, sorted. */
  readonly learned: readonly string[];
}

const recordSchema = z.object({
  words: z.array(z.string()).max(1_000_000),
  learned: z.array(z.string()).max(1_000_000),
});

const wordLevelSchema = z.object({
  model: z.object({ type: z.literal('WordLevel'), vocab: z.record(z.string(), z.number()) }),
});

/** Part of a word-level `tokenizer.json`. */
export interface WordLevelFile {
  readonly model: { readonly type: 'WordLevel'; readonly vocab: Readonly<Record<string, number>> };
}

/**
 * Record of a model folder's words, from its `words.json`; undefined without one.
 *
 * @throws {MdetrError} if the file is not a record
 */
export const readWordRecord = async (folder: string): Promise<WordRecord | undefined> => {
  const path = join(folder, MODEL_FILE_NAMES.words);
  if (!(await isFile(path))) return undefined;
  const parsed = recordSchema.safeParse(await readJsonFile(path));
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new MdetrError(`${path}: ${field}: ${message}; delete the file to use the model without it`);
};

/** Path of the `tokenizer.json` of a folder; the path itself if it is that of a JSON file. */
export const tokenizerJsonPath = (path: string): string =>
  path.endsWith('.json') ? path : join(path, 'tokenizer.json');

/** The `tokenizer.json` of a folder, if it is word-level; undefined for other vocabularies. */
export const readWordLevelFile = async (folder: string): Promise<WordLevelFile | undefined> => {
  const path = tokenizerJsonPath(folder);
  if (!(await isFile(path))) return undefined;
  const json = await readJsonFile(path);
  return wordLevelSchema.safeParse(json).success ? (json as WordLevelFile) : undefined;
};

/**
 * Words that a model has seen in training: those of its record, or else of its word-level vocabulary, which has no others.
 * Undefined for models without a record, such as official checkpoints.
 */
export const knownWords = async (folder: string): Promise<ReadonlySet<string> | undefined> => {
  const record = await readWordRecord(folder);
  if (record !== undefined) return new Set(record.words);
  const file = await readWordLevelFile(folder);
  return file === undefined ? undefined : new Set(Object.keys(file.model.vocab));
};

/** Words that a model has seen in training, for models that read other words too; undefined without a record. */
export const recordedWords = async (folder: string): Promise<ReadonlySet<string> | undefined> => {
  const record = await readWordRecord(folder);
  return record === undefined || (await isWordLevel(tokenizerJsonPath(folder))) ? undefined : new Set(record.words);
};

/** Whether a `tokenizer.json` has one token for each word. Its contents are checked by the reader of the tokenizer. */
const isWordLevel = async (path: string): Promise<boolean> => {
  if (!(await isFile(path))) return false;
  const text = await readTextFile(path);
  try {
    return (JSON.parse(text) as { readonly model?: { readonly type?: unknown } }).model?.type === 'WordLevel';
  } catch {
    return false;
  }
};
