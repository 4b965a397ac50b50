import { MdetrError, quoted } from '../errors.ts';
import { parseModelConfig, type ModelConfig } from '../models/index.ts';

/** Key of `config.json` with the version of the model folder, its calibration and its 8-bit weights. */
export const MODEL_VERSION_KEY = 'mdetr_version';

/** Version of model folders that this release writes. Folders without a version are of this one, too. */
export const MODEL_VERSION = 1;

/** Checks the version of a `config.json`. @throws {MdetrError} for a newer one, naming both versions */
export const checkModelVersion = (values: Readonly<Record<string, unknown>>, source: string): void => {
  const version = values[MODEL_VERSION_KEY] ?? MODEL_VERSION;
  if (!Number.isInteger(version) || (version as number) < 1)
    throw new MdetrError(`${source}: "${MODEL_VERSION_KEY}" is ${quoted(version)}, not a version`);
  if ((version as number) > MODEL_VERSION)
    throw new MdetrError(
      `${source}: has version ${version as number}; this release reads model folders up to version ${MODEL_VERSION}. Update mdetr.`,
    );
};

/**
 * Parses the `config.json` of a model folder, or the arguments of a weight file.
 *
 * @param source names the file in errors
 * @throws {MdetrError} for a newer version, and for invalid arguments
 */
export const parseFolderConfig = (values: Readonly<Record<string, unknown>>, source: string): ModelConfig => {
  checkModelVersion(values, source);
  return parseModelConfig(values, source);
};

/** The model's own arguments among the values of a `config.json`: a weight file has no version of a model folder. */
export const withoutVersion = (values: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const { [MODEL_VERSION_KEY]: _version, ...rest } = values;
  return rest;
};
