import * as z from 'zod';
import { BadRows } from '../source/bad-rows.ts';
import { InstanceFile } from '../source/instance-file.ts';
import type { Preparation, PreparationRequest, PreparedFile, SourceFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { balancedSubset } from './balanced-subset.ts';
import { lvisImage, type LvisImage, writePrompts } from './prompt-rows.ts';
import { writeLvis } from './write-lvis.ts';

const category = z.looseObject({ id: z.int(), name: z.string(), image_count: z.int() });

const SITE = 'https://www.lvisdataset.org/dataset';
const lvisFile = (split: string): SourceFile => ({
  path: `lvis_v1_${split}.json`,
  kind: 'file',
  holds: `boxes and masks of the ${split} split`,
  from: `${SITE} (lvis_v1_${split}.json.zip)`,
  size: split === 'train' ? '1.1 GB, 350 MB zipped' : '192 MB, 64 MB zipped',
  or: [`annotations/lvis_v1_${split}.json`],
});

/** Names in the official files by percentage of the images. */
const SUBSETS: Readonly<Record<string, string>> = { '1': 'lvis1', '10': 'lvis10', '100': 'lvis' };

/** Preparation of LVIS v1 (arXiv:1908.03195): long-tailed detection. */
export const lvis: Preparation = {
  name: 'lvis',
  title: 'LVIS v1: detection of 1,203 categories, most of them rare',
  about: `
finetune_lvis_SPLIT.json: every category in an image becomes a row with all its boxes, whose caption is the category name;
every category known to be absent becomes a row without boxes. Parentheses are removed from the names, "_" becomes a
space. finetune_lvis10_train.json and finetune_lvis1_train.json have the official 10 % and 1 % of the images, sampled so
that every category occurs (the same images as the official script's); their val files have all of val.

lvis_v1_minival.json (--split minival) has the images of val that are from COCO val2017, 4,809 of 19,809, which no model
trained on COCO's train images has seen. It is in LVIS' own format, for "mdetr evaluate". --detection also writes the
selected images of train and val in that format, such as detection_lvis10_train.json, for detectors without captions.
Takes some minutes. The images are COCO's train2017 and val2017; file names start with these folders.`,
  splits: ['train', 'val', 'minival'],
  options: [
    {
      name: 'subset',
      value: 'percent',
      description: 'percentage of the training images',
      choices: ['1', '10', '100', 'all'],
      default: 'all',
    },
    { name: 'masks', description: 'also write masks (not in the official files)' },
    { name: 'detection', description: "also write the selected images in LVIS' own format" },
  ],
  sources: ({ splits }) => [...new Set(splits.map((split) => (split === 'minival' ? 'val' : split)))].map(lvisFile),
  outputs: ({ splits, options }) => [
    ...splits
      .filter((split) => split !== 'minival')
      .flatMap((split) => subsetsOf(options).map((subset) => `${SUBSETS[subset]!}_${split}.json`))
      .flatMap((name) => [`finetune_${name}`, ...(options['detection'] === undefined ? [] : [`detection_${name}`])]),
    ...(splits.includes('minival') ? [MINIVAL] : []),
  ],
  async run(request) {
    const { from, splits, options } = request;
    const subsets = subsetsOf(options);
    const files: PreparedFile[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    const badRows = new BadRows(request.onBadRow, leftOut);
    for (const split of ['train', 'val']) {
      const prompts = splits.includes(split);
      const minival = split === 'val' && splits.includes('minival');
      if (!prompts && !minival) continue;
      const path = sourcePath(from, lvisFile(split));
      const source = await InstanceFile.open(path, lvisImage, request.progress, badRows);
      try {
        if (source.orphans > 0) leftOut.add('boxes of missing images', path, source.orphans);
        for (const subset of prompts ? subsets : []) {
          const chosen = chosenImages(source, split === 'train' ? Number(subset) / 100 : 1);
          const name = `${SUBSETS[subset]!}_${split}.json`;
          files.push(await writePrompts(request, source, chosen, `finetune_${name}`, notes, badRows));
          if (options['detection'] !== undefined)
            files.push(await writeLvis(request, source, chosen, `detection_${name}`, badRows));
        }
        if (minival) {
          const chosen = source.images.filter(({ coco_url }) => coco_url.includes('/val2017/'));
          if (chosen.length === 0) notes.add('no image of val is from COCO val2017', path);
          files.push(await writeLvis(request, source, chosen, MINIVAL, badRows));
        }
      } finally {
        source.close();
      }
    }
    return { files, leftOut: leftOut.list, notes: notes.list };
  },
};

const MINIVAL = 'lvis_v1_minival.json';

const subsetsOf = ({ subset }: PreparationRequest['options']): string[] =>
  subset === 'all' ? Object.keys(SUBSETS) : [subset!];

/** Images of a subset by ascending id. (The official order is the iteration order of a Python set.) */
const chosenImages = (source: InstanceFile<LvisImage>, fraction: number): readonly LvisImage[] => {
  const byId = source.images.toSorted((a, b) => a.id - b.id);
  if (fraction === 1) return byId;
  const categories = source.categories.map((each) => category.parse(each));
  const chosen = balancedSubset(
    { path: source.path, images: source.images, categories, categoriesOf: (id) => source.categoriesOf(id) },
    fraction,
  );
  return byId.filter(({ id }) => chosen.has(id));
};
