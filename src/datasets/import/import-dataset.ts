import { join, relative, resolve, sep } from 'node:path';
import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import { UsageError } from '../../errors.ts';
import { replaceFile } from '../../files/atomic-file.ts';
import { OutputRule } from '../../files/output-rule.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import type { PreparationProgress, PreparationReport, PreparedFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { BadRows } from '../source/bad-rows.ts';
import { readNumberedNames } from './class-names.ts';
import { ClassTexts, type AttributeChoice } from './class-texts.ts';
import { rowsOf, type DatasetRow, type RowOptions } from './dataset-rows.ts';
import { IMPORT_DEFAULTS } from './import-defaults.ts';
import { ImportSource } from './import-source.ts';
import type { ImportSplit } from './importer.ts';
import { recognizeSource } from './importers.ts';
import type { TextKind } from './made-texts.ts';
import { defaultModelLimits, type ModelLimits } from './model-limits.ts';
import { placeImages, type PlacedImage, type PlacedObject } from './placed-images.ts';
import { splitImages } from './splits.ts';
import { trainingConfigOf, type DatasetFacts } from './training-config.ts';

/** Options of `importDataset`. */
export interface ImportDatasetOptions {
  /** Annotation file, or folder with annotations. */
  readonly source: string;
  /** Output folder of the dataset. */
  readonly out: string;
  /** Name of the format. Default: recognized. */
  readonly format?: string | undefined;
  /** Further folder of images, for sources that do not contain them. */
  readonly images?: string | undefined;
  /** How captions are made from classes. Default `classes` and `prompts`: what people type to find them. */
  readonly texts?: readonly TextKind[] | undefined;
  /** Number of absent classes that are mentioned for each image. Default 3. */
  readonly negatives?: number | undefined;
  /** Fraction of the images for validation, if the source has no validation part. Default 0.2. */
  readonly valFraction?: number | undefined;
  /** Attributes that become part of the phrases (`red car`). Default `none`. */
  readonly attributes?: AttributeChoice | undefined;
  /** Class of objects to which the source gives none. */
  readonly defaultClass?: string | undefined;
  /** Number of the first pixel in Pascal VOC files, 0 or 1. Default: decided from all files, and noted. */
  readonly vocOrigin?: 0 | 1 | undefined;
  /** File with the names of numbered classes, one per line. */
  readonly classes?: string | undefined;
  /** Seed of the validation part and of the captions. Default 0. */
  readonly seed?: number | undefined;
  /** Whether an entry that cannot be used stops the import (default), or is left out and counted in the report. */
  readonly onBadRow?: OnBadRow | undefined;
  /** Replace files of an earlier import. Default false. */
  readonly overwrite?: boolean | undefined;
  /** Model that is to be trained, which limits captions. Default: the one of this package. */
  readonly model?: ModelLimits | undefined;
  /** Progress of the steps. */
  readonly progress?: PreparationProgress | undefined;
}

/** Result of `importDataset`. */
export interface ImportReport extends PreparationReport {
  /** Name of the format. */
  readonly format: string;
  /** Annotation files that were read. */
  readonly sources: readonly string[];
  /** Path of the training config. */
  readonly config: string;
  /** Folder that file names of the written rows are relative to. */
  readonly imageFolder: string;
  /** Phrases of the classes, with the number of their boxes; empty for sources with captions. */
  readonly classes: Readonly<Record<string, number>>;
  /** Sizes and counts from which the config was made. */
  readonly facts: DatasetFacts;
}

const SPLITS = ['train', 'val', 'test'] as const;
const CONFIG_FILE = 'config.json';

/**
 * Imports annotations of a labeling tool as `mdetr data import` does: writes `train.json`, `val.json` (and `test.json`, if the
 * source has a test part) in the official format, and `config.json`, which trains on them. Images stay where they are. Nothing
 * is written if the source cannot be used.
 *
 *     const { classes, leftOut } = await importDataset({ source: 'export', out: 'dataset' });
 *
 * @throws {MdetrError} naming file and place of the first thing that makes the source unusable
 * @throws {UsageError} for an unknown format, and for existing files without `overwrite`
 */
