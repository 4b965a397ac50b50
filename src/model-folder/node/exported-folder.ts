import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason, MdetrError } from '../../errors.ts';
import { readJsonFile } from '../../files/json/json-file.ts';
import {
  choosePrecision,
  EXPORT_MANIFEST_NAME,
  parseExportManifest,
  type ExportManifest,
  type Precision,
} from '../export-manifest.ts';
import { exportedModel, type ExportedModel } from '../exported-model.ts';
import { MODEL_FILE_NAMES } from '../layout.ts';
import { fileDigest } from './file-digest.ts';
import { preprocessingBeside, readRecord } from './model-files.ts';
import { readModelParts, type ModelSourceOptions } from './model-source.ts';

/** Reads the manifest of an exported folder. @throws {MdetrError} if it is broken or newer than this version of mdetr */
export const readExportManifest = async (folder: string): Promise<ExportManifest> => {
  const path = join(folder, EXPORT_MANIFEST_NAME);
  return parseExportManifest(await readJsonFile(path), path);
};

/**
 * Opens an exported folder and checks its files.
 *
 * @param precision default: the most exact one of the folder
 * @throws {MdetrError} if a file is missing, broken or was changed, or if the folder does not have the precision
 */
export const openExportedFolder = async (
  name: string,
  folder: string,
  options: Pick<ModelSourceOptions, 'tokenizer' | 'answers'> & { readonly precision?: Precision | undefined },
): Promise<ExportedModel> => {
  const manifest = await readExportManifest(folder);
  const chosen = choosePrecision(manifest, options.precision, folder);
  const configPath = join(folder, MODEL_FILE_NAMES.config);
  const { parts } = await readModelParts(
    name,
    {
      path: folder,
      folder,
      config: { values: await readRecord(configPath), source: configPath },
      preprocessing: await preprocessingBeside(folder),
    },
    options,
  );
  return exportedModel(parts, manifest, chosen, folder, async ({ file, data }) => {
    for (const name of [file, data]) if (name !== undefined) await checkFile(folder, name, manifest);
    return join(folder, file);
  });
};

/** Checks size and digest of a file. Digests are remembered, so that an unchanged file is read once. */
const checkFile = async (folder: string, file: string, { files }: ExportManifest): Promise<void> => {
  const path = join(folder, file);
  const expected = files[file];
  if (expected === undefined) throw new MdetrError(`${join(folder, EXPORT_MANIFEST_NAME)}: lists no file "${file}"`);
  const info = await stat(path).catch((error: unknown) => {
    throw new MdetrError(`${path}: cannot be read (${fileReason(error)})`, { cause: error });
  });
  if (info.size !== expected.bytes)
    throw new MdetrError(
      `${path}: has ${info.size} bytes instead of ${expected.bytes}; copy or export the folder again`,
    );
  if ((await fileDigest(path)) !== expected.sha256)
    throw new MdetrError(`${path}: was changed since the export (SHA-256 differs); copy or export the folder again`);
};
