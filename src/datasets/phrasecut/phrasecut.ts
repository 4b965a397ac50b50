import { existsSync } from 'node:fs';
import * as z from 'zod';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRowError, BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { readImageList, writeImageList } from '../source/image-list.ts';
import { readJsonList, withPauses } from '../source/json-entries.ts';
import { JsonRanges } from '../source/json-ranges.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { Preparation, PreparationRequest, PreparedFile, SourceFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import {
  checkImageData,
  checkPhrase,
  type PhraseCutImageData,
  phraseRow,
  type PhraseRowOptions,
} from './phrase-rows.ts';

const DRIVE = 'https://github.com/ChenyunWu/PhraseCutDataset (download_dataset.py)';
const SIZES: Readonly<Record<string, string>> = {
  miniv: '2.2 MB',
  train: '344.1 MB',
  val: '44.1 MB',
  test: '30.4 MB',
};
const SPLITS = ['miniv', 'train', 'val', 'test'];

const imageDataFile: SourceFile = {
  path: 'image_data_split.json',
  kind: 'file',
  holds: 'sizes of the images and the split of each',
  from: DRIVE,
  size: '15.9 MB',
  or: ['image_data_split3000.json'],
};

const referFile = (split: string): SourceFile => ({
  path: `refer_${split}.json`,
  kind: 'file',
  holds: 'phrases with boxes and polygons',
  from: DRIVE,
  size: SIZES[split]!,
});

/** Preparation of PhraseCut (arXiv:2008.01187): segmentation of phrases in Visual Genome images. */
export const phrasecut: Preparation = {
  name: 'phrasecut',
  title: 'PhraseCut: segmentation of phrases in Visual Genome images',
  about: `
finetune_phrasecut_SPLIT.json: every phrase becomes a row with a box and a mask for each of its instances. The official
script keeps only the last polygon of an instance that has several, and so do these files. --polygons all keeps all of
them, which are the masks of the dataset. (Evaluation reads the polygons from refer_SPLIT.json.)

Left out are phrases that annotators skipped, if skip.json (11 MB) is in the source folder; from train, the images listed
in the file given by --exclude (ids, one per line); and polygons of fewer than three points. phrasecut_unsafe_ids.txt
lists the images of miniv, val and test, which pre-training must not see ("mdetr data combine --exclude
vg=phrasecut_unsafe_ids.txt"). The images are from Visual Genome; GQA's images.zip has them in one folder. Takes a
minute.`,
  splits: SPLITS,
  options: [
    {
      name: 'polygons',
      value: 'which',
      description: 'polygons to keep per instance: the last one, like the official script, or all',
      choices: ['official', 'all'],
      default: 'official',
    },
    { name: 'exclude', value: 'file', description: 'ids of images to leave out of train, one per line' },
  ],
  sources: ({ splits }) => [imageDataFile, ...splits.map(referFile)],
  outputs: ({ splits }) => [UNSAFE_LIST, ...splits.map(fileName)],
  async run(request) {
    const { from, out, options } = request;
    const leftOut = new Remarks();
    const badRows = new BadRows(request.onBadRow, leftOut);
    const images = readImages(sourcePath(from, imageDataFile), badRows);
    const unsafe = [...images.values()].filter(({ split }) => split !== 'train').map(({ image_id }) => image_id);
    const lists = [await writeImageList(out, UNSAFE_LIST, unsafe)];
    const rows: PhraseRowOptions = {
      polygons: options['polygons'] === 'all' ? 'all' : 'official',
      leftOut,
      notes: new Remarks(),
    };
    const skipped = skippedTasks(sourcePath(from, { path: 'skip.json' }), badRows);
    const excluded = options['exclude'] === undefined ? new Set<number>() : await readImageList(options['exclude']);
    const files: PreparedFile[] = [];
    for (const split of request.splits)
      files.push(
        await writeSplit(request, split, images, { skipped, excluded: split === 'train' ? excluded : new Set() }, rows),
      );
    return { files, lists, leftOut: rows.leftOut.list, notes: rows.notes.list };
  },
};

