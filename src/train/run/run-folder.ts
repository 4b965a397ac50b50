import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../checkpoints/index.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { currentConfig } from '../../names/current-names.ts';
import type { TrainConfig } from '../config/config.ts';
import { readRunFacts, type RunFacts } from './run-state.ts';

/** Names in a run's folder, besides those of the log. */
export const stateFile = 'state.safetensors';
export const lastFolder = 'last';
export const bestFolder = 'best';

/** File in the folder above those of the training stages: their names in order. */
export const stagesFile = 'stages.json';

/** Settings that do not affect the results: changes are not reported. */
const UNREPORTED = new Set(['output_dir', 'num_workers', 'threads', 'replicas', 'device', 'log_every', 'save_every']);

/**
 * Creates the folder of a run, and reads the facts of the state in it, if there is one.
 *
 * @param isWriter false for processes that leave writing to another one
 * @throws {MdetrError} if the folder has a state and `resume` is false, or it cannot be created
 */
export const prepareRunFolder = async (
  folder: string,
  { resume, isWriter }: { readonly resume: boolean; readonly isWriter: boolean },
): Promise<RunFacts | undefined> => {
  if (folder === '') throw new UsageError('name a folder for the run: --output-dir DIR, or output_dir in the config');
  const before = await readRunFacts(join(folder, stateFile));
  if (before !== undefined && !resume)
    throw new MdetrError(
      `${folder}: holds a run already (step ${before.step}): resume it with --resume, or name another folder`,
    );
  if (isWriter)
    try {
      await mkdir(folder, { recursive: true });
      // What a kill left half written.
      for (const name of await readdir(folder))
        if (name.endsWith('.tmp')) await rm(join(folder, name), { recursive: true, force: true });
    } catch (error) {
      throw new MdetrError(`${folder}: no folder for a run (${fileReason(error)})`, { cause: error });
    }
  return before;
};

/** Keys whose values differ between a stored config and the current one, except those without effect on the results. */
export const changedSettings = (stored: Readonly<Record<string, unknown>>, now: TrainConfig): string[] => {
  const { value: before } = currentConfig(stored);
  // Compared as JSON, without undefined values.
  const values = JSON.parse(JSON.stringify(now)) as Record<string, unknown>;
  return [...new Set([...Object.keys(before), ...Object.keys(values)])].filter(
    (key) => !UNREPORTED.has(key) && JSON.stringify(before[key]) !== JSON.stringify(values[key]),
  );
};

/** Writes the order of the training stages below a folder. */
export const writeStages = async (folder: string, names: readonly string[]): Promise<void> => {
  await makeFolder(folder);
  await writeAtomically(join(folder, stagesFile), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(names)}\n`)),
  );
};

/** Writes all settings of a run. */
export const writeConfig = (folder: string, config: TrainConfig): Promise<void> =>
  writeAtomically(join(folder, 'config.json'), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)),
  );
