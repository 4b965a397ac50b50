import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { makeFolder } from '../../files/make-folder.ts';
import {
  knownWords,
  readWordLevelFile,
  readWordRecord,
  type WordLevelFile,
  type WordRecord,
} from '../../model-folder/node/known-words.ts';
import { resolveModelPath } from '../../model-folder/node/model-files.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { STATE_FILE, WORDS_FOLDER } from '../run/run-folder.ts';
import { findVocabulary } from '../run/run-start.ts';
import type { Stage } from '../run/stages.ts';
import { wordsOfTraining } from './dataset-words.ts';
import type { ModelConfig } from '../../models/index.ts';
import type { RunConfig } from '../config/run-settings.ts';

/** Words of a run. */
export interface RunWords {
  /** The training stages with the vocabulary of the run. */
  readonly stages: readonly Stage[];
  /** Writes record and vocabulary into the folder of a stage, before it starts. */
  write(config: RunConfig): Promise<void>;
}

/** Maximum number of words that a note lists. */
const LISTED = 20;

/**
 * Prepares the words of a run: notes which words of the captions the model has never seen, records all for the model folder,
 * and gives new words rows of their own in a word-level vocabulary, in which they would be one unknown word. Nothing is written yet.
 */
export const withWords = async (
  stages: readonly Stage[],
  { resume, onNote }: { readonly resume: boolean; readonly onNote: (text: string) => void },
): Promise<RunWords> => {
  const first = stages[0]!.config;
  // The run refuses to write into the folder of another one, so nothing of it is replaced here.
  if (!resume && stages.some(({ config }) => existsSync(join(config.output_dir, STATE_FILE)))) return unchanged(stages);
  let words: readonly string[];
  let known: WordRecord | undefined;
  let seen: ReadonlySet<string> | undefined;
  let vocabulary: string;
  try {
    words = [...new Set(stages.flatMap(({ config }) => wordsOfTraining(config)))].sort();
    vocabulary = await findVocabulary(first);
    const base = first.load === '' ? undefined : await resolveModelPath(first.load);
    known = base === undefined ? undefined : await readWordRecord(base);
    seen = base === undefined ? undefined : await knownWords(base);
  } catch (error) {
    // The run itself reports data and vocabularies that cannot be read.
    if (error instanceof MdetrError) return unchanged(stages);
    throw error;
  }
  const learned = seen === undefined ? [] : words.filter((word) => !seen.has(word));
  if (learned.length > 0) onNote(noteOf(learned));
  const record: WordRecord = { words: [...new Set([...(known?.words ?? seen ?? []), ...words])].sort(), learned };
  const complete = await completeVocabulary(vocabulary, words);
  const folderOf = (config: RunConfig): string => join(config.output_dir, WORDS_FOLDER);
  return {
    stages: stages.map(({ name, config }) => {
      if (complete === undefined) return { name, config };
      const grown = withRows(config, complete.size);
      return { name, config: complete.added === 0 ? grown : { ...grown, tokenizer: folderOf(config) } };
    }),
    write: async (config) => {
      const folder = folderOf(config);
      await makeFolder(folder);
      await replaceFile(join(folder, MODEL_FILE_NAMES.words), `${JSON.stringify(record)}\n`);
      if (complete !== undefined && complete.added > 0)
        await replaceFile(join(folder, 'tokenizer.json'), `${JSON.stringify(complete.file, undefined, 2)}\n`);
    },
  };
};

const unchanged = (stages: readonly Stage[]): RunWords => ({ stages, write: () => Promise.resolve() });

/** The config with a text encoder of at least that many words. */
const withRows = <T extends ModelConfig>(config: T, words: number): T => {
  const { text_encoder: encoder } = config;
  if (encoder === undefined || encoder.vocab_size >= words) return config;
  return { ...config, text_encoder: { ...encoder, vocab_size: words } };
};

const noteOf = (learned: readonly string[]): string => {
  const listed = learned.slice(0, LISTED).join(', ');
  const more = learned.length > LISTED ? `, and ${learned.length - LISTED} more` : '';
  return learned.length === 1
    ? `a word of the captions is new to the model and will be learned: ${listed}`
    : `${learned.length} words of the captions are new to the model and will be learned: ${listed}${more}`;
};

/** A word-level vocabulary with the words that it lacks; undefined for other kinds of vocabularies. */
const completeVocabulary = async (
  folder: string,
  words: readonly string[],
): Promise<{ readonly file: WordLevelFile; readonly added: number; readonly size: number } | undefined> => {
  const file = await readWordLevelFile(folder);
  if (file === undefined) return undefined;
  const { vocab } = file.model;
  const missing = words.filter((word) => !Object.hasOwn(vocab, word));
  const next = Math.max(...Object.values(vocab)) + 1;
  const rows = Object.fromEntries(missing.map((word, index) => [word, next + index]));
  return {
    file: { ...file, model: { ...file.model, vocab: { ...vocab, ...rows } } },
    added: missing.length,
    size: next + missing.length,
  };
};
