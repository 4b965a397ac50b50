import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { writeSafetensors, type TensorSource } from '../../checkpoints/index.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { isAbandoned, removeAbandoned, temporaryPath } from '../../files/temporary-path.ts';
import { MODEL_FILE_NAMES, TOKENIZER_FILE_NAMES } from '../layout.ts';
import { preprocessingJson, type Preprocessing } from '../preprocessing.ts';
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
export const writeModelFolder = async (
  folder: string,
  contents: ModelFolderContents,
  { force = false }: { readonly force?: boolean } = {},
): Promise<void> => {
  const target = resolve(folder);
  const beside = join(dirname(target), `.${basename(target)}`);
  await removeAbandoned(beside);
  await restoreOld(target, beside);
  const isOld = await checkTarget(folder, force);
  const unfinished = temporaryPath(beside);
  try {
    await mkdir(unfinished);
    await fill(unfinished, contents);
    const old = unfinished.replace(/\.tmp$/, OLD_ENDING);
    if (isOld) await rename(target, old);
    await rename(unfinished, target);
    if (isOld) await rm(old, { recursive: true, force: true });
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (error instanceof MdetrError || !(error instanceof Error && 'code' in error)) throw error;
    throw new MdetrError(`${folder}: the model folder cannot be written (${fileReason(error)})`, { cause: error });
  }
};

/** Suffix of the older model folder while it is replaced. */
const OLD_ENDING = '.old';

/** Puts the older model folder back if a process was killed while it replaced it, and removes it if it was replaced. */
const restoreOld = async (target: string, beside: string): Promise<void> => {
  const folder = dirname(target);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${basename(beside)}.`) || !name.endsWith(OLD_ENDING)) continue;
    if (!isAbandoned(`${name.slice(0, -OLD_ENDING.length)}.tmp`)) continue;
    const old = join(folder, name);
    if (await stat(target).catch(() => undefined)) await rm(old, { recursive: true, force: true });
    else await rename(old, target);
  }
};

/** Whether an older model folder will be replaced. @throws {UsageError} if it may not be */
const checkTarget = async (folder: string, force: boolean): Promise<boolean> => {
  const info = await stat(folder).catch(() => undefined);
  if (info === undefined) return false;
  if (!info.isDirectory()) throw new UsageError(`${folder}: is a file; choose a new folder`);
  const names = await readdir(folder);
  if (names.length === 0) return true;
  const foreign = names.find((name) => !ownFileNames.has(name));
  if (foreign !== undefined)
    throw new UsageError(`${folder}: holds "${foreign}", so it is no model folder to be replaced; name a new one`);
  if (!force) throw new UsageError(`${folder}: is there already; replace it with --overwrite, or name another`);
  return true;
};

const fill = async (folder: string, contents: ModelFolderContents): Promise<void> => {
  const { config, tensors, preprocessing, tokenizerFiles, answers, card } = contents;
  const writeJson = (name: string, value: unknown): Promise<void> =>
    writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  await writeJson(MODEL_FILE_NAMES.config, config);
  await writeJson(MODEL_FILE_NAMES.preprocessing, preprocessingJson(preprocessing));
  for (const path of tokenizerFiles) await copyContents(path, join(folder, basename(path)));
  if (answers !== undefined) await copyContents(answers, join(folder, MODEL_FILE_NAMES.answers));
  await writeFile(join(folder, MODEL_FILE_NAMES.card), card);
  await writeSafetensors(join(folder, MODEL_FILE_NAMES.weights), tensors, { format: 'pt' });
};

/** A copy that belongs to the folder: without the original's permissions, which may be read-only. */
const copyContents = async (from: string, to: string): Promise<void> => writeFile(to, await readInput(from));
