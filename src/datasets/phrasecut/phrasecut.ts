import { existsSync } from 'node:fs';
import { z } from 'zod';
import { MdetrError } from '../../errors.ts';
import { RowIds, writeAnnotations } from '../annotation-writer.ts';
import { checked } from '../checked.ts';
import { megabyteSteps } from '../coco-instances.ts';
import { readImageList, writeImageList } from '../image-list.ts';
import { readJsonList, withPauses } from '../json-entries.ts';
import { JsonRanges } from '../json-ranges.ts';
import type { Preparation, PreparationRequest, PreparedFile, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
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

/** PhraseCut (arXiv:2008.01187): phrases that mean regions of Visual Genome images. */
export const phrasecut: Preparation = {
  name: 'phrasecut',
  title: 'PhraseCut: phrases that mean regions of Visual Genome images',
  about: `
finetune_phrasecut_SPLIT.json: every phrase becomes a row, its instances the boxes, each with its mask. The official
script keeps only the last polygon of an instance that has several, and so do these files; --polygons all keeps all,
which is what the masks of the data set are. (Evaluation reads the polygons from refer_SPLIT.json itself.)

Left out: phrases that annotators skipped, where skip.json (11 MB) lies beside the other files; images listed in the
file that --exclude names (numbers, one a line), from train; polygons of less than three points. phrasecut_unsafe_ids.txt
lists the images of miniv, val and test, which pre-training must not see ("mdetr data combine --exclude
vg=phrasecut_unsafe_ids.txt"). Images are Visual Genome's, which GQA's images.zip has in one folder. Takes a minute.`,
  splits: SPLITS,
  options: [
    {
      name: 'polygons',
      value: 'which',
      description: 'polygons of an instance: the last, as the official script keeps, or all',
      choices: ['official', 'all'],
      default: 'official',
    },
    { name: 'exclude', value: 'file', description: 'numbers of images that train must not have, one a line' },
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
  for (const { place, value } of readJsonList(path)) {
    const image = checkImageData(value, `${path}: ${place}`);
    images.set(image.image_id, image);
  }
  return images;
};

const taskOnly = z.looseObject({ task_id: z.union([z.string(), z.int()]) });

const skippedTasks = (path: string): ReadonlySet<string> => {
  if (!existsSync(path)) return new Set();
  return new Set(
    [...readJsonList(path)].map(({ place, value }) => String(checked(taskOnly, value, `${path}: ${place}`).task_id)),
  );
};

const imageOnly = z.looseObject({ image_id: z.int() });

/** Phrases of an image stand together in the official files, wherever they are in the source: hence two passes. */
const writeSplit = async (
  { from, out, progress }: PreparationRequest,
  split: string,
  images: ReadonlyMap<number, PhraseCutImageData>,
  { skipped, excluded }: { readonly skipped: ReadonlySet<string>; readonly excluded: ReadonlySet<number> },
  rows: PhraseRowOptions,
): Promise<PreparedFile> => {
  const path = sourcePath(from, referFile(split));
  const phrasesOf = new Map<number, [place: string, begin: number, end: number][]>();
  let total = 0;
  const onProgress = megabyteSteps(`reading ${path}, MB`, progress);
  for await (const { place, value, begin, end } of withPauses(readJsonList(path, { onProgress }))) {
    const image = checked(imageOnly, value, `${path}: ${place}`).image_id;
    const own = phrasesOf.get(image);
    if (own === undefined) phrasesOf.set(image, [[place, begin, end]]);
    else own.push([place, begin, end]);
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
        for (const [place, begin, end] of phrases) {
          const phrase = checkPhrase(source.value(begin, end), `${path}: ${place}`);
          if (skipped.has(phrase.task_id)) {
            rows.leftOut.add('phrases that annotators skipped (skip.json)', `task ${phrase.task_id}`);
            continue;
          }
          if (phrase.phrase.trim() === '') {
            rows.leftOut.add('phrases without a word', `task ${phrase.task_id}`);
            continue;
          }
          const row = phraseRow(phrase, image, `${path}: ${place}`, rows);
          await writer.write(row.image, row.annotations, `${path}: ${place}`);
        }
      }
      return {};
    });
  } finally {
    source.close();
  }
};
