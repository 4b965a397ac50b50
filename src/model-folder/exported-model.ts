import { declareProgram, type Program } from '../engine/graph/index.ts';
import type { CompiledProgram } from '../engine/runtime/runtime.ts';
import type {
  ChosenPrecision,
  ExportedFiles,
  ExportedProgram,
  ExportLayout,
  ExportManifest,
} from './export-manifest.ts';
import type { Precision } from './precision.ts';
import { combineParts, type ModelParts, type ModelSource } from './model-source.ts';

/** A program of an exported folder: its declaration, and the path or the contents of its ONNX file. */
export interface ExportedProgramFile {
  readonly program: Program;
  readonly compiled: string | CompiledProgram;
}

/** The programs of an exported folder. */
export interface ExportedPrograms {
  readonly layout: ExportLayout;
  readonly programs: { readonly [Name in ExportedProgram]?: ExportedProgramFile };
}

/** An exported model, whose programs are ready to load. */
export type ExportedModel = Omit<ModelSource, 'model' | 'weights' | 'close'> & ExportedPrograms;

/**
 * Combines the parts of an exported model with its programs in one precision.
 *
 * @param where path or URL of the folder
 * @param open gives the path or the contents of a program's checked files
 * @throws {MdetrError} as `combineParts` and `open` do
 */
export const exportedModel = async (
  parts: ModelParts,
  manifest: ExportManifest,
  { precision, programs: chosen }: ChosenPrecision,
  where: string,
  open: (files: ExportedFiles) => Promise<string | CompiledProgram>,
): Promise<ExportedModel> => {
  const programs: Partial<Record<ExportedProgram, ExportedProgramFile>> = {};
  for (const [key, files] of Object.entries(chosen)) {
    const name = key as ExportedProgram;
    const compiled = await open(files);
    programs[name] = { program: declareProgram(name, manifest.programs[name]!), compiled };
  }
  return {
    ...combineParts(parts),
    layout: manifest.layout,
    dtype: precision,
    programs,
    report: `${where}: exported by mdetr ${manifest.mdetr}, weights stored as ${precision}${arithmeticOf(manifest, precision)}`,
  };
};

/** Sentence of the load report about the arithmetic of a precision. */
const arithmeticOf = ({ quantization }: ExportManifest, precision: Precision): string => {
  if (precision !== 'int8') return '';
  return quantization === undefined
    ? '\nint8: weights only (exported without quantization.json)'
    : `\nint8: the backbone computes with integers (${quantization})`;
};
