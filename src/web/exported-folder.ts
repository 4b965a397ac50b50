import { declareProgram } from '../engine/graph/index.ts';
import type { CompiledProgram } from '../engine/runtime/runtime.ts';
import { MdetrError } from '../errors.ts';
import type { ExportedPrograms, ExportedProgramFile } from '../inference/exported-stages.ts';
import {
  choosePrecision,
  EXPORT_MANIFEST_NAME,
  parseExportManifest,
  type ExportedProgram,
  type ExportManifest,
  type Precision,
} from '../model-folder/export-manifest.ts';
import { combineParts, type ModelSource } from '../model-folder/model-source.ts';
import { downloadOptions, readParts, type ModelFiles, type ReadOptions } from './model-folder.ts';
import { readWeightFile } from './weight-cache.ts';

/** An exported model whose files were downloaded. */
export type ExportedModel = Omit<ModelSource, 'model' | 'weights' | 'close'> & ExportedPrograms;

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
  const { precision, programs: chosen } = choosePrecision(manifest, wanted, url);
  const read = async (name: string): Promise<Uint8Array> => {
    const sha256 = manifest.files[name]?.sha256;
    if (sha256 === undefined) throw new MdetrError(`${files.urlOf(EXPORT_MANIFEST_NAME)}: lists no file "${name}"`);
    return (await readWeightFile({ url: files.urlOf(name), name, sha256 }, downloadOptions(name, options))).bytes;
  };
  const programs: Partial<Record<ExportedProgram, ExportedProgramFile>> = {};
  const parts = await readParts(files);
  for (const [key, { file, data }] of Object.entries(chosen)) {
    const name = key as ExportedProgram;
    const compiled: CompiledProgram = {
      model: await read(file),
      // The ONNX file names its data without their folder.
      weights: data === undefined ? undefined : { path: data.slice(data.lastIndexOf('/') + 1), data: await read(data) },
    };
    programs[name] = { program: declareProgram(name, manifest.programs[name]!), compiled };
  }
  return {
    ...combineParts(parts),
    layout: manifest.layout,
    programs,
    report: `${url}: exported by mdetr ${manifest.mdetr}, weights stored as ${precision}`,
  };
};
