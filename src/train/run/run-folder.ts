import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../checkpoints/index.ts';
import { fileReason, MdetrError, UsageError } from '../../errors.ts';
import { makeFolder } from '../../files/make-folder.ts';
import { currentConfig } from '../../names/current-names.ts';
import type { TrainConfig } from '../config/config.ts';
import { readRunFacts, type RunFacts } from './run-state.ts';

/** What a run's folder holds beside its record. */
export const stateFile = 'state.safetensors';
export const lastFolder = 'last';
export const bestFolder = 'best';

/** In a folder above those of stages: their names in order. */
export const stagesFile = 'stages.json';

/** Settings that may change between runs without a word. */
const silent = new Set(['output_dir', 'num_workers', 'threads', 'replicas', 'device', 'log_every', 'save_every']);

/**
 * Makes a run's folder, and tells of the state in it to go on from; a run that is there is not begun anew.
 *
 * @param isWriter false for processes that leave writing to another one
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

/** The settings in which two configs differ, of those that people want to know. */
export const changedSettings = (stored: Readonly<Record<string, unknown>>, now: TrainConfig): string[] => {
  const { value: before } = currentConfig(stored);
  // Compared as a file would hold them: without what is undefined.
  const values = JSON.parse(JSON.stringify(now)) as Record<string, unknown>;
  return [...new Set([...Object.keys(before), ...Object.keys(values)])].filter(
    (key) => !silent.has(key) && JSON.stringify(before[key]) !== JSON.stringify(values[key]),
  );
};

/** Writes down in what order the folders inside this one were trained. */
export const writeStages = async (folder: string, names: readonly string[]): Promise<void> => {
  await makeFolder(folder);
  await writeAtomically(join(folder, stagesFile), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(names)}\n`)),
  );
};

/** Writes the settings that a run has, complete. */
export const writeConfig = (folder: string, config: TrainConfig): Promise<void> =>
  writeAtomically(join(folder, 'config.json'), (sink) =>
    sink.write(new TextEncoder().encode(`${JSON.stringify(config, undefined, 2)}\n`)),
  );
