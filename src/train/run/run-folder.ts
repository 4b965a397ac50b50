import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../files/atomic-file.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { LockFile } from '../../files/lock-file.ts';
import { makeFolder, makeFolders } from '../../files/make-folder.ts';
import { isAbandoned } from '../../files/temporary-path.ts';
import { currentConfig } from '../../names/current-names.ts';
import { parseTrainConfig } from '../config/config.ts';
import { LOG_FILE } from './run-log.ts';
import { MLFLOW_FOLDER } from './records/mlflow-run.ts';
import { WANDB_FOLDER } from './records/wandb-run.ts';
import { PROVENANCE_FILE } from './records/run-provenance.ts';
import { readRunFacts, type RunFacts } from './run-state.ts';

/** Names in a run's folder, besides those of the log. */
export const STATE_FILE = 'state.safetensors';
/** Model of the last save. */
export const LAST_FOLDER = 'last';
/** Model of the best validation. */
export const BEST_FOLDER = 'best';

/** File in the folder above those of the training stages: their names in order. */
export const STAGES_FILE = 'stages.json';

/** Settings that do not affect the results: changes are not reported. */
const UNREPORTED = new Set([
  'output_dir',
  'num_workers',
  'threads',
  'replicas',
  'shard_optimizer',
  'device',
  'strict_device',
  'log_every',
  'save_every',
]);

/** Folder of a run with the record of its words, and its vocabulary if that was extended. */
export const WORDS_FOLDER = 'words';

/** Lock of the process that trains in the folder. */
const LOCK_FILE = 'run.lock';

/** Marks a folder as that of a run, from before anything else is written in it. */
const MARKER_FILE = '.mdetr-run';

/** Folder of the programs that a validation compiles. */
export const VALIDATION_CACHE = 'validation-cache.tmp';

/** Names that a run writes. In a folder that is not a run's, they belong to the user. */
const RUN_NAMES = [
  'config.json',
  PROVENANCE_FILE,
  LOG_FILE,
  STATE_FILE,
  LAST_FOLDER,
  BEST_FOLDER,
  'tensorboard',
  MLFLOW_FOLDER,
  WANDB_FOLDER,
];

/** A folder in which this process trains. */
export interface RunFolder {
  /** Facts of the state in the folder, if there is one. */
  readonly before: RunFacts | undefined;
  /** Lets other processes train in the folder. */
  release(): void;
}

/**
 * Creates the folder of a run, locks it, and reads the facts of the state in it, if there is one.
 *
 * @param isWriter false for processes that leave writing to another one
 * @throws {MdetrError} if another process trains in the folder, it has a state and `resume` is false, it has files of the
 *   user with names that a run writes, or it cannot be created
 */
export const prepareRunFolder = async (
  folder: string,
  { resume, isWriter }: { readonly resume: boolean; readonly isWriter: boolean },
): Promise<RunFolder> => {
  if (folder === '') throw new UsageError('name a folder for the run: --output-dir DIR, or output_dir in the config');
  if (!isWriter) return { before: await stateToResume(folder, resume), release: () => undefined };
  await makeFolders(folder).catch((error: unknown) => {
    throw new MdetrError(`${folder}: no folder for a run (${fileReason(error)})`, { cause: error });
  });
  const lock = LockFile.take(
    join(folder, LOCK_FILE),
    ({ pid, host }) => `${folder}: another training is running in this folder (process ${pid} on ${host})`,
  );
  try {
    const before = await stateToResume(folder, resume);
    await claim(folder, before !== undefined);
    return { before, release: () => lock.release() };
  } catch (error) {
    lock.release();
    throw error;
  }
};

/** Makes sure that the folder is a run's, and removes what a killed process left half written in it. */
const claim = async (folder: string, hasState: boolean): Promise<void> => {
  const marker = join(folder, MARKER_FILE);
  try {
    const names = await readdir(folder);
    if (!hasState && !names.includes(MARKER_FILE)) {
      const own = RUN_NAMES.filter((name) => names.includes(name));
      if (own.length > 0)
        throw new MdetrError(
          `${folder}: has ${own.join(', ')}, which a run would replace, and is not the folder of a run; name another folder`,
        );
    }
    if (!names.includes(MARKER_FILE)) await writeFile(marker, 'This folder belongs to a run of mdetr train.\n');
    for (const name of names)
      if (name === VALIDATION_CACHE || isAbandoned(name))
        await rm(join(folder, name), { recursive: true, force: true });
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${folder}: no folder for a run (${fileReason(error)})`, { cause: error });
  }
};

const stateToResume = async (folder: string, resume: boolean): Promise<RunFacts | undefined> => {
  const before = await readRunFacts(join(folder, STATE_FILE));
  if (before !== undefined && !resume)
    throw new MdetrError(
      `${folder}: holds a run already (step ${before.step}): resume it with --resume, or name another folder`,
    );
  return before;
};

/** Keys whose values differ between a stored config and the current one, except those without effect on the results. */
export const changedSettings = (stored: Readonly<Record<string, unknown>>, now: object): string[] => {
  // Compared as JSON, without undefined values.
  const plain = (config: unknown) => JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
  const before = plain(withDefaults(stored));
  const values = plain(now);
  return [...new Set([...Object.keys(before), ...Object.keys(values)])].filter(
    (key) => !UNREPORTED.has(key) && JSON.stringify(before[key]) !== JSON.stringify(values[key]),
  );
};

/** A stored config with the defaults of keys that did not exist when it was written. */
const withDefaults = (stored: Readonly<Record<string, unknown>>): unknown => {
  try {
    return parseTrainConfig(stored, 'the stored config', () => undefined);
  } catch (error) {
    // It was valid for another version: its own values are compared.
    if (error instanceof MdetrError) return currentConfig(stored).value;
    throw error;
  }
};

/**
 * Writes the order of the training stages below a folder.
 * @throws {MdetrError} if the folder has a file of that name that is not a list of stages
 */
export const writeStages = async (folder: string, names: readonly string[]): Promise<void> => {
  await makeFolder(folder);
  const before = await readFile(join(folder, STAGES_FILE), 'utf8').catch(() => undefined);
  if (before !== undefined && !/^\s*\[\s*("[\w.-]*"\s*,?\s*)*\]\s*$/.test(before))
    throw new MdetrError(`${join(folder, STAGES_FILE)}: is not a list of training stages; name another folder`);
  await writeAtomically(join(folder, STAGES_FILE), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(names)}\n`)),
  );
};

/** Writes all settings of a run. */
export const writeConfig = (folder: string, config: object): Promise<void> =>
  writeAtomically(join(folder, 'config.json'), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)),
  );
