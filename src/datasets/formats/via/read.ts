import * as z from 'zod';
import { MdetrError } from '../../../errors.ts';
import { readTextFile, readJsonFile } from '../../../files/json/json-file.ts';
import type { ImportedImage, Importer, ImportOptions } from '../../import/importer.ts';
import { fileHead } from '../../import/file-head.ts';
import type { ImportSource } from '../../import/import-source.ts';
import type { JsonOutline } from '../../import/json-outline.ts';
import { splitOfPath } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { parseCsv, type CsvTable } from '../csv/table.ts';
import { parsedField } from './json-field.ts';
import {
  attributesOfRegion,
  classAttributeOf,
  objectOfRegion,
  regionSchema,
  type AttributeOptions,
  type Region,
} from './regions.ts';
import { isVia3, readVia3 } from './version-3.ts';
import { isVia3Csv, projectOfVia3Csv } from './version-3-csv.ts';

const HEAD_BYTES = 16 * 1024;
const fileSchema = z.looseObject({
  filename: z.string().min(1),
  regions: z.union([z.array(z.unknown()), z.record(z.string(), z.unknown())]).nullish(),
});
const record = z.record(z.string(), z.unknown());

/**
 * Importer of the VGG Image Annotator: annotations and projects of versions 1 and 2 as JSON or CSV, projects and CSV exports of
 * version 3.
 * The class is the region attribute that is called so (class, label, name, type …), else the one that most regions have.
 */
export const viaImporter: Importer = {
  name: 'via',
  title: 'VGG Image Annotator (VIA)',
  files: 'JSON or CSV files with "region_attributes"',

  async recognize(source) {
    await Promise.resolve();
    return source.files.filter((file) => {
      if (/\.csv$/i.test(file)) {
        const head = fileHead(source.pathOf(file), HEAD_BYTES);
        return head.includes('region_shape_attributes') || isVia3Csv(head);
      }
      if (!/\.json$/i.test(file)) return false;
      const outline = source.outlineOf(file);
      return outline?.kind === 'object' && isVia(outline);
    });
  },

  async *read(source, files, options) {
    const regions: PlacedRegions[] = [];
    const choices = new Map<string, ReadonlyMap<string, string>>();
    for (const file of files) {
      if (/\.csv$/i.test(file)) {
        const text = await readTextFile(source.pathOf(file));
        if (isVia3Csv(text.slice(0, HEAD_BYTES)))
          yield* readVia3(source, file, projectOfVia3Csv(text, source.pathOf(file), options.badRows), options);
        else for (const entry of readCsv(source, file, text, options)) regions.push(entry);
      } else {
        const content = checked(record, await readJsonFile(source.pathOf(file)), source.pathOf(file));
        if (isVia3(content)) yield* readVia3(source, file, content, options);
        else {
          for (const entry of readJson(source, file, content, options)) regions.push(entry);
          for (const [key, own] of choicesOf(content)) choices.set(key, own);
        }
      }
    }
    const classAttribute = classAttributeOf(
      regions.flatMap(({ regions: own }) => own.map(({ region }) => attributesOfRegion(region))),
    );
    if (classAttribute !== undefined) options.notes.add('attributes that are taken for the class', classAttribute);
    yield* options.badRows.usable(regions, (entry) => imageOf(source, entry, classAttribute, choices, options));
  },
};

interface PlacedRegions {
  readonly file: string;
  readonly fileName: string;
  readonly location: string;
  readonly regions: readonly { readonly region: Region; readonly location: string }[];
}

const isVia = ({ keys, first }: JsonOutline): boolean => {
  if (keys.has('_via_img_metadata')) return true;
  if (keys.has('metadata') && keys.has('view') && keys.has('file')) return true;
  return typeof first === 'object' && first !== null && 'filename' in first && 'regions' in first;
};

