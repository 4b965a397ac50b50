import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { writeSafetensors, type TensorSource } from '../../checkpoints/index.ts';
import { replaceFolder } from '../../files/replace-folder.ts';
import { MODEL_VERSION, MODEL_VERSION_KEY } from '../format-version.ts';
import { MODEL_FILE_NAMES, TOKENIZER_FILE_NAMES } from '../layout.ts';
import { preprocessingJson, type Preprocessing } from '../preprocessing.ts';
import { quantizationJson, type Quantization } from '../quantization.ts';
import { readInput } from '../../files/input-file.ts';

/** Contents of a model folder. */
export interface ModelFolderContents {
  /** Official argument names. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Iterable<TensorSource>;
  readonly preprocessing: Preprocessing;
  /** Paths of the vocabulary files, which keep their names. */
  readonly tokenizerFiles: readonly string[];
  /** Path of GQA's table of answers, for models that need one. */
  readonly answers?: string | undefined;
  /** Path of the record of the words of its training. */
  readonly words?: string | undefined;
  /** Ranges of the activations, if they were measured. */
  readonly quantization?: Quantization | undefined;
  /** The model card, in Markdown. */
  readonly card: string;
}

/** Names of files that a model folder may contain to be replaced. */
const ownFileNames = new Set<string>([...Object.values(MODEL_FILE_NAMES), ...TOKENIZER_FILE_NAMES.flat()]);

/**
 * Writes a model folder, tensor by tensor, completely (by one rename) or not at all. With `force`, an older model folder is
 * replaced, but never one that contains other files.
 *
 * @throws {UsageError} if the folder exists and may not be replaced
 */
export const writeModelFolder = (
  folder: string,
  contents: ModelFolderContents,
  { force = false }: { readonly force?: boolean } = {},
): Promise<void> =>
  replaceFolder(folder, (unfinished) => fill(unfinished, contents), {
    what: 'model folder',
    isOwn: (name) => ownFileNames.has(name),
    force,
  });

const fill = async (folder: string, contents: ModelFolderContents): Promise<void> => {
  const { config, tensors, preprocessing, tokenizerFiles, answers, words, quantization, card } = contents;
  const writeJson = (name: string, value: unknown): Promise<void> =>
    writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  await writeJson(MODEL_FILE_NAMES.config, { ...config, [MODEL_VERSION_KEY]: MODEL_VERSION });
  await writeJson(MODEL_FILE_NAMES.preprocessing, preprocessingJson(preprocessing));
  for (const path of tokenizerFiles) await copyContents(path, join(folder, basename(path)));
  if (words !== undefined) await copyContents(words, join(folder, MODEL_FILE_NAMES.words));
  if (answers !== undefined) await copyContents(answers, join(folder, MODEL_FILE_NAMES.answers));
  if (quantization !== undefined) await writeJson(MODEL_FILE_NAMES.quantization, quantizationJson(quantization));
  await writeFile(join(folder, MODEL_FILE_NAMES.card), card);
  await writeSafetensors(join(folder, MODEL_FILE_NAMES.weights), tensors, { format: 'pt' });
};

/** A copy that belongs to the folder: without the original's permissions, which may be read-only. */
const copyContents = async (from: string, to: string): Promise<void> => writeFile(to, await readInput(from));
