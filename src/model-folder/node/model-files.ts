import { access, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import * as z from 'zod';
import { openCheckpoint, type Checkpoint } from '../../checkpoints/index.ts';
import { MdetrError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { parseJson } from '../../files/json/json-text.ts';
import { cachedSnapshot, DEFAULT_REVISION, isHubName } from '../../pull/hub-cache.ts';
import { findPublished, placeOf } from '../../pull/catalog.ts';
import { checkModelVersion } from '../format-version.ts';
import { CALIBRATION_KEY } from '../calibration.ts';
import { MODEL_FILE_NAMES, PREPROCESSING_KEY, TOKENIZER_FILE_NAMES, WEIGHT_FILE_NAMES } from '../layout.ts';
import { EXPORT_MANIFEST_NAME } from '../export-manifest.ts';
import { cacheFolder } from '../../files/cache-folder.ts';
import { findPackageFile, requirePackageFile } from '../../files/package-folder.ts';

/** Files of a model, opened; they are not yet checked against each other. */
export interface ModelFiles {
  readonly path: string;
  readonly isFolder: boolean;
  /** Folder that is searched for the vocabulary, the answers and the preprocessing. */
  readonly folder: string;
  /** Official arguments, and the file (or part of one) that they come from; undefined if no file has them. */
  readonly config: { readonly values: Readonly<Record<string, unknown>>; readonly source: string } | undefined;
  /** Contents of `preprocessor_config.json`, in the folder or in the weight file itself, and where they are from. */
  readonly preprocessing: { readonly json: unknown; readonly source: string } | undefined;
  /** The weights; undefined for a model folder without weights, whose network is initialized from `seed`. */
  readonly checkpoint: Checkpoint | undefined;
  readonly seed: number | undefined;
  close(): Promise<void>;
}

/** Options of finding the files of a model. */
export interface ModelFilesOptions {
  /** Weights of a training checkpoint to use. Default: the moving average (`ema`) if there is one. */
  readonly weights?: 'model' | 'ema';
  /** A JSON file with the official arguments, for a weight file that carries none. */
  readonly config?: string;
}

/** Whether a folder was written by `mdetr export`. */
export const isExportedFolder = (folder: string): Promise<boolean> => isFile(join(folder, EXPORT_MANIFEST_NAME));

/** Whether a path leads to a regular file. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Whether a name is that of a repository on the hub, `OWNER/NAME`, and not of a path here. */
export const isOnHub = async (name: string): Promise<boolean> =>
  isHubName(name) && !(await exists(name)) && !(await exists(dirname(name)));

/** Path of a model: a path as it is, a plain name from the embedded and the pulled models, `OWNER/NAME` from the hub's cache. */
export const resolveModelPath = async (name: string): Promise<string> => {
  if (await exists(name)) return name;
  const published = findPublished(name);
  const isPullable = published !== undefined && published.kind !== 'tokenizer';
  const pulled = isPullable ? placeOf(published).files[0]! : name;
  const isName = /^[\w.+-]+$/.test(name);
  const candidates = isName ? [findPackageFile(`models/${name}`), join(cacheFolder(), 'models', pulled)] : [];
  for (const candidate of candidates) if (candidate !== undefined && (await exists(candidate))) return candidate;
  if (name === 'default') return requirePackageFile('models/default');
  const cached = (await isOnHub(name)) ? await cachedSnapshot({ name, revision: DEFAULT_REVISION }) : undefined;
  if (cached !== undefined) return cached;
  if (isPullable) throw new MdetrError(`model "${name}" is not here yet; fetch it with: mdetr pull ${published.name}`);
  throw new MdetrError(
    isName
      ? `model "${name}" is neither a file or folder here, nor an embedded model, nor a pulled one in ${join(cacheFolder(), 'models')} ("mdetr pull --list" lists what can be downloaded)`
      : `${name}: there is no such model file or folder${(await isOnHub(name)) ? `, and it was not downloaded from the hub (mdetr pull ${name})` : ''}`,
  );
};

const recordSchema = z.record(z.string(), z.unknown());

/** Reads a JSON file that holds an object. @throws {MdetrError} if it cannot be read or holds another value */
export const readRecord = async (path: string): Promise<Record<string, unknown>> => {
  const parsed = recordSchema.safeParse(await readJsonFile(path));
  if (!parsed.success) throw new MdetrError(`${path}: must hold a JSON object`);
  return parsed.data;
};

/**
 * Opens the files of a model.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @throws {MdetrError} if a file is missing or broken
 */
export const openModelFiles = async (name: string, options: ModelFilesOptions = {}): Promise<ModelFiles> => {
  const path = await resolveModelPath(name);
  return (await isFolder(path)) ? openFolder(path, options) : openWeightFile(path, options);
};

const openFolder = async (folder: string, options: ModelFilesOptions): Promise<ModelFiles> => {
  if (await isExportedFolder(folder))
    throw new MdetrError(
      `${folder}: is an exported model, which has compiled programs instead of weights; name the model that it was exported from`,
    );
  const source = options.config ?? join(folder, MODEL_FILE_NAMES.config);
  if (!(await isFile(source)))
    throw new MdetrError(`${folder}: no ${MODEL_FILE_NAMES.config}, so it is not a model folder`);
  const values = await readRecord(source);
  const seed = values['init_seed'];
  const weights = await firstFile(WEIGHT_FILE_NAMES.map((name) => join(folder, name)));
  const isUntrained = typeof seed === 'number' && weights === undefined;
  const preprocessing = await preprocessingBeside(folder);
  const checkpoint = isUntrained
    ? undefined
    : await openCheckpoint(weights ?? join(folder, MODEL_FILE_NAMES.weights), { weights: options.weights });
  return {
    path: folder,
    isFolder: true,
    folder,
    config: { values, source },
    preprocessing,
    checkpoint,
    seed: isUntrained ? seed : undefined,
    close: async () => checkpoint?.close(),
  };
};

const firstFile = async (paths: readonly string[]): Promise<string | undefined> => {
  for (const path of paths) if (await isFile(path)) return path;
  return undefined;
};

/** Contents of the `preprocessor_config.json` in a folder; undefined if there is none. */
export const preprocessingBeside = async (folder: string): Promise<ModelFiles['preprocessing']> => {
  const source = join(folder, MODEL_FILE_NAMES.preprocessing);
  return (await isFile(source)) ? { json: await readJsonFile(source), source } : undefined;
};

/** Preprocessing that `mdetr convert` stored in a weight file. */
const preprocessingIn = ({ path, args, metadata }: Checkpoint): ModelFiles['preprocessing'] => {
  const source = `${path}: ${PREPROCESSING_KEY}`;
  const text = metadata[PREPROCESSING_KEY];
  if (text !== undefined) return { json: parseRecord(text, source), source };
  const json = args?.[PREPROCESSING_KEY];
  return json === undefined ? undefined : { json, source };
};

const openWeightFile = async (path: string, options: ModelFilesOptions): Promise<ModelFiles> => {
  const checkpoint = await openCheckpoint(path, { weights: options.weights });
  try {
    return {
      path,
      isFolder: false,
      folder: dirname(path),
      config: await withCalibration(path, await configOf(path, checkpoint, options)),
      preprocessing: preprocessingIn(checkpoint) ?? (await preprocessingBeside(dirname(path))),
      checkpoint,
      seed: undefined,
      close: () => checkpoint.close(),
    };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
};

/** Arguments of a weight file: the file that the user names, or else its own, or else the `config.json` beside it. */
const configOf = async (
  path: string,
  checkpoint: Checkpoint,
  options: ModelFilesOptions,
): Promise<ModelFiles['config']> => {
  if (options.config !== undefined) return { values: await readRecord(options.config), source: options.config };
  if (checkpoint.args !== undefined) {
    const values = Object.fromEntries(Object.entries(checkpoint.args).filter(([key]) => key !== PREPROCESSING_KEY));
    return { values, source: `${path}: args` };
  }
  const { config } = checkpoint.metadata;
  if (config !== undefined) return { values: parseRecord(config, `${path}: config`), source: `${path}: config` };
  const beside = join(dirname(path), MODEL_FILE_NAMES.config);
  return (await isFile(beside)) ? { values: await readRecord(beside), source: beside } : undefined;
};

/** Path of the file with the calibration of a weight file, which cannot hold it itself. */
export const calibrationFileOf = (path: string): string =>
  `${path.slice(0, path.length - extname(path).length)}.calibration.json`;

/** The arguments of a weight file with the calibration that `mdetr calibrate` wrote beside it. */
const withCalibration = async (path: string, config: ModelFiles['config']): Promise<ModelFiles['config']> => {
  const beside = calibrationFileOf(path);
  if (config === undefined || !(await isFile(beside))) return config;
  const { [CALIBRATION_KEY]: calibration, ...others } = await readRecord(beside);
  checkModelVersion(others, beside);
  return { ...config, values: { ...config.values, [CALIBRATION_KEY]: calibration } };
};

const parseRecord = (text: string, where: string): Record<string, unknown> => {
  try {
    return recordSchema.parse(parseJson(text, where));
  } catch (error) {
    throw new MdetrError(`${where}: must hold a JSON object`, { cause: error });
  }
};

/** Returns the arguments, without which no network can be built. @throws {MdetrError} if there are none */
export const requireConfig = ({
  config,
  path,
}: Pick<ModelFiles, 'config' | 'path'>): NonNullable<ModelFiles['config']> => {
  if (config === undefined)
    throw new MdetrError(
      `${path}: the file has no arguments that describe its network; give the official ones as JSON with --config FILE`,
    );
  return config;
};

/**
 * Path of the vocabulary: the one that the user names (a path, or the name of a pulled one), else beside the weights, else
 * RoBERTa's where `mdetr pull` stores it.
 *
 * @throws {MdetrError} if there is none
 */
export const findTokenizer = async (folder: string, textEncoder: string, named?: string): Promise<string> => {
  const pulled = join(cacheFolder(), 'tokenizers');
  if (named !== undefined) {
    if (await exists(named)) return named;
    const published = findPublished(named);
    if (published?.kind !== 'tokenizer') return named;
    if ((await tokenizerFilesIn(join(pulled, named))).length > 0) return join(pulled, named);
    throw new MdetrError(`vocabulary "${named}" is not here yet; fetch it with: mdetr pull ${named}`);
  }
  for (const candidate of [folder, join(pulled, textEncoder), join(pulled, 'roberta-base')])
    if ((await tokenizerFilesIn(candidate)).length > 0) return candidate;
  const fetchable = findPublished(textEncoder)?.kind === 'tokenizer' ? `: mdetr pull ${textEncoder}, or` : ':';
  throw new MdetrError(
    `no vocabulary for ${textEncoder}${fetchable} name a folder with tokenizer.json, or vocab.json and merges.txt, by --tokenizer DIR`,
  );
};

/** Paths of the vocabulary files in a folder; empty if it has none. */
export const tokenizerFilesIn = async (folder: string): Promise<string[]> => {
  for (const names of TOKENIZER_FILE_NAMES) {
    const paths = names.map((name) => join(folder, name));
    if ((await Promise.all(paths.map(isFile))).every(Boolean)) return paths;
  }
  return [];
};
