import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ImageRoots } from '../../data/images/node/image-roots.ts';
import { fileReason, MdetrError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import { isFile } from '../../model-folder/node/model-files.ts';
import { readConfigFile } from '../config/config-file.ts';
import type { AnnotatedDataset } from '../config/data-settings.ts';

/** An annotation file and the folders of its images. */
export interface CalibrationSet {
  readonly annotations: string;
  readonly images: ImageRoots;
}

/** Annotation files that a model is calibrated on. */
export interface CalibrationSets {
  /** Name of the data, without the folder. */
  readonly name: string;
  readonly sets: readonly CalibrationSet[];
}

/** Configs are small; a larger JSON file holds annotations. */
const MAX_CONFIG_BYTES = 2 ** 20;
/** Annotation files of `mdetr scenes` that tell present from absent phrases. */
const SCENE_FILES = ['captions.json', 'negatives.json'];

/**
 * Finds the annotation files and images that `path` names:
 *
 * - a training config: its `datasets_val`, else its `datasets`;
 * - a folder of `mdetr scenes`: its captions and negatives;
 * - a folder of `mdetr data import`: its `val.json`, else its `train.json`, with the images that its config names;
 * - an annotation file, with the images below `images`, else in a folder `images` beside it, else beside it.
 *
 * @param images `FOLDER` or `SOURCE=FOLDER`, which takes precedence over the folders of a config
 * @throws {MdetrError} if there is nothing of that kind, or a folder of images is missing
 */
export const findCalibrationSets = async (path: string, images: readonly string[] = []): Promise<CalibrationSets> => {
  const info = await stat(path).catch((error: unknown) => {
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  });
  const roots = images.length === 0 ? undefined : ImageRoots.parse(images);
  const found = info.isDirectory() ? await setsInFolder(path, roots) : await setsOfFile(path, roots);
  for (const set of found.sets) set.images.requireFolders();
  return found;
};

const setsInFolder = async (folder: string, roots: ImageRoots | undefined): Promise<CalibrationSets> => {
  const name = basename(folder);
  const sceneFiles = await existing(SCENE_FILES.map((file) => join(folder, 'annotations', file)));
  if (sceneFiles.length > 0) {
    const own = roots ?? ImageRoots.of(join(folder, 'images'));
    return { name, sets: sceneFiles.map((annotations) => ({ annotations, images: own })) };
  }
  for (const file of ['val.json', 'train.json']) {
    const annotations = join(folder, file);
    if (!(await isFile(annotations))) continue;
    const own = roots ?? (await rootsOfConfigs(folder, annotations)) ?? (await rootsBeside(annotations));
    return { name: `${name}/${file}`, sets: [{ annotations, images: own }] };
  }
  throw new MdetrError(
    `${folder}: has no data to calibrate on: neither val.json or train.json ("mdetr data import") nor annotations/captions.json ("mdetr scenes")`,
  );
};

const setsOfFile = async (path: string, roots: ImageRoots | undefined): Promise<CalibrationSets> => {
  const name = basename(path);
  const datasets = await datasetsOfConfig(path);
  if (datasets === undefined)
    return { name, sets: [{ annotations: path, images: roots ?? (await rootsBeside(path)) }] };
  if (datasets.length === 0)
    throw new MdetrError(
      `${path}: this config names no annotation files ("datasets_val" or "datasets"); name an annotation file instead`,
    );
  const sets = datasets.map(({ annotations, images }) => ({ annotations, images: roots ?? ImageRoots.of(images) }));
  return { name, sets };
};

/** Datasets with annotation files of a training config; undefined if the file is no config. */
const datasetsOfConfig = async (path: string): Promise<readonly AnnotatedDataset[] | undefined> => {
  if (!path.endsWith('.json') || (await stat(path)).size > MAX_CONFIG_BYTES) return undefined;
  const value = await readJsonFile(path);
  const isConfig =
    typeof value === 'object' &&
    value !== null &&
    !('images' in value) &&
    !('annotations' in value) &&
    !Array.isArray(value);
  if (!isConfig) return undefined;
  const { values } = (await readConfigFile(path)).stages.at(-1)!;
  for (const key of ['datasets_val', 'datasets']) {
    const list: readonly unknown[] = Array.isArray(values[key]) ? (values[key] as unknown[]) : [];
    const annotated = list.filter(isAnnotated);
    if (annotated.length > 0) return annotated;
  }
  return [];
};

const isAnnotated = (value: unknown): value is AnnotatedDataset =>
  typeof value === 'object' &&
  value !== null &&
  'annotations' in value &&
  typeof value.annotations === 'string' &&
  'images' in value;

/** Image folders that a config in the folder names for an annotation file. */
const rootsOfConfigs = async (folder: string, annotations: string): Promise<ImageRoots | undefined> => {
  for (const file of (await readdir(folder)).sort()) {
    if (!file.endsWith('.json') || join(folder, file) === annotations) continue;
    const datasets = await datasetsOfConfig(join(folder, file)).catch(() => undefined);
    const own = datasets?.find((dataset) => basename(dataset.annotations) === basename(annotations)) ?? datasets?.[0];
    if (own !== undefined) return ImageRoots.of(own.images);
  }
  return undefined;
};

const rootsBeside = async (annotations: string): Promise<ImageRoots> => {
  const beside = join(dirname(annotations), 'images');
  const isFolder = await stat(beside).then(
    (info) => info.isDirectory(),
    () => false,
  );
  return ImageRoots.of(isFolder ? beside : dirname(annotations));
};

const existing = async (paths: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const path of paths) if (await isFile(path)) found.push(path);
  return found;
};
