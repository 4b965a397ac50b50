import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findPackageFile, requirePackageFile } from '../../files/package-folder.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { modelConfigKeys, parseModelConfig, qaDataset } from '../../models/index.ts';
import { isFile, resolveModelPath } from '../../model-folder/node/model-files.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { readPreprocessing } from '../../model-folder/node/model-source.ts';
import { currentConfig, currentSetting, type Setting } from '../../names/current-names.ts';
import { withReadPaths } from './config-paths.ts';
import { nearestKey } from '../../options/nearest-key.ts';

/** The values of a config, not yet validated. */
export type ConfigValues = Record<string, unknown>;

const isRecord = (value: unknown): value is ConfigValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The contents of a config file: the training stages, in the order in which they are trained. Each has the values of the
 * whole file, overridden by its own. Keys and values have their current names.
 */
export interface ConfigFile {
  /** Path of the file. */
  readonly path: string;
  /** Training stages with the values of each; one stage without `stages`. */
  readonly stages: readonly { readonly name: string; readonly values: ConfigValues }[];
  /** One note for each old name in the file or the settings. */
  readonly notes: readonly string[];
}

/**
 * Finds a config file: a path relative to the working folder, or the path of one of this package's configs
 * (`configs/refcoco.json`), which works from any folder.
 *
 * @throws {MdetrError} if there is no such file, naming the nearest config of this package
 */
export const findConfig = async (path: string): Promise<string> => {
  for (const candidate of [path, ...(/^(configs|examples)\//.test(path) ? [findPackageFile(path) ?? path] : [])]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isDirectory() === true) {
      const inside = (await isFile(join(candidate, MODEL_FILE_NAMES.config)))
        ? `: did you mean ${join(path, MODEL_FILE_NAMES.config)}?`
        : '';
      throw new MdetrError(`${path}: is a folder, not a config file${inside}`);
    }
    if (found !== undefined) return candidate;
  }
  const own = (await readdir(requirePackageFile('configs'), { recursive: true }))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length).replaceAll('\\', '/'));
  const meant = nearestKey(path.replace(/^(\.\/)?configs\/|\.json$/g, ''), own);
  const advice = meant === undefined ? '' : `; did you mean configs/${meant}.json, which comes with this package?`;
  throw new MdetrError(`${path}: there is no such config file${advice}`);
};

/**
 * Reads a JSON config and applies the settings of the command line, which override the file. A setting is `key=value`, or
 * `a.b=value` for nested keys; the value is JSON, or a string if it is not valid JSON.
 *
 * Paths that the file reads are looked for beside it, then in the working folder; paths of settings and `output_dir` are
 * relative to the working folder.
 *
 * @throws {MdetrError} if the file is not a JSON object, has a key under its old and its new name, or reads a path that
 *   exists in both places
 * @throws {UsageError} if a setting is malformed
 */
export const readConfigFile = async (path: string, settings: readonly string[] = []): Promise<ConfigFile> => {
  const parsed = await readJsonFile(path);
  if (!isRecord(parsed)) throw new MdetrError(`${path}: must hold a JSON object`);
  return parseConfigFile(parsed, path, settings, (values) => withReadPaths(values, path));
};

/**
 * The training stages of the values of a config, as `readConfigFile` returns them. Paths are relative to the working folder.
 *
 * @param source name of the config in errors
 * @throws {MdetrError} if `stages` is not a list of objects, or a key has its old and its new name
 * @throws {UsageError} if a setting is malformed
 */
export const configOfValues = (
  values: ConfigValues,
  settings: readonly string[] = [],
  source = 'config',
): Promise<ConfigFile> => parseConfigFile(values, source, settings, (own) => Promise.resolve({ ...own }));

