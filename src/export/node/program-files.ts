import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Program } from '../../engine/graph/index.ts';
import { externalDataName, weightBytesOf, writeCompiled } from '../../engine/runtime/node/compiled-files.ts';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { digestOfFile } from '../../files/file-digest.ts';
import { packageVersion } from '../../files/package-folder.ts';
import {
  exportedFileName,
  type ExportedFiles,
  type ExportedProgram,
  type ExportLayout,
  type ExportManifest,
  type Precision,
} from '../../model-folder/export-manifest.ts';
import type { ModelSource } from '../../model-folder/model-source.ts';
import { STORED_FRACTION, storageOf } from '../../model-folder/weight-storage.ts';
import { PROGRAM_DESCRIPTIONS, VALUE_DESCRIPTIONS } from '../value-descriptions.ts';

/**
 * Weights of more bytes than this are stored in a file of their own, which ONNX Runtime maps into memory: inside the ONNX
 * file they would be copied while it is parsed, and 2 GB would be the limit.
 */
const MAX_INLINE_BYTES = 64 * 2 ** 20;
/** Values below this stay in the ONNX file in any case. */
const MIN_EXTERNAL_BYTES = 1024;

/** Destination of a program in an exported folder. */
export interface ProgramPlace {
  readonly folder: string;
  readonly layout: ExportLayout;
  readonly name: ExportedProgram;
  readonly precision: Precision;
}

/** Size and SHA-256 of files by their path in the exported folder. */
export type FileDigests = Record<string, ExportManifest['files'][string]>;

/** Writes one program with its weights. */
export const writeProgram = async (
  program: Program,
  source: Pick<ModelSource, 'weights' | 'preprocessing' | 'config'>,
  runtime: Runtime,
  { folder, layout, name, precision }: ProgramPlace,
  onProgress: (file: string) => void = () => undefined,
): Promise<{ readonly files: ExportedFiles; readonly digests: FileDigests }> => {
  const file = exportedFileName(layout, name, precision);
  onProgress(file);
  const isExternal = weightBytesOf(program) * STORED_FRACTION[precision] > MAX_INLINE_BYTES;
  const path = join(folder, file);
  await writeCompiled(dirname(path), program, source.weights, runtime, {
    modelFile: basename(path),
    weightsFile: externalDataName(basename(path)),
    inlineBytes: isExternal ? MIN_EXTERNAL_BYTES : Infinity,
    storage: storageOf(precision),
    metadata: metadataOf(source, { layout, name, precision }),
    documentation: {
      producerVersion: packageVersion(),
      description: PROGRAM_DESCRIPTIONS[name],
      values: VALUE_DESCRIPTIONS,
    },
  });
  const data = isExternal ? externalDataName(file) : undefined;
  return {
    files: data === undefined ? { file } : { file, data },
    digests: await digestsOf(folder, data === undefined ? [file] : [file, data]),
  };
};

/** Key-value pairs in the ONNX file: enough to prepare its inputs without the files beside it. */
const metadataOf = (
  { preprocessing, config }: Pick<ModelSource, 'preprocessing' | 'config'>,
  { layout, name, precision }: Omit<ProgramPlace, 'folder'>,
): Record<string, string> => ({
  'mdetr.program': name,
  'mdetr.layout': layout,
  'mdetr.dtype': precision,
  'mdetr.shortest_edge': String(preprocessing.shortestEdge),
  'mdetr.longest_edge': String(preprocessing.longestEdge),
  'mdetr.num_queries': String(config.num_queries),
  'mdetr.text_encoder_type': config.text_encoder_type,
});

/** Sizes and digests of files of a folder. */
export const digestsOf = async (folder: string, files: readonly string[]): Promise<FileDigests> => {
  const digests: FileDigests = {};
  for (const file of files) {
    const path = join(folder, file);
    digests[file] = { bytes: (await stat(path)).size, sha256: await digestOfFile(path, 'sha256') };
  }
  return digests;
};
