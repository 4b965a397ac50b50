import { existsSync } from 'node:fs';
import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
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
  async run(request) {
    const { from, out, options } = request;
    const images = readImages(sourcePath(from, imageDataFile));
    const unsafe = [...images.values()].filter(({ split }) => split !== 'train').map(({ image_id }) => image_id);
    const lists = [await writeImageList(out, 'phrasecut_unsafe_ids.txt', unsafe)];
    const rows: PhraseRowOptions = {
      polygons: options['polygons'] === 'all' ? 'all' : 'official',
      leftOut: new Remarks(),
      notes: new Remarks(),
    };
    const skipped = skippedTasks(sourcePath(from, { path: 'skip.json' }));
    const excluded = options['exclude'] === undefined ? new Set<number>() : await readImageList(options['exclude']);
    const files: PreparedFile[] = [];
    for (const split of request.splits)
      files.push(
        await writeSplit(request, split, images, { skipped, excluded: split === 'train' ? excluded : new Set() }, rows),
      );
    return { files, lists, leftOut: rows.leftOut.list, notes: rows.notes.list };
  },
};

const readImages = (path: string): ReadonlyMap<number, PhraseCutImageData> => {
  const images = new Map<number, PhraseCutImageData>();
  for (const { location, value } of readJsonList(path)) {
    const image = checkImageData(value, `${path}: ${location}`);
    images.set(image.image_id, image);
  }
  return images;
};

const taskOnly = z.looseObject({ task_id: z.union([z.string(), z.int()]) });

const skippedTasks = (path: string): ReadonlySet<string> => {
  if (!existsSync(path)) return new Set();
  return new Set(
    Array.from(readJsonList(path), ({ location, value }) =>
      String(checked(taskOnly, value, `${path}: ${location}`).task_id),
    ),
  );
};

const imageOnly = z.looseObject({ image_id: z.int() });

/** Writes one split in two passes, because the official files group the phrases by image and the source does not. */
const writeSplit = async (
  { from, out, progress }: PreparationRequest,
  split: string,
  images: ReadonlyMap<number, PhraseCutImageData>,
  { skipped, excluded }: { readonly skipped: ReadonlySet<string>; readonly excluded: ReadonlySet<number> },
  rows: PhraseRowOptions,
): Promise<PreparedFile> => {
  const path = sourcePath(from, referFile(split));
  const phrasesOf = new Map<number, [location: string, begin: number, end: number][]>();
  let total = 0;
  const onProgress = megabyteProgress(`reading ${path}, MB`, progress);
  for await (const { location, value, begin, end } of withPauses(readJsonList(path, { onProgress }))) {
    const image = checked(imageOnly, value, `${path}: ${location}`).image_id;
    const own = phrasesOf.get(image);
    if (own === undefined) phrasesOf.set(image, [[location, begin, end]]);
    else own.push([location, begin, end]);
    total++;
  }
  progress.step(`phrasecut ${split}`, total);
  const source = new JsonRanges(path);
  try {
    return await writeAnnotations(out, `finetune_phrasecut_${split}.json`, new RowIds(), async (writer) => {
      for (const [id, phrases] of phrasesOf) {
        progress.advance(phrases.length);
        const image = images.get(id);
        if (image === undefined)
          throw new MdetrError(`${path}: ${phrases[0]![0]}: image ${id} is not in ${sourcePath(from, imageDataFile)}`);
        if (excluded.has(id)) {
          rows.leftOut.add('phrases of excluded images', `image ${id}`, phrases.length);
          continue;
        }
        for (const [location, begin, end] of phrases) {
          const phrase = checkPhrase(source.value(begin, end), `${path}: ${location}`);
          if (skipped.has(phrase.task_id)) {
            rows.leftOut.add('phrases that annotators skipped (skip.json)', `task ${phrase.task_id}`);
            continue;
          }
          if (phrase.phrase.trim() === '') {
            rows.leftOut.add('phrases without a word', `task ${phrase.task_id}`);
            continue;
          }
          const row = phraseRow(phrase, image, `${path}: ${location}`, rows);
          await writer.write(row.image, row.annotations, `${path}: ${location}`);
        }
      }
      return {};
    });
  } finally {
    source.close();
  }
};
