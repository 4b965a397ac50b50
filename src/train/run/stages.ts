import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigFile } from '../config/config-file.ts';
import type { TrainConfig } from '../config/config.ts';
import { UsageError } from '../../errors.ts';

/** One of the trainings of a config that follow one another. */
export interface Stage {
  /** Empty where there is but one. */
  readonly name: string;
  readonly config: TrainConfig;
}

/** The stages of a config, checked, each with a folder of its own. Throws `MdetrError` for what is wrong in any. */
export const stagesOf = (
  file: ConfigFile,
  parse: (values: Readonly<Record<string, unknown>>, source: string) => TrainConfig,
): readonly Stage[] => {
  const names = file.stages.map(({ name }) => name);
  if (new Set(names).size < names.length)
    throw new UsageError(`${file.path}: two stages have the same name, which is that of their folder`);
  return file.stages.map(({ name, values }) => {
    const config = parse(values, file.stages.length > 1 ? `${file.path}, stage ${name}` : file.path);
    if (config.output_dir === '')
      throw new UsageError('name a folder for the run: --output-dir DIR, or output_dir in the config');
    return { name, config: { ...config, output_dir: join(config.output_dir, name) } };
  });
};

/**
 * The stage that a run goes on in: the last one that has got to a state. Those before it have handed their weights on
 * and stay as they are.
 */
export const stageToGoOnIn = (stages: readonly Stage[], stateFile: string): number =>
  Math.max(
    0,
    stages.findLastIndex(({ config }) => existsSync(join(config.output_dir, stateFile))),
  );
