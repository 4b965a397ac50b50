import * as z from 'zod';
import { readJsonFile } from '../../../files/json/json-file.ts';
import { CodePointMap } from '../../../text/spans/code-points.ts';
import type { ImportedImage, ImportedObject, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitOfPath } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { readJsonList, withPauses } from '../../source/json-entries.ts';
import { readJsonLines } from '../../source/json-lines.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { sizeOf } from '../field-numbers.ts';
import { classOfNumber, classOfUnnamed } from '../unnamed-classes.ts';
import { filesByOutline } from '../recognition.ts';
import { boxOfCorners } from '../shapes.ts';

const corners = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const instanceSchema = z.looseObject({
  bbox: corners,
  label: z.union([z.int(), z.string()]).nullish(),
  category: z.string().nullish(),
});
const regionSchema = z.looseObject({
  bbox: z.union([corners, z.array(corners)]),
  phrase: z.union([z.string(), z.array(z.string())]),
  tokens_positive: z.array(z.tuple([z.int(), z.int()])).nullish(),
});
const rowSchema = z.looseObject({
  filename: z.string().min(1),
  width: z.unknown().optional(),
  height: z.unknown().optional(),
  detection: z.looseObject({ instances: z.array(instanceSchema) }).nullish(),
  grounding: z.looseObject({ caption: z.string(), regions: z.array(regionSchema) }).nullish(),
});

/**
 * Importer of ODVG, the JSON Lines of Grounding DINO's fine-tuning code: rows with classes (`detection`) and rows with
 * captions and phrases (`grounding`), which may be mixed. Boxes are corners in pixels. Numbers without a category are looked
 * up in a label map (`{"0": "person"}`) beside.
 */
export const odvgImporter: Importer = {
  name: 'odvg',
  title: 'ODVG JSON Lines',
  files: 'JSON Lines files with "filename" and "detection" or "grounding"',

  recognize: (source) =>
    filesByOutline(
      source,
      /\.(jsonl?|ndjson|odvg)$/i,
      ({ keys }) => keys.has('filename') && (keys.has('detection') || keys.has('grounding')),
    ),

  async *read(source, files, options) {
    const map = await labelMapOf(source);
    for (const file of files)
      for await (const entry of rowsOf(source, file, options))
        yield* options.badRows.attempt(() => imagesOf(source, file, entry, map, options)) ?? [];
  },
};

const imagesOf = (
  source: ImportSource,
  file: string,
  { value, location }: { readonly value: unknown; readonly location: string },
  map: LabelMap | undefined,
  options: ImportOptions,
): ImportedImage[] => {
  const row = checked(rowSchema, value, location);
  if (row.detection == null && row.grounding == null)
    throw new BadRowError(`${location}: has neither "detection" nor "grounding"`);
  const common = {
    fileName: row.filename,
    path: source.findImage(row.filename, file),
    width: sizeOf(row.width),
    height: sizeOf(row.height),
    split: splitOfPath(file),
    location,
  };
  const images: ImportedImage[] = [];
  if (row.detection != null)
    images.push({ ...common, objects: classObjects(row.detection.instances, map, location, options) });
  if (row.grounding != null) {
    const { caption } = row.grounding;
    images.push({ ...common, caption, objects: phraseObjects(row.grounding, location) });
  }
  return images;
};

/** Rows of a JSON Lines file, of a list, or of a file with one row. */
const rowsOf = (
  source: ImportSource,
  file: string,
  { badRows }: ImportOptions,
): AsyncIterable<{ value: unknown; location: string }> => {
  const path = source.pathOf(file);
  const kind = source.outlineOf(file)?.kind;
  return kind === 'lines' ? readJsonLines(path, { badRows }) : kind === 'list' ? listRows(path) : singleRow(path);
};

const listRows = async function* (path: string): AsyncGenerator<{ value: unknown; location: string }> {
  for await (const { value, location } of withPauses(readJsonList(path)))
    yield { value, location: `${path}: ${location}` };
};

const singleRow = async function* (path: string): AsyncGenerator<{ value: unknown; location: string }> {
  yield { value: await readJsonFile(path), location: `${path}: line 1` };
};

const classObjects = (
  instances: readonly z.output<typeof instanceSchema>[],
  map: LabelMap | undefined,
  location: string,
  options: ImportOptions,
): ImportedObject[] =>
  instances.map(({ bbox, label, category }, i) => {
    const place = `${location}: detection.instances[${i}]`;
    const stated = label == null ? undefined : (map?.names.get(String(label)) ?? options.classNames?.[Number(label)]);
    const name = category ?? stated ?? (typeof label === 'string' ? label : undefined);
    if (label == null && name == null)
      return { label: classOfUnnamed(options, place), bbox: boxOfCorners(...bbox), location: place };
    if (map !== undefined && name === undefined)
      throw new BadRowError(`${place}: label ${String(label)} has no category, and ${map.path} does not name it`);
    return {
      label: name ?? classOfNumber(Number(label), options, place),
      bbox: boxOfCorners(...bbox),
      location: place,
    };
  });

const phraseObjects = (
  { caption, regions }: { readonly caption: string; readonly regions: readonly z.output<typeof regionSchema>[] },
  location: string,
): ImportedObject[] => {
  const codePoints = new CodePointMap(caption);
  return regions.flatMap(({ bbox, phrase, tokens_positive: spans }, i) => {
    const place = `${location}: grounding.regions[${i}]`;
    const boxes = (typeof bbox[0] === 'number' ? [bbox] : bbox) as readonly z.output<typeof corners>[];
    const phrases = typeof phrase === 'string' ? [phrase] : phrase;
    return boxes.map((box, j): ImportedObject => ({
      // Lists of equal length pair phrases with boxes; one phrase is that of all boxes.
      label: phrases[phrases.length === boxes.length ? j : 0] ?? '',
      bbox: boxOfCorners(...box),
      spans: spans?.map((own) => codePoints.toSpan(own)),
      location: place,
    }));
  });
};

interface LabelMap {
  readonly path: string;
  readonly names: ReadonlyMap<string, string>;
}

/** The label map of a source: a JSON object whose keys are numbers and whose values are names. */
const labelMapOf = async (source: ImportSource): Promise<LabelMap | undefined> => {
  for (const file of source.files) {
    if (!/\.json$/i.test(file)) continue;
    const outline = source.outlineOf(file);
    if (outline?.kind !== 'object' || ![...outline.keys].every((key) => /^\d+$/.test(key)) || outline.keys.size === 0)
      continue;
    const content = z.record(z.string(), z.string()).safeParse(await readJsonFile(source.pathOf(file)));
    if (content.success) return { path: source.pathOf(file), names: new Map(Object.entries(content.data)) };
  }
  return undefined;
};
