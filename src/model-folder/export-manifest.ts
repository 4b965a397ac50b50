import * as z from 'zod';
import type { ProgramSignature } from '../engine/graph/index.ts';
import { MdetrError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';
import { PRECISIONS, type Precision } from './precision.ts';

/** Name of the file that lists the contents of an exported folder. */
export const EXPORT_MANIFEST_NAME = 'export.json';

/** Version of the layout of exported folders. A folder with a newer one is refused. */
const EXPORT_VERSION = 1;

export { PRECISIONS, type Precision };

/**
 * Arrangement of the ONNX files of an exported folder: `parts` (image, text and masks apart, so that an image is encoded
 * once for many captions), `single` (`model.onnx`), `hub` (`onnx/model.onnx`, as the Hugging Face hub expects).
 */
export type ExportLayout = 'parts' | 'single' | 'hub';
/** All values of `ExportLayout`. */
export const EXPORT_LAYOUTS = ['parts', 'single', 'hub'] as const satisfies readonly ExportLayout[];

/** Names of the programs of an exported folder: `model` alone, or the others. */
export type ExportedProgram = 'image' | 'text' | 'masks' | 'model';
/** All values of `ExportedProgram`. */
export const EXPORTED_PROGRAMS = ['image', 'text', 'masks', 'model'] as const satisfies readonly ExportedProgram[];

/** The files of a program in one precision. */
export interface ExportedFiles {
  /** ONNX file, relative to the folder, with `/`. */
  readonly file: string;
  /** Weights outside of the ONNX file, in the same folder; undefined if it has all of them. */
  readonly data?: string | undefined;
}

/** Contents of `export.json`. */
export interface ExportManifest {
  /** Tells the file from others. */
  readonly format: 'mdetr-export';
  /** Version of this format. */
  readonly version: number;
  /** Version of mdetr that wrote the folder. */
  readonly mdetr: string;
  /** Arrangement of the programs. */
  readonly layout: ExportLayout;
  /** ONNX operator set. */
  readonly opset: number;
  /** Inputs and outputs of each program; the same in all precisions. */
  readonly programs: { readonly [Name in ExportedProgram]?: ProgramSignature | undefined };
  /** Files of each program, for each precision that the folder has. */
  readonly precisions: {
    readonly [Name in Precision]?: { readonly [Program in ExportedProgram]?: ExportedFiles | undefined } | undefined;
  };
  /** Measured ranges with which the backbone of the int8 programs computes with integers, in a sentence. */
  readonly quantization?: string | undefined;
  /** Size and SHA-256 of every other file of the folder, by path. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** A path inside the folder: one level deep at most, never hidden. */
const pathSchema = z.string().regex(/^([\w-][\w.-]*\/)?[\w-][\w.-]*$/, 'must be the name of a file in the folder');
const valueSchema = z.strictObject({
  name: z.string().min(1).max(200),
  dtype: z.enum(['float32', 'float64', 'float16', 'int64', 'int32', 'uint32', 'uint8', 'bool']),
  shape: z.array(z.union([z.number().int().min(0), z.string().max(1000)])).max(8),
});
const signatureSchema = z.strictObject({
  inputs: z.array(valueSchema).max(100),
  outputs: z.array(valueSchema).max(100),
});
const filesSchema = z.strictObject({ file: pathSchema, data: pathSchema.optional() });
const manifestSchema = z.object({
  format: z.literal('mdetr-export'),
  version: z.number().int().positive(),
  mdetr: z.string().max(100),
  layout: z.enum(EXPORT_LAYOUTS),
  opset: z.number().int().positive(),
  programs: z.partialRecord(z.enum(EXPORTED_PROGRAMS), signatureSchema),
  precisions: z.partialRecord(z.enum(PRECISIONS), z.partialRecord(z.enum(EXPORTED_PROGRAMS), filesSchema)),
  quantization: z.string().max(1000).optional(),
  files: z.record(
    pathSchema,
    z.strictObject({ bytes: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

/** The programs that a layout must have; `masks` is optional. */
const REQUIRED_PROGRAMS: Readonly<Record<ExportLayout, readonly ExportedProgram[]>> = {
  parts: ['image', 'text'],
  single: ['model'],
  hub: ['model'],
};

/**
 * Parses the contents of an `export.json`.
 *
 * @param where names the file in errors
 * @throws {MdetrError} naming the field that is wrong, or if the layout is newer than this version of mdetr
 */
export const parseExportManifest = (json: unknown, where: string): ExportManifest => {
  const version: unknown =
    typeof json === 'object' && json !== null ? (json as { version?: unknown }).version : undefined;
  if (typeof version === 'number' && version > EXPORT_VERSION)
    throw new MdetrError(
      `${where}: written by a newer version of mdetr (layout ${version}, this one reads ${EXPORT_VERSION}); update mdetr`,
    );
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error);
    throw new MdetrError(`${where}: "${field}": ${message}`);
  }
  const manifest = parsed.data;
  for (const [precision, programs] of Object.entries(manifest.precisions))
    for (const name of REQUIRED_PROGRAMS[manifest.layout])
      if (programs[name] === undefined || manifest.programs[name] === undefined)
        throw new MdetrError(`${where}: the ${precision} export has no program "${name}"`);
  if (Object.keys(manifest.precisions).length === 0) throw new MdetrError(`${where}: "precisions" is empty`);
  return manifest;
};

/** The manifest of a new export. */
export const exportManifest = (contents: Omit<ExportManifest, 'format' | 'version'>): ExportManifest => ({
  format: 'mdetr-export',
  version: EXPORT_VERSION,
  ...contents,
});

/** Ending that a precision gives to the name of an ONNX file, as on the Hugging Face hub: `model_fp16.onnx`. */
const PRECISION_SUFFIXES: Readonly<Record<Precision, string>> = { float32: '', float16: '_fp16', int8: '_quantized' };

/** Path of a program's ONNX file in an exported folder. */
export const exportedFileName = (layout: ExportLayout, program: ExportedProgram, precision: Precision): string =>
  `${layout === 'hub' ? 'onnx/' : ''}${program}${PRECISION_SUFFIXES[precision]}.onnx`;

/** A precision of an exported folder, with the files of its programs. */
export interface ChosenPrecision {
  readonly precision: Precision;
  readonly programs: { readonly [Name in ExportedProgram]?: ExportedFiles | undefined };
}

/**
 * The precision to load: the one that the caller asks for, or the only one, or the most exact.
 *
 * @throws {MdetrError} if the folder does not have it; the message says which it has
 */
export const choosePrecision = (
  { precisions }: ExportManifest,
  wanted: Precision | undefined,
  where: string,
): ChosenPrecision => {
  const present = PRECISIONS.filter((name) => precisions[name] !== undefined);
  const precision = wanted ?? present[0]!;
  const programs = precisions[precision];
  if (programs === undefined)
    throw new MdetrError(
      `${where}: exported as ${present.join(' and ')}, not ${precision}; export it again with --dtype ${precision}`,
    );
  return { precision, programs };
};
