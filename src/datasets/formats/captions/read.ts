import * as z from 'zod';
import type { CaptionRange, ImportedImage, ImportedObject, Importer, ImportOptions } from '../../import/importer.ts';
import type { ImportSource } from '../../import/import-source.ts';
import { splitNamed, splitOfPath } from '../../import/stated-split.ts';
import { checked } from '../../source/checked.ts';
import { readJsonLines } from '../../source/json-lines.ts';
import { readJsonFile } from '../../../files/json/json-file.ts';
import { readJsonList } from '../../source/json-entries.ts';
import { BadRowError } from '../../source/bad-rows.ts';
import { sizeOf } from '../field-numbers.ts';
import { filesByOutline } from '../recognition.ts';
import { boxOfCorners } from '../shapes.ts';

const four = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const spanSchema = z.looseObject({
  start: z.int().nonnegative(),
  end: z.int().nonnegative(),
  score: z.number().optional(),
});
const boxSchema = z
  .looseObject({
    /** Corners x0, y0, x1, y1 in pixels. */
    box: four.optional(),
    /** Corner and size x, y, width, height in pixels, as in COCO. */
    bbox: four.optional(),
    phrase: z.string().optional(),
    /** Which occurrence of the phrase is meant, from 0. */
    index: z.int().nonnegative().optional(),
    spans: z.array(spanSchema).optional(),
    span: z.tuple([z.int().nonnegative(), z.int().nonnegative()]).optional(),
  })
  .refine(
    ({ box, bbox }) => (box === undefined) !== (bbox === undefined),
    'needs "box" (x0, y0, x1, y1) or "bbox" (x, y, width, height)',
  )
  .refine(
    ({ phrase, spans, span }) => phrase !== undefined || spans !== undefined || span !== undefined,
    'needs "phrase"',
  );
const rowSchema = z
  .looseObject({
    image: z.string().min(1).optional(),
    file_name: z.string().min(1).optional(),
    filename: z.string().min(1).optional(),
    caption: z.string().min(1),
    width: z.unknown().optional(),
    height: z.unknown().optional(),
    split: z.string().nullish(),
    boxes: z.array(boxSchema).optional(),
    detections: z.array(boxSchema).optional(),
  })
  .refine(
    (row) => (row.image ?? row.file_name ?? row.filename) !== undefined,
    'needs "image", the name of the image file',
  );

/**
 * Importer of captions with phrases, the package's own format: `{ image, caption, boxes: [{ box, phrase }] }`, a list
 * of these, or one on each line. Phrases that occur several times are told apart by their order or by `index`. The JSON Lines
 * of `mdetr detect --json` have the same form.
 */
export const captionsImporter: Importer = {
  name: 'captions',
  title: 'captions with phrases',
  files: 'JSON or JSON Lines files with { image, caption, boxes: [{ box, phrase }] }; results of "mdetr detect --json"',

  recognize: (source) =>
    filesByOutline(
      source,
      /\.(jsonl?|ndjson)$/i,
      ({ keys }) => keys.has('caption') && (keys.has('boxes') || keys.has('detections')),
    ),

  async *read(source, files, options) {
    for (const file of files)
      for await (const entry of rowsOf(source, file, options)) {
        const image = options.badRows.attempt(() => imageOf(source, file, entry));
        if (image !== undefined) yield image;
      }
  },
};

const imageOf = (
  source: ImportSource,
  file: string,
  { value, location }: { readonly value: unknown; readonly location: string },
): ImportedImage => {
  const row = checked(rowSchema, value, location);
  const fileName = row.image ?? row.file_name ?? row.filename!;
  return {
    fileName,
    path: source.findImage(fileName, file),
    width: sizeOf(row.width),
    height: sizeOf(row.height),
    split: splitNamed(row.split ?? '') ?? splitOfPath(file),
    caption: row.caption,
    objects: (row.boxes ?? row.detections ?? []).map((box, i) =>
      objectOf(box, row.caption, `${location}: ${row.boxes === undefined ? 'detections' : 'boxes'}[${i}]`),
    ),
    location,
  };
};

const objectOf = (
  { box, bbox, phrase, index, spans, span }: z.output<typeof boxSchema>,
  caption: string,
  location: string,
): ImportedObject => {
  const ranges: CaptionRange[] | undefined =
    span !== undefined ? [{ start: span[0], end: span[1] }] : spans?.map(({ start, end }) => ({ start, end }));
  const outside = ranges?.find(({ start, end }) => start >= end || end > caption.length);
  if (outside !== undefined)
    throw new BadRowError(
      `${location}: the span [${outside.start}, ${outside.end}] is not in the caption of ${caption.length} characters`,
    );
  return {
    label: phrase ?? (ranges ?? []).map(({ start, end }) => caption.slice(start, end)).join(' '),
    bbox: box === undefined ? bbox! : boxOfCorners(...box),
    spans: ranges,
    occurrence: index,
    location,
  };
};

const rowsOf = async function* (
  source: ImportSource,
  file: string,
  { badRows }: ImportOptions,
): AsyncGenerator<{ value: unknown; location: string }> {
  const path = source.pathOf(file);
  const kind = source.outlineOf(file)?.kind;
  if (kind === 'lines') yield* readJsonLines(path, { badRows });
  else if (kind === 'list')
    for (const { value, location } of readJsonList(path)) yield { value, location: `${path}: ${location}` };
  else yield { value: await readJsonFile(path), location: path };
};