const UNSAFE_LIST = 'phrasecut_unsafe_ids.txt';

const fileName = (split: string): string => `finetune_phrasecut_${split}.json`;

const readImages = (path: string, badRows: BadRows): ReadonlyMap<number, PhraseCutImageData> => {
  const images = new Map<number, PhraseCutImageData>();
  for (const { location, value } of readJsonList(path)) {
    const image = badRows.attempt(() => checkImageData(value, `${path}: ${location}`));
    if (image !== undefined) images.set(image.image_id, image);
  }
  return images;
};

const taskOnly = z.looseObject({ task_id: z.union([z.string(), z.int()]) });

const skippedTasks = (path: string, badRows: BadRows): ReadonlySet<string> => {
  if (!existsSync(path)) return new Set();
  const skipped = new Set<string>();
  for (const { location, value } of readJsonList(path))
    badRows.attempt(() => skipped.add(String(checked(taskOnly, value, `${path}: ${location}`).task_id)));
  return skipped;
};

const imageOnly = z.looseObject({ image_id: z.int() });

/** Writes one split in two passes, because the official files group the phrases by image and the source does not. */
const writeSplit = async (
  { from, out, progress, onBadRow }: PreparationRequest,
  split: string,
  images: ReadonlyMap<number, PhraseCutImageData>,
  { skipped, excluded }: { readonly skipped: ReadonlySet<string>; readonly excluded: ReadonlySet<number> },
  rows: PhraseRowOptions,
): Promise<PreparedFile> => {
  const path = sourcePath(from, referFile(split));
  const phrasesOf = new Map<number, [location: string, begin: number, end: number][]>();
  const badRows = new BadRows(onBadRow, rows.leftOut);
  let total = 0;
  const onProgress = megabyteProgress(`reading ${path}, MB`, progress);
  for await (const { location, value, begin, end } of withPauses(readJsonList(path, { onProgress }))) {
    const image = badRows.attempt(() => checked(imageOnly, value, `${path}: ${location}`).image_id);
    if (image === undefined) continue;
    const own = phrasesOf.get(image);
    if (own === undefined) phrasesOf.set(image, [[location, begin, end]]);
    else own.push([location, begin, end]);
    total++;
  }
  progress.step(`phrasecut ${split}`, total);
  const source = new JsonRanges(path);
  try {
    return await writeAnnotations(out, fileName(split), new RowIds(), async (writer) => {
      for (const [id, phrases] of phrasesOf) {
        progress.advance(phrases.length);
        const image = badRows.attempt(() => {
          const found = images.get(id);
          if (found !== undefined) return found;
          const list = sourcePath(from, imageDataFile);
          throw new BadRowError(`${path}: ${phrases[0]![0]}, field image_id: image ${id} is not in ${list}`);
        });
        if (image === undefined) continue;
        if (excluded.has(id)) {
          rows.leftOut.add('phrases of excluded images', `image ${id}`, phrases.length);
          continue;
        }
        for (const [location, begin, end] of phrases) {
          const phrase = badRows.attempt(() => checkPhrase(source.value(begin, end), `${path}: ${location}`));
          if (phrase === undefined) continue;
          if (skipped.has(phrase.task_id)) {
            rows.leftOut.add('phrases that annotators skipped (skip.json)', `task ${phrase.task_id}`);
            continue;
          }
          if (phrase.phrase.trim() === '') {
            rows.leftOut.add('phrases without a word', `task ${phrase.task_id}`);
            continue;
          }
          await badRows.attemptWrite(async () => {
            const row = phraseRow(phrase, image, `${path}: ${location}`, rows);
            await writer.write(row.image, row.annotations, `${path}: ${location}`);
          });
        }
      }
      return {};
    });
  } finally {
    source.close();
  }
};
