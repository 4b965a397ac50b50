/**
 * Annotation data: preparing datasets as their authors distribute them, importing exports of labeling tools, combining,
 * checking and showing annotation files in the official format, and writing such files.
 */
export {
  combineCaptions,
  COMBINE_DEFAULTS,
  type CombinedAnnotation,
  type CombinedCaption,
  type CombineOptions,
} from './combine/combine-captions.ts';
export {
  combineFiles,
  type CombineFilesOptions,
  type CombineInput,
  type CombineReport,
} from './combine/combine-files.ts';
export { readVisualGenomeImages, type VisualGenomeImage } from './combine/image-identity.ts';
export type { GuardList } from './combine/leakage-guard.ts';
export type { AttributeChoice } from './import/class-texts.ts';
export { importDataset, type ImportDatasetOptions, type ImportReport } from './import/import-dataset.ts';
export type {
  CaptionRange,
  ImportedImage,
  ImportedObject,
  Importer,
  ImportOptions,
  ImportSplit,
} from './import/importer.ts';
export type { TextKind } from './import/made-texts.ts';
export type { ModelLimits } from './import/model-limits.ts';
export type { DatasetFacts } from './import/training-config.ts';
export {
  importerNamed,
  importers,
  recognizeSource,
  registerImporter,
  type RecognizedSource,
} from './import/importers.ts';
export { imageSizesOf, ImportSource, type ImageSize } from './import/import-source.ts';
export type { JsonOutline } from './import/json-outline.ts';
export { checkDataset, type CheckOptions, type CheckReport, type FileReport } from './inspect/check-dataset.ts';
export type { Finding } from './inspect/findings.ts';
export { galleryPage, type GalleryOptions, type GallerySample } from './inspect/gallery.ts';
export {
  AnnotationWriter,
  RowIds,
  writeAnnotations,
  type AnnotationFileHeader,
  type NewAnnotation,
  type NewImage,
} from './preparation/annotation-writer.ts';
export type {
  Preparation,
  PreparationOption,
  PreparationProgress,
  PreparationReport,
  PreparationRequest,
  PreparationTools,
  PreparedFile,
  PreparedList,
  Remark,
  RootPhrase,
  SourceFile,
} from './preparation/preparation.ts';
export { prepareDataset, type PrepareDatasetOptions } from './preparation/prepare-dataset.ts';
export { Remarks } from './preparation/remarks.ts';
export { BadRowError, BadRows } from './source/bad-rows.ts';
export { exportResults, type ExportReport, type ExportResultsOptions } from './export/export-results.ts';
export type { ExportableResult } from './export/result-images.ts';
export {
  ClassList,
  type ExportContext,
  type ExportedImage,
  type ExportedObject,
  type Exporter,
  type ExportWriter,
  type MaskForm,
} from './export/exporter.ts';
export { exporterNamed, exporters, registerExporter } from './export/exporters.ts';
export { preparations, registerPreparation } from './preparations.ts';
export { requireSources, sourcePath } from './source/source-files.ts';
