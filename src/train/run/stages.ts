import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../errors.ts';
import {
  configOfValues,
  findConfig,
  readConfigFile,
  withLoadedModel,
  type ConfigFile,
  type ConfigValues,
} from '../config/config-file.ts';
import { parseTrainConfig, type TrainConfig } from '../config/config.ts';

/** A training stage: one of the trainings of a config, which follow one another. */
export interface Stage {
  /** Empty if the config has only one. */
  readonly name: string;
  readonly config: TrainConfig;
}

/**
 * Reads and validates the training stages of a config. Each has its own folder below `output_dir`.
 *
 * @param config path of a config file, or its values
 * @param settings `key=value`, as `--set` of the command line
 * @throws {MdetrError} for what is wrong in any of the stages
 */
export const openStages = async (
  config: string | ConfigValues,
  settings: readonly string[] = [],
): Promise<{ readonly stages: readonly Stage[]; readonly notes: readonly string[] }> => {
  const file =
    typeof config === 'string'
      ? { ...(await readConfigFile(await findConfig(config), settings)), path: config }
      : await configOfValues(config, settings);
  return { stages: await stagesOf(file), notes: file.notes.map((note) => `${file.path}: ${note}`) };
};

/** The validated stages of a config file. */
const stagesOf = async ({ path, stages }: ConfigFile): Promise<readonly Stage[]> => {
  const names = stages.map(({ name }) => name);
  if (new Set(names).size < names.length)
    throw new UsageError(`${path}: two training stages have the same name, which is the name of their folder`);
  return Promise.all(
    stages.map(async ({ name, values }) => {
      const source = stages.length > 1 ? `${path}, stage ${name}` : path;
      const config = parseTrainConfig(await withLoadedModel(values), source);
      if (config.output_dir === '')
        throw new UsageError('name a folder for the run: --output-dir DIR, or output_dir in the config');
      return { name, config: { ...config, output_dir: join(config.output_dir, name) } };
    }),
  );
};

/**
 * Index of the training stage that a run resumes in: the last one that has a state. The stages before it are finished.
 */
export const stageToResume = (stages: readonly Stage[], stateFile: string): number =>
  Math.max(
    0,
    stages.findLastIndex(({ config }) => existsSync(join(config.output_dir, stateFile))),
  );