export const importDataset = async (options: ImportDatasetOptions): Promise<ImportReport> => {
  const { out, texts, negatives, valFraction, seed } = { ...IMPORT_DEFAULTS, ...definedOf(options) };
  if (!(valFraction >= 0 && valFraction < 1))
    throw new UsageError(`the fraction of validation images is ${valFraction}, not from 0 to below 1`);
  const { progress } = options;
  const [leftOut, notes] = [new Remarks(), new Remarks()];
  const source = await ImportSource.open(options.source, options.images);
  const { importer, files } = await recognizeSource(source, options.format);
  const outputs = new OutputRule({ inputs: files.map((file) => source.pathOf(file)), overwrite: options.overwrite });
  for (const name of [...SPLITS.map((split) => `${split}.json`), CONFIG_FILE])
    outputs.derived(join(out, name), `--out ${out}`);

  progress?.step('read images', Math.max(1, source.images.length));
  const badRows = new BadRows(options.onBadRow, leftOut);
  const read = importer.read(source, files, {
    leftOut,
    notes,
    badRows,
    defaultClass: options.defaultClass,
    vocOrigin: options.vocOrigin,
    classNames: options.classes === undefined ? undefined : await readNumberedNames(options.classes),
  });
  for (const error of source.brokenJson.values()) leftOut.add('files that are not valid JSON', error.message);
  const images = await placeImages(read, { leftOut, notes, badRows }, () => progress?.advance());
  const divided = splitImages(images, { valFraction, seed, notes });

  const model = options.model ?? (await defaultModelLimits());
  const imageFolder = commonFolder(images);
  const classTexts = new ClassTexts(labelsOf(images), options.attributes ?? 'none');
  const phraseOf = (object: PlacedObject): string => classTexts.phraseOf(object);
  const counts = phraseCounts(images, phraseOf);
  const vocabulary = [...counts.keys()];
  const rowOptions: RowOptions = {
    kinds: texts,
    vocabulary,
    negatives,
    maxTokens: model.maxTokens,
    maxObjects: model.maxObjects,
    phraseOf,
    fileNameOf: ({ path }) => relative(imageFolder, resolve(path)).split(sep).join('/'),
    seed,
    leftOut,
    notes,
  };
  const rows = Object.fromEntries(
    SPLITS.map((split) => [split, divided[split].flatMap((image) => rowsOf(image, rowOptions))]),
  ) as unknown as Record<ImportSplit, DatasetRow[]>;
  const facts = factsOf(divided, rows, vocabulary);
  if (facts.boxes === 0)
    throw new UsageError(
      `${options.source}: no usable box (${leftOut.list.map(({ what, count }) => `${what}: ${count}`).join('; ') || 'the images have none'})`,
    );
  const crowded = rows.train.filter(({ annotations }) => annotations.length > model.maxObjects);
  if (crowded.length > 0)
    notes.add(
      `captions with more boxes than the model has queries (${model.maxObjects}); the config raises num_queries`,
      crowded[0]!.location,
      crowded.length,
    );

  // Everything is known and checked; writing comes last.
  const written: PreparedFile[] = [];
  progress?.step(
    'write',
    SPLITS.reduce((sum, split) => sum + rows[split].length, 0),
  );
  for (const split of SPLITS) {
    if (rows[split].length === 0) continue;
    const ids = new RowIds();
    written.push(
      await writeAnnotations(out, `${split}.json`, ids, async (writer) => {
        for (const row of rows[split]) {
          await writer.write(row.image, row.annotations, row.location);
          progress?.advance();
        }
        return { info: { description: `imported from ${importer.title}` } };
      }),
    );
  }
  const config = join(out, CONFIG_FILE);
  const values = trainingConfigOf(facts, model, { out, imageFolder });
  await replaceFile(config, `${JSON.stringify(values, null, 2)}\n`);
  return {
    format: importer.name,
    sources: files.map((file) => source.pathOf(file)),
    config,
    imageFolder,
    classes: Object.fromEntries([...counts].sort((a, b) => b[1] - a[1])),
    facts,
    files: written,
    leftOut: leftOut.list,
    notes: notes.list,
  };
};

const definedOf = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

const labelsOf = (images: readonly PlacedImage[]): Set<string> =>
  new Set(images.flatMap(({ caption, objects }) => (caption === undefined ? objects.map(({ label }) => label) : [])));

/** The innermost folder that contains all images. */
const commonFolder = (images: readonly PlacedImage[]): string => {
  const folders = images.map(({ path }) => resolve(path).split(sep).slice(0, -1));
  let common = folders[0] ?? [];
  for (const folder of folders) {
    let count = 0;
    while (count < common.length && common[count] === folder[count]) count++;
    common = common.slice(0, count);
  }
  return common.join(sep) || sep;
};

/** Phrases of the objects of images without captions, with the number of their boxes. */
const phraseCounts = (images: readonly PlacedImage[], phraseOf: RowOptions['phraseOf']): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { caption, objects } of images) {
    if (caption !== undefined) continue;
    for (const phrase of objects.map(phraseOf)) counts.set(phrase, (counts.get(phrase) ?? 0) + 1);
  }
  return counts;
};

const factsOf = (
  divided: Readonly<Record<ImportSplit, readonly PlacedImage[]>>,
  rows: Readonly<Record<ImportSplit, readonly DatasetRow[]>>,
  vocabulary: readonly string[],
): DatasetFacts => {
  const all = SPLITS.flatMap((split) => rows[split]);
  const boxes = all.flatMap(({ annotations }) => annotations);
  const images = SPLITS.flatMap((split) => divided[split]);
  return {
    images: divided.train.length,
    rows: rows.train.length,
    validationRows: rows.val.length,
    boxes: boxes.length,
    masks: boxes.filter(({ segmentation }) => segmentation !== undefined).length,
    maxBoxes: all.reduce((max, { annotations }) => Math.max(max, annotations.length), 0),
    classes: vocabulary.length,
    width: median(images.map(({ width }) => width)),
    height: median(images.map(({ height }) => height)),
    boxSize: median(boxes.map(({ bbox }) => Math.sqrt((bbox as BoxXywh)[2] * (bbox as BoxXywh)[3]))),
  };
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
