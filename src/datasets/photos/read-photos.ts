import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MdetrError, messageOf } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import { Lexicon, type LexiconJson } from '../../text/lexicon/lexicon.ts';
import { PHOTO_TIERS, type PhotoRow, type PhotoTier } from './photo-row.ts';

const box = z.tuple([z.number(), z.number(), z.number(), z.number()]).readonly();
const object = z.object({
  noun: z.string(),
  box,
  weight: z.number().min(0).max(1),
  human: z.boolean().optional(),
});
const rowSchema = z.object({
  id: z.string(),
  source: z.string(),
  tier: z.enum(PHOTO_TIERS),
  heldOut: z.boolean().optional(),
  parts: z
    .array(z.object({ file: z.string(), crop: box.optional(), at: box.optional(), flipped: z.boolean().optional() }))
    .min(1),
  objects: z.array(object),
  ignored: z.array(object),
  folderNoun: z.string().optional(),
  captions: z.array(
    z.object({
      caption: z.string(),
      phrases: z.array(
        z.object({
          start: z.number().int().min(0),
          end: z.number().int().min(1),
          objects: z.array(z.number().int().min(0)),
        }),
      ),
    }),
  ),
  rarity: z.number().min(0).optional(),
});

/**
 * Rows of a file of photographs that are kept, with their indices in the file.
 *
 * @throws {MdetrError} naming the line that is not JSON, and its field that has a wrong value
 */
export const readPhotoRows = (
  path: string,
  keeps: (row: PhotoRow) => boolean,
): readonly { readonly row: PhotoRow; readonly index: number }[] => {
  if (!existsSync(path))
    throw new MdetrError(`${path}: no such file: make it with scripts/photos/make-dataset.ts (docs/photographs.md)`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line === '') return [];
      const row = parseRow(line, `${path}: line ${index + 1}`);
      return keeps(row) ? [{ row, index }] : [];
    });
};

/** Rows of a folder of photographs that a training with these terms uses: not those that are held out, nor those without objects. */
export const readTrainingPhotos = (folder: string, tier: PhotoTier): ReturnType<typeof readPhotoRows> =>
  readPhotoRows(
    join(folder, 'photos.jsonl'),
    (row) =>
      row.heldOut !== true && PHOTO_TIERS.indexOf(row.tier) <= PHOTO_TIERS.indexOf(tier) && row.objects.length > 0,
  );

/** Lexicon of a folder of photographs. */
export const readPhotoLexicon = (folder: string): Lexicon => {
  const { synonyms, plurals } = readJsonFileSync(join(folder, 'lexicon.json')) as LexiconJson;
  return Lexicon.fromSynonyms(synonyms, plurals);
};

const parseRow = (line: string, where: string): PhotoRow => {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new MdetrError(`${where}: ${messageOf(error).slice(0, 100)}`, { cause: error });
  }
  const parsed = rowSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { field, message } = firstIssue(parsed.error);
  throw new MdetrError(`${where}: "${field}" ${message}`);
};
