import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { MdetrError, quoted } from '../../errors.ts';
import { officialDataSchema } from './slices/official-datasets.ts';

/** Keys whose values are files or folders to read, or names of published ones. */
const READ_KEYS: readonly string[] = [
  'load',
  'tokenizer',
  'backbone_weights',
  'text_encoder_weights',
  'word_vectors',
  'frozen_weights',
  ...Object.keys(officialDataSchema.shape).filter((key) => key.endsWith('_path')),
];

type Values = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Looks for the paths that a config file reads (`datasets`, `load`, `tokenizer`, weights, official datasets) beside the file
 * first, then in the working folder; a path that begins with `./` or `../` is the one beside the file if both exist. Names of published models and paths that exist nowhere stay as they are; `output_dir`
 * is always relative to the working folder.
 *
 * @param configPath path of the config file
 * @throws {MdetrError} if a path exists in both places and they are different files
 */
export const withReadPaths = async (values: Values, configPath: string): Promise<Record<string, unknown>> => {
  const find = (value: unknown, key: string): Promise<unknown> => findReadPath(value, key, configPath);
  const result: Record<string, unknown> = { ...values };
  for (const key of READ_KEYS) if (key in values) result[key] = await find(values[key], key);
  for (const key of ['datasets', 'datasets_val']) {
    const datasets = values[key];
    if (!Array.isArray(datasets)) continue;
    result[key] = await Promise.all(
      datasets.map(async (dataset: unknown, index) => {
        if (!isRecord(dataset)) return dataset;
        return findDatasetPaths(dataset, `${key}.${index}`, configPath);
      }),
    );
  }
  return result;
};

/** Paths of the `evaluate` section of a config file, looked for like those of `withReadPaths`. */
export const withEvaluationPaths = (section: unknown, configPath: string): Promise<unknown> =>
  isRecord(section) ? findDatasetPaths(section, 'evaluate', configPath) : Promise.resolve(section);

const findDatasetPaths = async (
  dataset: Values,
  prefix: string,
  configPath: string,
): Promise<Record<string, unknown>> => {
  const find = (value: unknown, key: string): Promise<unknown> => findReadPath(value, `${prefix}.${key}`, configPath);
  const found: Record<string, unknown> = { ...dataset };
  for (const key of ['annotations', 'scenes', 'images', 'ground_truth'])
    if (key in dataset) found[key] = await find(dataset[key], key);
  const { images } = dataset;
  if (isRecord(images)) {
    const folders = Object.entries(images).map(
      async ([source, path]) => [source, await find(path, `images.${source}`)] as const,
    );
    found['images'] = Object.fromEntries(await Promise.all(folders));
  }
  return found;
};

const findReadPath = async (value: unknown, key: string, configPath: string): Promise<unknown> => {
  if (typeof value !== 'string' || value === '' || isAbsolute(value)) return value;
  const beside = join(dirname(configPath), value);
  const real = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
  const [found, here] = await Promise.all([real(beside), real(value)]);
  if (found === undefined || found === here) return value;
  // `./` and `../` say that the path is relative to the config.
  if (/^\.\.?[\\/]/.test(value)) return beside;
  if (here !== undefined)
    throw new MdetrError(
      `${configPath}: "${key}" is ${quoted(value)}, which exists beside the config (${found}) and in the working folder ` +
        `(${here}): name one of them by its full path`,
    );
  return beside;
};
