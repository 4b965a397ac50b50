import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { OPSET_VERSION } from '../../engine/onnx/index.ts';
import { createRuntime } from '../../engine/runtime/create-runtime.ts';
import type { Runtime } from '../../engine/runtime/runtime.ts';
import { signatureOf, type Program } from '../../engine/graph/index.ts';
import { UsageError } from '../../errors.ts';
import { packageVersion } from '../../files/package-folder.ts';
import { checkTarget, replaceFolder, type ReplaceFolderOptions } from '../../files/replace-folder.ts';
import { traceInference } from '../../inference/programs.ts';
import { quantizeProgram } from '../../inference/quantization/quantize-program.ts';
import { traceWholeProgram } from '../../inference/whole-program.ts';
import {
  EXPORT_LAYOUTS,
  EXPORT_MANIFEST_NAME,
  EXPORTED_PROGRAMS,
  exportManifest,
  PRECISIONS,
  type ExportedFiles,
  type ExportedProgram,
  type ExportLayout,
  type ExportManifest,
  type Precision,
} from '../../model-folder/export-manifest.ts';
import { MODEL_FILE_NAMES } from '../../model-folder/layout.ts';
import { readQuantization } from '../../model-folder/node/quantization-file.ts';
import { describeQuantization } from '../../model-folder/quantization.ts';
import { openModelWithFiles, type OpenedModel } from '../../model-folder/node/model-source.ts';
import type { MdetrNetwork } from '../../models/index.ts';
import { checkOptions, functionRule, oneOf, signalRule, stringRule, booleanRule } from '../../options/check-options.ts';
import { writeCompanions } from './companion-files.ts';
import { writeProgram } from './program-files.ts';

/** Options of `exportModel`. */
export interface ExportOptions {
  /** Weights of a training checkpoint to export. Default: the moving average (`ema`) if there is one. */
  readonly weights?: 'model' | 'ema' | undefined;
  /** Path of a JSON file with the official arguments, for a weight file that carries none. */
  readonly config?: string | undefined;
  /** Folder or file of the vocabulary, or the name of a pulled one, for a bare checkpoint. */
  readonly tokenizer?: string | undefined;
  /** Path of GQA's answer table, for its question heads. */
  readonly answers?: string | undefined;
  /** Arrangement of the ONNX files. Default `parts`. */
  readonly layout?: ExportLayout | undefined;
  /** Precision of the stored weights, or several for one folder. Default `float32`. */
  readonly dtype?: Precision | readonly Precision[] | undefined;
  /** Replaces an existing exported folder. Default false. */
  readonly force?: boolean | undefined;
  /** Called with the name of each file before it is written. */
  readonly onProgress?: ((file: string) => void) | undefined;
  /** Cancels the export; nothing is left behind. */
  readonly signal?: AbortSignal | undefined;
}

/** Names of files and folders that an exported folder may contain to be replaced. */
const isOwnFile = (name: string): boolean =>
  OWN_FILE_NAMES.has(name) || /^(image|text|masks|model)(_fp16|_quantized)?\.onnx(_data)?$/.test(name);
const OWN_FILE_NAMES: ReadonlySet<string> = new Set([
  EXPORT_MANIFEST_NAME,
  'onnx',
  'tokenizer.json',
  'tokenizer_config.json',
  MODEL_FILE_NAMES.config,
  MODEL_FILE_NAMES.preprocessing,
  MODEL_FILE_NAMES.answers,
  MODEL_FILE_NAMES.card,
]);

/**
 * Exports a model as ONNX for any ONNX Runtime: the programs with their weights, and beside them the configuration, the
 * vocabulary, the image preparation and a description of all inputs and outputs (`export.json`, `README.md`). The folder is
 * written completely or not at all. `MDETR.fromPretrained` loads it too.
 *
 * @param name a model folder, a `.pth`, a `.safetensors`, or the name of an embedded or pulled model
 * @param out the folder to write
 * @throws {UsageError} for unknown options, and if `out` exists and may not be replaced
 * @throws {MdetrError} if the model cannot be read or the folder cannot be written
 * @example
 * await exportModel('default', 'exported', { layout: 'hub', dtype: ['float32', 'float16'] });
 */
