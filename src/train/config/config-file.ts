import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MdetrError, messageOf, UsageError } from '../../errors.ts';
import { modelConfigKeys, parseModelConfig, qaDataset } from '../../models/index.ts';
import { isFile, modelFileNames, readJson, resolveModelPath } from '../../model-folder/node/model-files.ts';
import { readPreprocessing } from '../../model-folder/node/model-source.ts';
import { nearestKey } from '../../options/nearest-key.ts';

/** The values of a config before they are checked. */
export type ConfigValues = Record<string, unknown>;

const isRecord = (value: unknown): value is ConfigValues =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A config file's values, and the stages that it trains one after the other: each has the file's values and its own.
 */
export interface ConfigFile {
  readonly path: string;
  readonly stages: readonly { readonly name: string; readonly values: ConfigValues }[];
}

const packageFolder = fileURLToPath(new URL('../../../', import.meta.url));

/** A path as it is, or that of a config of this package, whatever the folder one works in. Throws `MdetrError`. */
export const findConfig = async (path: string): Promise<string> => {
  for (const candidate of [path, ...(/^(configs|examples)\//.test(path) ? [join(packageFolder, path)] : [])]) {
    const found = await stat(candidate).catch(() => undefined);
    if (found?.isDirectory() === true) {
      const inside = (await isFile(join(candidate, modelFileNames.config)))
        ? `: did you mean ${join(path, modelFileNames.config)}?`
        : '';
      throw new MdetrError(`${path}: is a folder, not a config file${inside}`);
    }
    if (found !== undefined) return candidate;
  }
  const own = (await readdir(join(packageFolder, 'configs'), { recursive: true }))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length).replaceAll('\\', '/'));
  const meant = nearestKey(path.replace(/^(\.\/)?configs\/|\.json$/g, ''), own);
  const advice = meant === undefined ? '' : `; did you mean configs/${meant}.json, which comes with this package?`;
  throw new MdetrError(`${path}: there is no such config file${advice}`);
};

/**
 * Reads a JSON config and applies settings of the command line, which win over the file: `key=value`, the value as JSON
 * or else as a text, `a.b=value` for what stands deeper.
 *
 * @throws {MdetrError} when the file is no JSON object; {UsageError} for a setting that is none
 */
export const readConfigFile = async (path: string, settings: readonly string[] = []): Promise<ConfigFile> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new MdetrError(`${path}: cannot be read as a JSON config: ${messageOf(error)}`, { cause: error });
  }
  if (!isRecord(parsed)) throw new MdetrError(`${path}: must hold a JSON object`);
  const { stages = [{}], ...common } = parsed;
  if (!Array.isArray(stages) || stages.length === 0 || !stages.every(isRecord))
    throw new MdetrError(`${path}: "stages" must be a list of objects, each with the values that differ in it`);
  return {
    path,
    stages: stages.map((own, index) => {
      const { name = stages.length === 1 ? '' : `stage${index + 1}`, ...values } = own;
      if (typeof name !== 'string' || !(stages.length === 1 ? /^(\w[\w.-]*)?$/ : /^\w[\w.-]*$/).test(name))
        throw new MdetrError(`${path}: stages.${index}.name must be a plain word, it becomes a folder`);
      const merged = structuredClone({ ...common, ...values });
      for (const setting of settings) applySetting(merged, setting);
      return { name, values: merged };
    }),
  };
};

/**
 * What a config leaves out about the network and the size of pictures is as in the model folder that `load` names, so
 * that one need not say again what a model is to train it further. Weight files without a folder say nothing here.
 */
export const withLoadedModel = async (values: ConfigValues): Promise<ConfigValues> => {
  const { load } = values;
  if (typeof load !== 'string' || load === '') return values;
  const folder = await resolveModelPath(load);
  const path = join(folder, modelFileNames.config);
  if (!(await isFile(path))) return values;
  const own = (await readJson(path)) as ConfigValues;
  const model = parseModelConfig(own, path);
  const { shortestEdge, longestEdge } = await readPreprocessing(join(folder, modelFileNames.preprocessing), model);
  const answers = qaDataset(model);
  // What it was trained on says nothing about what it will be trained on.
  const keys = modelConfigKeys.filter((key) => key !== 'combine_datasets' && own[key] !== undefined);
  return {
    ...Object.fromEntries(keys.map((key) => [key, own[key]])),
    ...(answers === undefined ? {} : { qa_dataset: answers }),
    image_size: { shortest_edge: shortestEdge, longest_edge: longestEdge },
    ...values,
  };
};

const applySetting = (values: ConfigValues, setting: string): void => {
  const at = setting.indexOf('=');
  if (at < 1) throw new UsageError(`--set ${setting}: write KEY=VALUE`);
  const keys = setting.slice(0, at).trim().split('.');
  if (['__proto__', 'prototype', 'constructor'].some((key) => keys.includes(key)))
    throw new UsageError(`--set ${setting}: no key of a config`);
  let place: ConfigValues | unknown[] = values;
  for (const key of keys.slice(0, -1)) {
    const next: unknown = (place as ConfigValues)[key];
    if (next === undefined) (place as ConfigValues)[key] = {};
    else if (!isRecord(next) && !Array.isArray(next))
      throw new UsageError(`--set ${setting}: "${key}" holds a value, not further keys`);
    place = (place as ConfigValues)[key] as ConfigValues | unknown[];
  }
  const last = keys.at(-1)!;
  (place as ConfigValues)[last] = valueOf(setting.slice(at + 1));
};

const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};