const readJson = (
  source: ImportSource,
  file: string,
  content: Readonly<Record<string, unknown>>,
  { badRows }: ImportOptions,
): PlacedRegions[] => {
  const path = source.pathOf(file);
  const isProject = '_via_img_metadata' in content;
  const entries = isProject ? checked(record, content['_via_img_metadata'], `${path}: _via_img_metadata`) : content;
  const readEntry = ([key, value]: readonly [string, unknown]): PlacedRegions => {
    const location = `${path}: [${JSON.stringify(key.slice(0, 80))}]`;
    const { filename, regions } = checked(fileSchema, value, location);
    return {
      file,
      fileName: filename,
      location,
      regions: Array.from(
        badRows.usable(Object.entries(regions ?? {}), ([index, region]) => {
          const place = `${location}: regions[${index}]`;
          return { region: checked(regionSchema, region, place), location: place };
        }),
      ),
    };
  };
  return [...badRows.usable(Object.entries(entries), readEntry)];
};

const readCsv = (source: ImportSource, file: string, text: string, { badRows }: ImportOptions): PlacedRegions[] => {
  const path = source.pathOf(file);
  const { rows } = parseCsv(text, path);
  const header = (rows[0]?.values ?? []).map((name) => name.replace(/^#/, '').trim());
  const column = (name: string): number => {
    const index = header.indexOf(name);
    if (index < 0) throw new MdetrError(`${path}: line 1: has no column ${name}`);
    return index;
  };
  const [image, shape, attributes] = [
    column('filename'),
    column('region_shape_attributes'),
    column('region_attributes'),
  ];
  const images = new Map<string, { location: string; regions: PlacedRegions['regions'][number][] }>();
  const readRow = ({ values, line }: CsvTable['rows'][number]): void => {
    const location = `${path}: line ${line}`;
    const fileName = values[image] ?? '';
    if (fileName === '') throw new BadRowError(`${location}: names no image`);
    const entry = images.get(fileName) ?? { location, regions: [] };
    images.set(fileName, entry);
    const shapeText = values[shape] ?? '';
    // An image without regions has a row with an empty shape.
    if (/^\s*(\{\s*\})?\s*$/.test(shapeText)) return;
    const region = {
      shape_attributes: parsedField(shapeText, `${location}: region_shape_attributes`),
      region_attributes: parsedField(values[attributes] ?? '{}', `${location}: region_attributes`),
    };
    entry.regions.push({ region: checked(regionSchema, region, location), location });
  };
  for (const row of rows.slice(1)) badRows.attempt(() => readRow(row));
  return [...images].map(([fileName, entry]) => ({ file, fileName, ...entry }));
};

const imageOf = (
  source: ImportSource,
  { file, fileName, location, regions }: PlacedRegions,
  classAttribute: string | undefined,
  choices: AttributeOptions,
  options: ImportOptions,
): ImportedImage => ({
  fileName,
  path: source.findImage(fileName, file),
  split: splitOfPath(file),
  objects: Array.from(
    options.badRows.usable(regions, ({ region, location: place }) =>
      objectOfRegion(region, classAttribute, choices, place, options),
    ),
  ),
  location,
});

/** Texts of the options of a project's region attributes. */
const choicesOf = (content: Readonly<Record<string, unknown>>): Map<string, ReadonlyMap<string, string>> => {
  const schema = z.looseObject({
    region: z.record(z.string(), z.looseObject({ options: z.record(z.string(), z.unknown()).optional() })).optional(),
  });
  const parsed = schema.safeParse(content['_via_attributes']);
  const choices = new Map<string, ReadonlyMap<string, string>>();
  for (const [key, { options = {} }] of Object.entries(parsed.data?.region ?? {})) {
    const texts = Object.entries(options).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    // Ids that are words are the class names; descriptions of them are explanations.
    if (texts.length > 0 && texts.every(([id]) => /^\d+$/.test(id))) choices.set(key, new Map(texts));
  }
  return choices;
};
