import { MdetrError } from '../errors.ts';
import {
  choosePrecision,
  EXPORT_MANIFEST_NAME,
  parseExportManifest,
  type ExportManifest,
  type Precision,
} from '../model-folder/export-manifest.ts';
import { exportedModel, type ExportedModel } from '../model-folder/exported-model.ts';
import { downloadOptions, readParts, type ModelFiles, type ReadOptions } from './model-folder.ts';
import { readWeightFile } from './weight-cache.ts';

/** Reads the manifest of an exported folder; undefined for any other folder. @throws {MdetrError} if it is broken */
export const readManifest = async (files: ModelFiles): Promise<ExportManifest | undefined> => {
  const json = await files.json(EXPORT_MANIFEST_NAME);
  return json === undefined ? undefined : parseExportManifest(json, files.urlOf(EXPORT_MANIFEST_NAME));
};

/**
 * Downloads an exported folder, whose files are checked by the digests of its manifest.
 *
 * @param wanted default: the most exact precision of the folder
 * @throws {MdetrError} if a file is missing, broken or was changed, or if the folder does not have the precision
 */
export const readExportedFolder = async (
  files: ModelFiles,
  manifest: ExportManifest,
  wanted: Precision | undefined,
  options: ReadOptions,
): Promise<ExportedModel> => {
  const { url } = files.location;
  const chosen = choosePrecision(manifest, wanted, url);
  const read = async (name: string): Promise<Uint8Array> => {
    const sha256 = manifest.files[name]?.sha256;
    if (sha256 === undefined) throw new MdetrError(`${files.urlOf(EXPORT_MANIFEST_NAME)}: lists no file "${name}"`);
    return (await readWeightFile({ url: files.urlOf(name), name, sha256 }, downloadOptions(name, options))).bytes;
  };
  return exportedModel(await readParts(files), manifest, chosen, url, async ({ file, data }) => ({
    model: await read(file),
    // The ONNX file names its data without their folder.
    weights: data === undefined ? undefined : { path: data.slice(data.lastIndexOf('/') + 1), data: await read(data) },
  }));
};
