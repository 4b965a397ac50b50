import { z } from 'zod';
import { InstanceFile } from '../instance-file.ts';
import type { Preparation, PreparedFile, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
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

/** Shares in percent, and what the official file names have for them. */
const SUBSETS: Readonly<Record<string, string>> = { '1': 'lvis1', '10': 'lvis10', '100': 'lvis' };

/** LVIS v1 (arXiv:1908.03195): long-tailed detection. */
export const lvis: Preparation = {
  name: 'lvis',
  title: 'LVIS v1: detection of 1,203 categories, most of them rare',
  about: `
finetune_lvis_SPLIT.json: every category that an image shows becomes a row with all its boxes, its name the text; every
category that is known not to be in it becomes a row without a box. Names lose what stands in brackets, "_" becomes a
space. finetune_lvis10_train.json and finetune_lvis1_train.json have the official tenth and hundredth of the images,
drawn so that every category occurs (the same images as the official script draws); their val files are the whole val.

lvis_v1_minival.json (--split minival) is what of val are images of COCO val2017, 4,809 of 19,809: those that no training
on COCO's train images has seen. It is in LVIS' own format, for "mdetr evaluate". --detection writes the chosen images of
train and val in that format too, as detection_lvis10_train.json, for detectors without texts. Takes some minutes. Images
are COCO's train2017 and val2017, named with these folders.`,
  splits: ['train', 'val', 'minival'],
  options: [
    {
      name: 'subset',
      value: 'percent',
      description: 'share of the training images',
      choices: ['1', '10', '100', 'all'],
      default: 'all',
    },
    { name: 'masks', description: 'write the masks too (not in the official files)' },
    { name: 'detection', description: "write the chosen images in LVIS' own format too" },
  ],
  sources: ({ splits }) => [...new Set(splits.map((split) => (split === 'minival' ? 'val' : split)))].map(lvisFile),
  async run(request) {
    const { from, splits, options } = request;
    const subsets = options['subset'] === 'all' ? Object.keys(SUBSETS) : [options['subset']!];
    const files: PreparedFile[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    for (const split of ['train', 'val']) {
      const texts = splits.includes(split);
      const minival = split === 'val' && splits.includes('minival');
      if (!texts && !minival) continue;
      const path = sourcePath(from, lvisFile(split));
      const source = await InstanceFile.open(path, lvisImage, request.progress);
      try {
        if (source.orphans > 0) leftOut.add('boxes of images that are not there', path, source.orphans);
        for (const subset of texts ? subsets : []) {
          const chosen = chosenImages(source, split === 'train' ? Number(subset) / 100 : 1);
          const name = `${SUBSETS[subset]!}_${split}.json`;
          files.push(await writePrompts(request, source, chosen, `finetune_${name}`, notes));
          if (options['detection'] !== undefined)
            files.push(await writeLvis(request, source, chosen, `detection_${name}`));
        }
        if (minival) {
          const chosen = source.images.filter(({ coco_url }) => coco_url.includes('/val2017/'));
          if (chosen.length === 0) notes.add('no image of val is one of COCO val2017', path);
          files.push(await writeLvis(request, source, chosen, 'lvis_v1_minival.json'));
        }
      } finally {
        source.close();
      }
    }
    return { files, leftOut: leftOut.list, notes: notes.list };
  },
};

/** Rising by id: the official order is that of a Python set. */
const chosenImages = (source: InstanceFile<LvisImage>, share: number): readonly LvisImage[] => {
  const byId = source.images.toSorted((a, b) => a.id - b.id);
  if (share === 1) return byId;
  const categories = source.categories.map((each) => category.parse(each));
  const chosen = balancedSubset(
    { path: source.path, images: source.images, categories, categoriesOf: (id) => source.categoriesOf(id) },
    share,
  );
  return byId.filter(({ id }) => chosen.has(id));
};
