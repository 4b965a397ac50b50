import { UsageError } from '../../errors.ts';
import { RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRows } from '../source/bad-rows.ts';
import { readChosenInstances } from '../source/coco-instances.ts';
import { writeImageList } from '../source/image-list.ts';
import { InstanceIds } from '../source/instance-ids.ts';
import type {
  Preparation,
  PreparationOption,
  PreparationRequest,
  PreparedFile,
  SourceFile,
} from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { type ExpressionContext, writeExpressions } from './expression-rows.ts';
import { checkReferences, type Reference } from './references.ts';

type DatasetName = 'refcoco' | 'refcoco+' | 'refcocog';

/** Splits by author of the division. The official scripts use the first division of each dataset. */
const DIVISIONS = {
  refcoco: { unc: ['train', 'val', 'testA', 'testB'], google: ['train', 'val', 'test'] },
  'refcoco+': { unc: ['train', 'val', 'testA', 'testB'] },
  refcocog: { umd: ['train', 'val', 'test'], google: ['train', 'val'] },
} as const satisfies Record<DatasetName, Readonly<Record<string, readonly string[]>>>;

const SIZES: Readonly<Record<DatasetName, string>> = {
  refcoco: '50,000 objects, 142,209 expressions',
  'refcoco+': '49,856 objects, 141,564 expressions',
  refcocog: '49,822 objects, 95,010 expressions',
};

const divisionsOf = (dataset: DatasetName): Readonly<Record<string, readonly string[]>> => DIVISIONS[dataset];
const officialDivision = (dataset: DatasetName): string => Object.keys(divisionsOf(dataset))[0]!;
const splitsOf = (dataset: DatasetName): string[] => [...new Set(Object.values(divisionsOf(dataset)).flat())];

const REFER = 'https://github.com/lichengunc/refer';

const refsFile = (dataset: DatasetName, division: string): SourceFile => ({
  path: `${dataset}/refs(${division}).p`,
  kind: 'file',
  holds: 'expressions (pickle)',
  from: `${REFER} (${dataset}.zip)`,
  size: SIZES[dataset],
  or: [`refs(${division}).p`],
});

const instancesFile = (dataset: DatasetName): SourceFile => ({
  path: `${dataset}/instances.json`,
  kind: 'file',
  holds: "boxes; COCO's annotations/instances_train2014.json (448 MB) works as well",
  from: `${REFER} (${dataset}.zip)`,
  size: 'up to 448 MB',
  or: ['instances.json', 'annotations/instances_train2014.json', 'instances_train2014.json'],
});

const MASKS_OPTION: PreparationOption = {
  name: 'masks',
  description: 'also write masks (not in the official files)',
};

const ABOUT_ROWS = `
Every expression becomes a row with the box of its object. The span of the box is the root phrase: the root noun with the
words to its left, or the entire expression if it has at most one noun. The official files use spaCy to find the root;
these use rules over wink-nlp's part-of-speech tags (docs/data.md, "Root nouns", has the agreement with labels by hand).
Empty expressions are left out. Pickles are read without executing anything. Takes about a minute.`;

const prepareOne = (dataset: DatasetName, title: string, about: string): Preparation => ({
  name: dataset,
  title,
  about: `${about}\n${ABOUT_ROWS}`,
  splits: splitsOf(dataset),
  options: [
    {
      name: 'split-by',
      value: 'authors',
      description: 'division of the references into splits',
      choices: Object.keys(divisionsOf(dataset)),
      default: officialDivision(dataset),
    },
    MASKS_OPTION,
  ],
  sources: ({ options }) => [refsFile(dataset, options['split-by']!), instancesFile(dataset)],
  outputs: ({ splits, options }) =>
    splits
      .filter((split) => divisionsOf(dataset)[options['split-by']!]!.includes(split))
      .map((split) => fileName(dataset, options['split-by']!, split)),
  async run(request) {
    const division = request.options['split-by']!;
    const offered = divisionsOf(dataset)[division]!;
    const splits = request.splits.filter((split) => offered.includes(split));
    if (splits.length === 0)
      throw new UsageError(
        `--split ${request.splits.join(',')}: by ${division}, ${dataset} has the splits ${offered.join(', ')}`,
      );
    const leftOut = new Remarks();
    const instanceIds = new InstanceIds();
    const references = await readReferences(request, dataset, division, leftOut, instanceIds);
    const used = references.filter(({ split }) => splits.includes(split));
    const context = await contextOf(request, dataset, used, leftOut, instanceIds);
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of splits) {
      const own = used.filter((reference) => reference.split === split);
      if (own.length === 0) context.notes.add('splits without an expression', split);
      request.progress.step(`${dataset} ${split}`, own.length);
      files.push(
        await writeAnnotations(request.out, fileName(dataset, division, split), ids, async (writer) => {
          await writeAll(request, writer, own, dataset, context);
          return context.instances.header;
        }),
      );
    }
    return { files, leftOut: context.leftOut.list, notes: context.notes.list };
  },
});

const fileName = (dataset: DatasetName, division: string, split: string): string =>
  `finetune_${dataset}${division === officialDivision(dataset) ? '' : `_${division}`}_${split}.json`;

