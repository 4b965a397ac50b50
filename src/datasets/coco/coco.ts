import { z } from 'zod';
import { UsageError } from '../../errors.ts';
import { type AnnotationWriter, RowIds, writeAnnotations } from '../annotation-writer.ts';
import { checked } from '../checked.ts';
import { megabyteSteps } from '../coco-instances.ts';
import { InstanceFile } from '../instance-file.ts';
import { readJsonLists, readJsonMembers } from '../json-entries.ts';
import type { Preparation, PreparationProgress, PreparationRequest, PreparedFile, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
import { type CocoSourceImage, DetectionRows } from './detection-rows.ts';

const cocoImage = z.object({
  id: z.int(),
  file_name: z.string().min(1),
  width: z.number().positive(),
  height: z.number().positive(),
});

const SITE = 'https://cocodataset.org/#download';

const cocoFile = (kind: 'instances' | 'captions', split: string, year: string): SourceFile => ({
  path: `annotations/${kind}_${split}${year}.json`,
  kind: 'file',
  holds: kind === 'instances' ? 'boxes, masks, categories' : 'five captions an image',
  from: `${SITE} (annotations_trainval${year}.zip)`,
  size: kind === 'instances' ? (split === 'train' ? '448 MB' : '20 to 154 MB') : 'up to 92 MB',
  or: [`${kind}_${split}${year}.json`],
});

/** COCO (arXiv:1405.0312): detection with texts. */
export const coco: Preparation = {
  name: 'coco',
  title: 'COCO: detection of 80 categories, with texts to say what to look for',
  about: `
coco_TEXTS_SPLIT+YEAR.json, as coco_list_val2017.json. MDETR has no categories: all boxes are of the one category
"object", and a text says what is wanted. --texts list: a row an image, its text the names of the categories in it, as in
"person. dog. bicycle."; every box means its name. --texts prompts: a row for every category in an image, its text the
name, as LVIS is prepared; with --negatives N also N categories that are not in it, without boxes, drawn at random. --texts
captions: a row for every caption, with the boxes of the categories that it names (their own word, or its plural). The
official scripts prepare COCO only as referring expressions ("mdetr data prepare refexp"); these files are for training
and evaluating a detector.

Left out: with list and prompts, images without objects; with captions, boxes that the caption does not name. Crowds are
written with iscrowd 1: training leaves them out, evaluation does not count what is found in them. Takes a minute.`,
  splits: ['train', 'val'],
  options: [
    {
      name: 'year',
      value: 'year',
      description: 'which division of the images',
      choices: ['2014', '2017'],
      default: '2017',
    },
    {
      name: 'texts',
      value: 'kind',
      description: 'what the texts are',
      choices: ['list', 'prompts', 'captions'],
      default: 'list',
    },
    { name: 'negatives', value: 'n', description: 'prompts: absent categories an image', default: '0' },
    { name: 'seed', value: 's', description: 'prompts: which absent categories', default: '0' },
    { name: 'masks', description: 'write the masks too' },
  ],
  sources: ({ splits, options }) =>
    splits.flatMap((split) => [
      cocoFile('instances', split, options['year']!),
      ...(options['texts'] === 'captions' ? [cocoFile('captions', split, options['year']!)] : []),
    ]),
  async run(request) {
    const leftOut = new Remarks();
    const notes = new Remarks();
    const files: PreparedFile[] = [];
    for (const split of request.splits) files.push(await writeSplit(request, split, { leftOut, notes }));
    return { files, leftOut: leftOut.list, notes: notes.list };
  },
};

const writeSplit = async (
  request: PreparationRequest,
  split: string,
  remarks: { readonly leftOut: Remarks; readonly notes: Remarks },
): Promise<PreparedFile> => {
  const { from, out, options, progress } = request;
  const year = options['year']!;
  const texts = options['texts']!;
  const rowOptions = {
    masks: options['masks'] !== undefined,
    negatives: wholeNumber('negatives', options),
    seed: wholeNumber('seed', options),
  };
  const path = sourcePath(from, cocoFile('instances', split, year));
  const source = await InstanceFile.open(path, cocoImage, progress);
  try {
    if (source.orphans > 0) remarks.leftOut.add('boxes of images that are not there', path, source.orphans);
    const rows = new DetectionRows(source, rowOptions, remarks);
    const name = `coco_${texts}_${split}${year}.json`;
    return await writeAnnotations(out, name, new RowIds(), async (writer) => {
      if (texts === 'captions') {
        const captions = sourcePath(from, cocoFile('captions', split, year));
        await writeCaptions(writer, captions, source, rows, remarks.leftOut, progress);
      } else {
        progress.step(name, source.images.length);
        for (const image of source.images) {
          for (const row of texts === 'list' ? rows.list(image) : rows.prompts(image))
            await writer.write(row.image, row.annotations, `${path}: image ${image.id}`);
          progress.advance();
        }
      }
      return readJsonMembers(path, ['info', 'licenses']);
    });
  } finally {
    source.close();
  }
};

const captionEntry = z.looseObject({ image_id: z.int(), caption: z.string() });

const writeCaptions = async (
  writer: AnnotationWriter,
  path: string,
  source: InstanceFile<CocoSourceImage>,
  rows: DetectionRows,
  leftOut: Remarks,
  progress: PreparationProgress,
): Promise<void> => {
  const images = new Map(source.images.map((image) => [image.id, image]));
  const onProgress = megabyteSteps(`captions of ${path}, MB`, progress);
  for (const { place, value } of readJsonLists(path, ['annotations'], { onProgress })) {
    const { image_id, caption } = checked(captionEntry, value, `${path}: ${place}`);
    const image = images.get(image_id);
    if (image === undefined) leftOut.add('captions of images that are not there', `image ${image_id}`);
    else if (caption.trim() === '') leftOut.add('captions without a word', `image ${image_id}`);
    else {
      const row = rows.caption(image, caption.trim());
      await writer.write(row.image, row.annotations, `${path}: ${place}`);
    }
  }
};

const wholeNumber = (name: string, options: PreparationRequest['options']): number => {
  const text = options[name]!;
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new UsageError(`--${name} ${text}: it must be a whole number from 0 on`);
  return number;
};
