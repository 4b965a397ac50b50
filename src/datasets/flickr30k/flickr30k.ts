import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRows } from '../source/bad-rows.ts';
import { readImageList } from '../source/image-list.ts';
import type { Preparation, PreparationRequest, PreparedFile, SourceFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { parseEntityImage } from './entity-boxes.ts';
import { entityRow, withMergedBoxes } from './entity-rows.ts';
import { parseSentences } from './sentences.ts';
import { readInput } from '../../files/input-file.ts';

const REPOSITORY = 'https://github.com/BryanPlummer/flickr30k_entities';
const SPLITS = ['train', 'val', 'test'];

/** Preparation of Flickr30k Entities (arXiv:1505.04870): phrase grounding. */
export const flickr30k: Preparation = {
  name: 'flickr30k',
  title: 'Flickr30k Entities: captions whose phrases have boxes',
  about: `
Every caption becomes a row, five per image. Phrases in brackets get the boxes of their entity; boxes of a caption with
an IoU of 0.95 or more are merged, and the merged box has several phrases. Phrases without boxes (scenes, entities marked
as having none, things that are not visible) are plain words. final_flickr_separateGT_SPLIT.json has every box of an
entity (evaluated as "any box"), final_flickr_mergedGT_SPLIT.json their enclosing box.

The images can be requested at https://shannon.cs.illinois.edu/DenotationGraph/ and are not needed here; training looks
for them in the folders train and val of flickr_img_path. 31,783 images take about a minute.`,
  splits: SPLITS,
  options: [
    {
      name: 'boxes',
      value: 'kind',
      description: 'every box of an entity, or their enclosing box',
      choices: ['separate', 'merged', 'both'],
      default: 'both',
    },
    {
      name: 'on-missing',
      value: 'what',
      description: 'what to do with listed images whose sentences or boxes are missing',
      choices: ['stop', 'skip'],
      default: 'stop',
    },
  ],
  sources: ({ splits }) => [
    ...splits.map((split): SourceFile => ({
      path: `${split}.txt`,
      kind: 'file',
      holds: `image ids of the ${split} split`,
      from: REPOSITORY,
      size: split === 'train' ? '29,783 lines' : '1,000 lines',
    })),
    {
      path: 'Sentences',
      kind: 'folder',
      holds: 'captions with phrases in brackets',
      from: `${REPOSITORY} (annotations.zip)`,
      size: '31,783 files',
    },
    {
      path: 'Annotations',
      kind: 'folder',
      holds: 'boxes',
      from: `${REPOSITORY} (annotations.zip)`,
      size: '31,783 files',
    },
  ],
  outputs: ({ splits, options }) => kindsOf(options).flatMap((kind) => splits.map((split) => fileName(kind, split))),
  async run(request) {
    const files: PreparedFile[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    const kinds = kindsOf(request.options);
    for (const [i, kind] of kinds.entries()) {
      const ids = new RowIds();
      for (const split of request.splits)
        // Remarks on the source are reported once.
        files.push(await writeSplit(request, split, kind, ids, i === 0 ? { leftOut, notes } : noRemarks()));
    }
    return { files, leftOut: leftOut.list, notes: notes.list };
  },
};

const kindsOf = ({ boxes }: PreparationRequest['options']): string[] =>
  boxes === 'both' ? ['separate', 'merged'] : [boxes!];

const fileName = (kind: string, split: string): string => `final_flickr_${kind}GT_${split}.json`;

interface SplitRemarks {
  readonly leftOut: Remarks;
  readonly notes: Remarks;
}

const noRemarks = (): SplitRemarks => ({ leftOut: new Remarks(), notes: new Remarks() });

const writeSplit = async (
  request: PreparationRequest,
  split: string,
  kind: string,
  ids: RowIds,
  { leftOut, notes }: SplitRemarks,
): Promise<PreparedFile> => {
  const { from, out, progress } = request;
  const listed = [...(await readImageList(join(from, `${split}.txt`)))];
  const images = presentImages(request, split, listed, leftOut);
  const badRows = new BadRows(request.onBadRow, leftOut);
  progress.step(`flickr30k ${split}, ${kind} boxes`, images.length);
  return writeAnnotations(out, fileName(kind, split), ids, async (writer) => {
    for (const imageId of images) {
      const boxesPath = join(from, 'Annotations', `${imageId}.xml`);
      const sentencesPath = join(from, 'Sentences', `${imageId}.txt`);
      const [boxesText, sentencesText] = [await readInput(boxesPath), await readInput(sentencesPath)];
      const parsed = badRows.attempt(() => ({
        separate: parseEntityImage(boxesText.toString(), boxesPath),
        sentences: parseSentences(sentencesText.toString(), sentencesPath),
      }));
      if (parsed === undefined) continue;
      const { separate, sentences } = parsed;
      const image = kind === 'merged' ? withMergedBoxes(separate) : separate;
      remarkOn(separate, `${imageId}.xml`, notes);
      for (const [index, sentence] of sentences.entries()) {
        const row = entityRow(image, sentence, imageId, index);
        for (const { entity } of sentence.phrases)
          if (!image.boxes.has(entity)) leftOut.add('phrases without boxes', `${imageId}.txt line ${index + 1}`);
        await badRows.attemptWrite(() =>
          writer.write(row.image, row.annotations, `${sentencesPath}: caption ${index}`),
        );
      }
      progress.advance();
    }
    return {};
  });
};

const remarkOn = (
  { boxes, width, height }: ReturnType<typeof parseEntityImage>,
  location: string,
  notes: Remarks,
): void => {
  for (const own of boxes.values())
    for (const [x, y, w, h] of own) {
      if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers skip', location);
      else if (x < 0 || y < 0 || x + w > width || y + h > height)
        notes.add('boxes that extend beyond the image, which readers clip', location);
    }
};

/** Filters the listed images to those with both files. @throws {MdetrError} naming missing files, unless they are skipped */
const presentImages = (
  { from, options }: PreparationRequest,
  split: string,
  listed: readonly number[],
  leftOut: Remarks,
): number[] => {
  const missing: string[] = [];
  const present = listed.filter((imageId) => {
    const lacking = [`Annotations/${imageId}.xml`, `Sentences/${imageId}.txt`].filter(
      (path) => !existsSync(join(from, path)),
    );
    missing.push(...lacking);
    for (const path of lacking) leftOut.add('listed images whose files are missing', path);
    return lacking.length === 0;
  });
  if (missing.length > 0 && options['on-missing'] !== 'skip')
    throw new MdetrError(
      `${from}: ${missing.length} files of ${split}.txt are missing: ${missing.slice(0, 10).join(', ')}` +
        `${missing.length > 10 ? ', …' : ''}. Unpack annotations.zip again, or pass --on-missing skip to leave their images out`,
    );
  return present;
};