const writeAll = async (
  { progress, onBadRow }: PreparationRequest,
  writer: Parameters<typeof writeExpressions>[0],
  references: readonly Reference[],
  dataset: string,
  context: ExpressionContext,
): Promise<void> => {
  const badRows = new BadRows(onBadRow, context.leftOut);
  for (const reference of references) {
    await badRows.attemptWrite(() => writeExpressions(writer, reference, dataset, context));
    progress.advance();
  }
};

const readReferences = async (
  { from, tools, onBadRow }: PreparationRequest,
  dataset: DatasetName,
  division: string,
  leftOut: Remarks,
  ids: InstanceIds,
): Promise<Reference[]> => {
  const path = sourcePath(from, refsFile(dataset, division));
  return checkReferences(await tools.readPickle(path), path, new BadRows(onBadRow, leftOut), ids);
};

const contextOf = async (
  { from, options, progress, tools, onBadRow }: PreparationRequest,
  dataset: DatasetName,
  references: readonly Reference[],
  leftOut: Remarks,
  ids: InstanceIds,
): Promise<ExpressionContext> => {
  const badRows = new BadRows(onBadRow, leftOut);
  const masks = options['masks'] !== undefined;
  const wanted = {
    images: new Set(references.map((reference) => reference.image_id)),
    annotations: new Set(references.map((reference) => reference.ann_id)),
    masks,
  };
  return {
    instances: await readChosenInstances(sourcePath(from, instancesFile(dataset)), wanted, progress, badRows, ids),
    findRoot: await tools.loadRootFinder(),
    masks,
    leftOut,
    notes: new Remarks(),
  };
};

/** Preparation of RefCOCO (arXiv:1608.00272). */
export const refcoco = prepareOne(
  'refcoco',
  'RefCOCO: expressions that refer to one object of a COCO image',
  'finetune_refcoco_SPLIT.json for the UNC splits train, val, testA (people) and testB (other objects);\n' +
    '--split-by google writes finetune_refcoco_google_SPLIT.json. The images are from COCO train2014.',
);

/** Preparation of RefCOCO+, which is RefCOCO without location words. */
export const refcocoPlus = prepareOne(
  'refcoco+',
  'RefCOCO+: RefCOCO without location words',
  'finetune_refcoco+_SPLIT.json for train, val, testA and testB. The images are from COCO train2014.',
);

/** Preparation of RefCOCOg (arXiv:1511.02283): longer expressions. */
export const refcocog = prepareOne(
  'refcocog',
  'RefCOCOg: longer expressions',
  "finetune_refcocog_SPLIT.json for the UMD splits train, val and test, which share no image. Google's division\n" +
    '(--split-by google, finetune_refcocog_google_SPLIT.json) has no test split, and its splits share images.',
);

const UNSAFE_LIST = 'refexp_unsafe_ids.txt';

const combinedName = (split: string): string => `final_refexp_${split}.json`;

const DATASETS: readonly DatasetName[] = ['refcoco', 'refcoco+', 'refcocog'];

/** Preparation of all three datasets in one file, which validates pre-training, and of the images that pre-training must not see. */
export const refexp: Preparation = {
  name: 'refexp',
  title: 'RefCOCO, RefCOCO+ and RefCOCOg combined',
  about: `
final_refexp_val.json and final_refexp_train.json have the expressions of all three datasets, by their official divisions
(UNC, UNC, UMD). refexp_unsafe_ids.txt lists every image of a validation or test split of any of them. Pre-training must
not see these images ("mdetr data combine --exclude coco=refexp_unsafe_ids.txt"); final_refexp_train.json still has them.
${ABOUT_ROWS}`,
  splits: ['train', 'val'],
  options: [MASKS_OPTION],
  sources: () =>
    DATASETS.flatMap((dataset) => [
      { ...refsFile(dataset, officialDivision(dataset)), or: [] },
      { ...instancesFile(dataset), or: instancesFile(dataset).or!.filter((path) => path !== 'instances.json') },
    ]),
  outputs: ({ splits }) => [...splits.map(combinedName), UNSAFE_LIST],
  async run(request) {
    const { out, progress } = request;
    const parts: { dataset: DatasetName; references: readonly Reference[]; context: ExpressionContext }[] = [];
    const unsafe: (number | string)[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    for (const dataset of DATASETS) {
      const ids = new InstanceIds();
      const all = await readReferences(request, dataset, officialDivision(dataset), leftOut, ids);
      for (const { split, image_id } of all) if (split !== 'train') unsafe.push(ids.stated('images', image_id));
      const references = all.filter(({ split }) => request.splits.includes(split));
      parts.push({
        dataset,
        references,
        context: { ...(await contextOf(request, dataset, references, leftOut, ids)), notes },
      });
    }
    const files: PreparedFile[] = [];
    for (const split of request.splits)
      files.push(
        await writeAnnotations(out, combinedName(split), new RowIds(), async (writer) => {
          for (const { dataset, references, context } of parts) {
            const own = references.filter((reference) => reference.split === split);
            progress.step(`${dataset} ${split}`, own.length);
            await writeAll(request, writer, own, dataset, context);
          }
          return parts[0]!.context.instances.header;
        }),
      );
    const lists = [await writeImageList(out, UNSAFE_LIST, unsafe)];
    return { files, lists, leftOut: leftOut.list, notes: notes.list };
  },
};
