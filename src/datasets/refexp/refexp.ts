import { UsageError } from '../../errors.ts';
import { RowIds, writeAnnotations } from '../annotation-writer.ts';
import { readChosenInstances } from '../coco-instances.ts';
import { writeImageList } from '../image-list.ts';
import type { Preparation, PreparationOption, PreparationRequest, PreparedFile, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
import { type ExpressionContext, writeExpressions } from './expression-rows.ts';
import { checkReferences, type Reference } from './references.ts';

type DatasetName = 'refcoco' | 'refcoco+' | 'refcocog';

/** Who divided the references, and into what. The first is the one of the official scripts. */
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
  holds: 'expressions, in a pickle',
  from: `${REFER} (${dataset}.zip)`,
  size: SIZES[dataset],
  or: [`refs(${division}).p`],
});

const instancesFile = (dataset: DatasetName): SourceFile => ({
  path: `${dataset}/instances.json`,
  kind: 'file',
  holds: "boxes; COCO's annotations/instances_train2014.json (448 MB) serves as well",
  from: `${REFER} (${dataset}.zip)`,
  size: 'up to 448 MB',
  or: ['instances.json', 'annotations/instances_train2014.json', 'instances_train2014.json'],
});

const masksOption: PreparationOption = {
  name: 'masks',
  description: "write the objects' masks too (not in the official files)",
};

const ABOUT_ROWS = `
Every expression becomes a row with the box of its object. The box means the root of the expression: its root noun with
the words to the left; or all of it, where it has one noun or none. The official files have spaCy's root, these have that
of our own rules over wink-nlp's tags, which agrees with marks by hand as docs/data.md tells. Left out: expressions
without a word. Pickles are read without running anything in them. Takes about a minute.`;

const prepareOne = (dataset: DatasetName, title: string, about: string): Preparation => ({
  name: dataset,
  title,
  about: `${about}\n${ABOUT_ROWS}`,
  splits: splitsOf(dataset),
  options: [
    {
      name: 'split-by',
      value: 'whom',
      description: 'who divided the references into splits',
      choices: Object.keys(divisionsOf(dataset)),
      default: officialDivision(dataset),
    },
    masksOption,
  ],
  sources: ({ options }) => [refsFile(dataset, options['split-by']!), instancesFile(dataset)],
  async run(request) {
    const division = request.options['split-by']!;
    const offered = divisionsOf(dataset)[division]!;
    const splits = request.splits.filter((split) => offered.includes(split));
    if (splits.length === 0)
      throw new UsageError(
        `--split ${request.splits.join(',')}: by ${division}, ${dataset} has the splits ${offered.join(', ')}`,
      );
    const references = await readReferences(request, dataset, division);
    const used = references.filter(({ split }) => splits.includes(split));
    const context = await contextOf(request, dataset, used);
    const ids = new RowIds();
    const suffix = division === officialDivision(dataset) ? '' : `_${division}`;
    const files: PreparedFile[] = [];
    for (const split of splits) {
      const own = used.filter((reference) => reference.split === split);
      if (own.length === 0) context.notes.add('splits without an expression', split);
      request.progress.step(`${dataset} ${split}`, own.length);
      files.push(
        await writeAnnotations(request.out, `finetune_${dataset}${suffix}_${split}.json`, ids, async (writer) => {
          await writeAll(request, writer, own, dataset, context);
          return context.instances.header;
        }),
      );
    }
    return { files, leftOut: context.leftOut.list, notes: context.notes.list };
  },
});

const writeAll = async (
  { progress }: PreparationRequest,
  writer: Parameters<typeof writeExpressions>[0],
  references: readonly Reference[],
  dataset: string,
  context: ExpressionContext,
): Promise<void> => {
  for (const reference of references) {
    await writeExpressions(writer, reference, dataset, context);
    progress.advance();
  }
};

const readReferences = async (
  { from, tools }: PreparationRequest,
  dataset: DatasetName,
  division: string,
): Promise<Reference[]> => {
  const path = sourcePath(from, refsFile(dataset, division));
  return checkReferences(await tools.readPickle(path), path);
};

