import * as z from 'zod';
import { UsageError } from '../../errors.ts';
import { type AnnotationWriter, RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRows } from '../source/bad-rows.ts';
import { checked } from '../source/checked.ts';
import { InstanceFile } from '../source/instance-file.ts';
import { readJsonLists, readJsonMembers } from '../source/json-entries.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type {
  Preparation,
  PreparationProgress,
  PreparationRequest,
  PreparedFile,
  SourceFile,
} from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
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
  holds: kind === 'instances' ? 'boxes, masks, categories' : 'five captions per image',
  from: `${SITE} (annotations_trainval${year}.zip)`,
  size: kind === 'instances' ? (split === 'train' ? '448 MB' : '20 to 154 MB') : 'up to 92 MB',
  or: [`${kind}_${split}${year}.json`],
});

/** Preparation of COCO (arXiv:1405.0312) for detection from captions. */
export const coco: Preparation = {
  name: 'coco',
  title: 'COCO: detection of 80 categories, given as captions',
  about: `
Writes coco_TEXTS_SPLIT+YEAR.json, for example coco_list_val2017.json. MDETR has no categories: all boxes have the single
category "object", and the caption says what to detect. --texts list: one row per image, whose caption lists the
categories in the image ("person. dog. bicycle."); the span of a box is its category name. --texts prompts: one row per
category in an image, whose caption is the name, as for LVIS; --negatives N adds N random categories that are not in the
image, without boxes. --texts captions: one row per caption, with the boxes of the categories it mentions (singular or
plural). The official scripts prepare COCO only as referring expressions ("mdetr data prepare refexp"); these files are for
training and evaluating a detector.

Left out are images without objects (list, prompts) and boxes that the caption does not mention (captions). Crowds are
written with iscrowd 1: training skips them, evaluation ignores detections in them. Takes a minute.`,
  splits: ['train', 'val'],
  options: [
    {
      name: 'year',
      value: 'year',
      description: 'release of the annotations',
      choices: ['2014', '2017'],
      default: '2017',
    },
    {
      name: 'texts',
      value: 'kind',
      description: 'kind of captions',
      choices: ['list', 'prompts', 'captions'],
      default: 'list',
    },
    { name: 'negatives', value: 'n', description: 'prompts: number of absent categories per image', default: '0' },
    { name: 'seed', value: 's', description: 'prompts: seed of the absent categories', default: '0' },
    { name: 'masks', description: 'also write masks' },
  ],
  sources: ({ splits, options }) =>
    splits.flatMap((split) => [
      cocoFile('instances', split, options['year']!),
      ...(options['texts'] === 'captions' ? [cocoFile('captions', split, options['year']!)] : []),
    ]),
  outputs: ({ splits, options }) => splits.map((split) => fileName(options, split)),
  async run(request) {
    const leftOut = new Remarks();
    const notes = new Remarks();
    const files: PreparedFile[] = [];
    for (const split of request.splits) files.push(await writeSplit(request, split, { leftOut, notes }));
    return { files, leftOut: leftOut.list, notes: notes.list };
  },
};

const fileName = ({ texts, year }: PreparationRequest['options'], split: string): string =>
  `coco_${texts!}_${split}${year!}.json`;

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
    negatives: integerOption('negatives', options),
    seed: integerOption('seed', options),
  };
  const badRows = new BadRows(request.onBadRow, remarks.leftOut);
  const path = sourcePath(from, cocoFile('instances', split, year));
  const source = await InstanceFile.open(path, cocoImage, progress, badRows);
  try {
    if (source.orphans > 0) remarks.leftOut.add('boxes of missing images', path, source.orphans);
    const rows = new DetectionRows(source, rowOptions, remarks);
    const name = fileName(options, split);
    return await writeAnnotations(out, name, new RowIds(), async (writer) => {
      if (texts === 'captions') {
        const captions = sourcePath(from, cocoFile('captions', split, year));
        await writeCaptions(writer, captions, source, rows, { leftOut: remarks.leftOut, badRows }, progress);
      } else {
        progress.step(name, source.images.length);
        for (const image of source.images) {
          await badRows.attemptWrite(async () => {
            for (const row of texts === 'list' ? rows.list(image) : rows.prompts(image))
              await writer.write(row.image, row.annotations, `${path}: image ${image.id}`);
          });
          progress.advance();
        }
      }
      return readJsonMembers(path, ['info', 'licenses']);
    });
  } finally {
    source.close();
  }
};

const captionEntry = z.looseObject({ image_id: z.union([z.int(), z.string()]), caption: z.string() });

const writeCaptions = async (
  writer: AnnotationWriter,
  path: string,
  source: InstanceFile<CocoSourceImage>,
  rows: DetectionRows,
  { leftOut, badRows }: { readonly leftOut: Remarks; readonly badRows: BadRows },
  progress: PreparationProgress,
): Promise<void> => {
  const images = new Map(source.images.map((image) => [source.statedId('images', image.id), image]));
  const onProgress = megabyteProgress(`captions of ${path}, MB`, progress);
  for (const { location, value } of readJsonLists(path, ['annotations'], { onProgress })) {
    await badRows.attemptWrite(async () => {
      const { image_id, caption } = checked(captionEntry, value, `${path}: ${location}`);
      const image = images.get(image_id) ?? images.get(Number(image_id));
      if (image === undefined) leftOut.add('captions of missing images', `image ${image_id}`);
      else if (caption.trim() === '') leftOut.add('empty captions', `image ${image_id}`);
      else {
        const row = rows.caption(image, caption.trim());
        await writer.write(row.image, row.annotations, `${path}: ${location}`);
      }
    });
  }
};

const integerOption = (name: string, options: PreparationRequest['options']): number => {
  const text = options[name]!;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`--${name} ${text}: must be a non-negative integer`);
  return value;
};