export const exportModel = async (name: string, out: string, options: ExportOptions = {}): Promise<ExportManifest> => {
  checkOptions('exportModel', { ...options, dtype: undefined }, EXPORT_RULES);
  const precisions = precisionsOf(options.dtype);
  const { layout = 'parts', force = false, signal } = options;
  const rule: ReplaceFolderOptions = { what: 'exported folder', isOwn: isOwnFile, force };
  await checkTarget(out, rule);
  const opened = await openModelWithFiles(name, options);
  try {
    if (resolve(opened.path) === resolve(out)) throw new UsageError(`${out}: is the model itself; name another folder`);
    const runtime = await createRuntime();
    let manifest: ExportManifest | undefined;
    const fill = async (folder: string): Promise<void> => {
      manifest = await fillFolder(folder, opened, runtime, {
        ...options,
        layout,
        precisions,
        title: basename(resolve(out)),
      });
      signal?.throwIfAborted();
    };
    await replaceFolder(out, fill, rule);
    return manifest!;
  } finally {
    await opened.source.close();
  }
};

const EXPORT_RULES = {
  layout: oneOf(...EXPORT_LAYOUTS),
  dtype: oneOf(...PRECISIONS),
  force: booleanRule,
  onProgress: functionRule,
  signal: signalRule,
  weights: oneOf('model', 'ema'),
  config: stringRule,
  tokenizer: stringRule,
  answers: stringRule,
};

/** The precisions to write, each once, most exact first. @throws {UsageError} for an unknown one */
const precisionsOf = (dtype: ExportOptions['dtype'] = 'float32'): readonly Precision[] => {
  const wanted: readonly string[] = typeof dtype === 'string' ? [dtype] : dtype;
  const unknown = wanted.find((name) => !(PRECISIONS as readonly string[]).includes(name));
  if (unknown !== undefined || wanted.length === 0)
    throw new UsageError(
      `exportModel: dtype must be ${PRECISIONS.join(', ')} or several of them, not ${JSON.stringify(dtype)}`,
    );
  return PRECISIONS.filter((name) => wanted.includes(name));
};

interface FillOptions {
  readonly layout: ExportLayout;
  readonly precisions: readonly Precision[];
  /** Name of the model in its card. */
  readonly title: string;
  readonly onProgress?: ((file: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const fillFolder = async (
  folder: string,
  opened: OpenedModel,
  runtime: Runtime,
  { layout, precisions, title, onProgress, signal }: FillOptions,
): Promise<ExportManifest> => {
  const programs = programsOf(opened.source.model, layout);
  const wantsInt8 = precisions.includes('int8') && opened.isFolder;
  const quantization = wantsInt8 ? await readQuantization(opened.path) : undefined;
  const written: Partial<Record<Precision, Partial<Record<ExportedProgram, ExportedFiles>>>> = {};
  const files: Record<string, { bytes: number; sha256: string }> = {};
  if (layout === 'hub') await mkdir(join(folder, 'onnx'));
  for (const precision of precisions) {
    written[precision] = {};
    for (const [name, program] of programs) {
      signal?.throwIfAborted();
      const place = { folder, layout, name, precision };
      const isInteger = precision === 'int8' && quantization !== undefined && (name === 'image' || name === 'model');
      const form = isInteger ? quantizeProgram(program, quantization.ranges).program : program;
      const result = await writeProgram(form, opened.source, runtime, place, onProgress);
      written[precision][name] = result.files;
      Object.assign(files, result.digests);
    }
  }
  const contents = {
    mdetr: packageVersion(),
    layout,
    opset: OPSET_VERSION,
    programs: Object.fromEntries(programs.map(([name, program]) => [name, signatureOf(program)])),
    precisions: written,
    quantization: quantization && describeQuantization(quantization),
  };
  Object.assign(files, await writeCompanions(folder, opened, { ...contents, files, title }));
  const manifest = exportManifest({ ...contents, files });
  await writeFile(join(folder, EXPORT_MANIFEST_NAME), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return manifest;
};

/** The programs of a layout by name. */
const programsOf = (model: MdetrNetwork, layout: ExportLayout): readonly (readonly [ExportedProgram, Program])[] => {
  const traced: Partial<Record<ExportedProgram, Program | undefined>> =
    layout === 'parts' ? traceInference(model) : { model: traceWholeProgram(model) };
  return EXPORTED_PROGRAMS.flatMap((name) => (traced[name] === undefined ? [] : [[name, traced[name]] as const]));
};