const contextOf = async (
  { from, options, progress, tools }: PreparationRequest,
  dataset: DatasetName,
  references: readonly Reference[],
): Promise<ExpressionContext> => {
  const masks = options['masks'] !== undefined;
  const wanted = {
    images: new Set(references.map((reference) => reference.image_id)),
    annotations: new Set(references.map((reference) => reference.ann_id)),
    masks,
  };
  return {
    instances: await readChosenInstances(sourcePath(from, instancesFile(dataset)), wanted, progress),
    findRoot: await tools.loadRootFinder(),
    masks,
    leftOut: new Remarks(),
    notes: new Remarks(),
  };
};

/** RefCOCO (arXiv:1608.00272). */
export const refcoco = prepareOne(
  'refcoco',
  'RefCOCO: expressions that refer to one object of a COCO image',
  'finetune_refcoco_SPLIT.json for train, val, testA (people) and testB (other things) as UNC divided them;\n' +
    '--split-by google makes finetune_refcoco_google_SPLIT.json. Images are those of COCO train2014.',
);

/** RefCOCO+: RefCOCO without words of place. */
export const refcocoPlus = prepareOne(
  'refcoco+',
  'RefCOCO+: the same, without words of place',
  'finetune_refcoco+_SPLIT.json for train, val, testA and testB. Images are those of COCO train2014.',
);

/** RefCOCOg (arXiv:1511.02283): longer expressions. */
export const refcocog = prepareOne(
  'refcocog',
  'RefCOCOg: longer expressions',
  "finetune_refcocog_SPLIT.json for train, val and test as UMD divided them, no image in two of them. Google's division\n" +
    '(--split-by google: finetune_refcocog_google_SPLIT.json) has no test, and its splits share images.',
);

const DATASETS: readonly DatasetName[] = ['refcoco', 'refcoco+', 'refcocog'];

/** The three together, as pre-training is validated; and the images that pre-training must not see. */
export const refexp: Preparation = {
  name: 'refexp',
  title: 'RefCOCO, RefCOCO+ and RefCOCOg together',
  about: `
final_refexp_val.json and final_refexp_train.json have the expressions of all three, by their official divisions (UNC,
UNC, UMD). refexp_unsafe_ids.txt lists every image of a validation or test split of any of them: pre-training must not
see those ("mdetr data combine --exclude coco=refexp_unsafe_ids.txt"); final_refexp_train.json itself still has them.
${ABOUT_ROWS}`,
  splits: ['train', 'val'],
  options: [masksOption],
  sources: () =>
    DATASETS.flatMap((dataset) => [
      { ...refsFile(dataset, officialDivision(dataset)), or: [] },
      { ...instancesFile(dataset), or: instancesFile(dataset).or!.filter((path) => path !== 'instances.json') },
    ]),
  async run(request) {
    const { out, progress } = request;
    const parts: { dataset: DatasetName; references: readonly Reference[]; context: ExpressionContext }[] = [];
    const unsafe: number[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    for (const dataset of DATASETS) {
      const all = await readReferences(request, dataset, officialDivision(dataset));
      for (const { split, image_id } of all) if (split !== 'train') unsafe.push(image_id);
      const references = all.filter(({ split }) => request.splits.includes(split));
      parts.push({
        dataset,
        references,
        context: { ...(await contextOf(request, dataset, references)), leftOut, notes },
      });
    }
    const files: PreparedFile[] = [];
    for (const split of request.splits)
      files.push(
        await writeAnnotations(out, `final_refexp_${split}.json`, new RowIds(), async (writer) => {
          for (const { dataset, references, context } of parts) {
            const own = references.filter((reference) => reference.split === split);
            progress.step(`${dataset} ${split}`, own.length);
            await writeAll(request, writer, own, dataset, context);
          }
          return parts[0]!.context.instances.header;
        }),
      );
    const lists = [await writeImageList(out, 'refexp_unsafe_ids.txt', unsafe)];
    return { files, lists, leftOut: leftOut.list, notes: notes.list };
  },
};