const parseConfigFile = async (
  given: ConfigValues,
  path: string,
  settings: readonly string[],
  resolvePaths: (values: ConfigValues) => Promise<ConfigValues>,
): Promise<ConfigFile> => {
  const file = currentConfig(given, path);
  const { stages = [{}], ...rest } = file.value;
  if (!Array.isArray(stages) || stages.length === 0 || !stages.every(isRecord))
    throw new MdetrError(`${path}: "stages" must be a list of objects, each with the values that differ in it`);
  const common = await resolvePaths(rest);
  const overrides = parseSettings(settings);
  return {
    path,
    stages: await Promise.all(
      stages.map(async (own, index) => {
        const { name = stages.length === 1 ? '' : `stage${index + 1}`, ...values } = own;
        if (typeof name !== 'string' || !(stages.length === 1 ? /^(\w[\w.-]*)?$/ : /^\w[\w.-]*$/).test(name))
          throw new MdetrError(
            `${path}: stages.${index}.name must be a word (letters, digits, "_", "-", "."): it becomes the name of a folder`,
          );
        const merged = structuredClone({ ...common, ...(await resolvePaths(values)) });
        for (const override of overrides.settings) applySetting(merged, override);
        return { name, values: merged };
      }),
    ),
    notes: [...new Set([...file.notes, ...overrides.notes])],
  };
};

/**
 * Fills in the network and `image_size` from the config of the model folder named by `load`, so that fine-tuning a model
 * does not have to repeat them. Keys that the config gives win. A bare checkpoint fills in nothing.
 */
export const withLoadedModel = async (values: ConfigValues): Promise<ConfigValues> => {
  const { load } = values;
  if (typeof load !== 'string' || load === '') return values;
  const folder = await resolveModelPath(load);
  const path = join(folder, MODEL_FILE_NAMES.config);
  if (!(await isFile(path))) return values;
  const own = currentConfig((await readJsonFile(path)) as ConfigValues, path).value;
  const model = parseModelConfig(own, path);
  const { shortestEdge, longestEdge } = await readPreprocessing(join(folder, MODEL_FILE_NAMES.preprocessing), model);
  const answers = qaDataset(model);
  // combine_datasets names the data that the model was trained on, not the data of this run.
  const keys = modelConfigKeys.filter((key) => key !== 'combine_datasets' && own[key] !== undefined);
  const fromModel = Object.fromEntries(keys.map((key) => [key, own[key]]));
  if (answers !== undefined) fromModel['qa_dataset'] = answers;
  return {
    ...fromModel,
    image_size: { shortest_edge: shortestEdge, longest_edge: longestEdge },
    ...values,
  };
};

/** A setting of the command line as it was written, and under current names. */
interface Override {
  readonly text: string;
  readonly setting: Setting;
}

const parseSettings = (
  texts: readonly string[],
): { readonly settings: readonly Override[]; readonly notes: readonly string[] } => {
  const notes: string[] = [];
  const spellings = new Map<string, string>();
  const settings = texts.map((text) => {
    const given = parseSetting(text);
    const { value: setting, notes: own } = currentSetting(given, `--set ${text}`);
    notes.push(...own);
    const [spelling, current] = [given.keys.join('.'), setting.keys.join('.')];
    const other = spellings.get(current) ?? spelling;
    if (other !== spelling)
      throw new UsageError(`--set ${other} and --set ${spelling} are both given: they are names of the same key`);
    spellings.set(current, spelling);
    return { text, setting };
  });
  return { settings, notes };
};

const parseSetting = (text: string): Setting => {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--set ${text}: write KEY=VALUE`);
  const keys = text.slice(0, at).trim().split('.');
  if (['__proto__', 'prototype', 'constructor'].some((key) => keys.includes(key)))
    throw new UsageError(`--set ${text}: not a key of a config`);
  return { keys, value: parseSettingValue(text.slice(at + 1)) };
};

/** JSON, or a string if it is not valid JSON. */
const parseSettingValue = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

const applySetting = (values: ConfigValues, { text, setting: { keys, value } }: Override): void => {
  let parent: ConfigValues = values;
  for (const key of keys.slice(0, -1)) {
    const next = parent[key];
    if (next === undefined) parent[key] = {};
    else if (!isRecord(next) && !Array.isArray(next))
      throw new UsageError(`--set ${text}: "${key}" has a value of its own, not nested keys`);
    parent = parent[key] as ConfigValues;
  }
  parent[keys.at(-1)!] = structuredClone(value);
};
