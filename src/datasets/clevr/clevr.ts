import { RowIds } from '../preparation/annotation-writer.ts';
import type { PreparationRequest, Preparation, PreparedFile, SourceFile } from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { expressionOf, questionOf } from './text-source.ts';
import { annotatedBoxesOf, BOXES_OPTION, SIZE_OPTION, writeQuestionsOnly, writeWithObjects } from './write-clevr.ts';

const CLEVR_PAGE = 'https://cs.stanford.edu/people/jcjohns/clevr/';
const HUMANS_PAGE = 'https://cs.stanford.edu/people/jcjohns/iep/';
const REF_PAGE = 'https://cs.jhu.edu/~cxliu/2019/clevr-ref+.html';

const ABOUT_OBJECTS = `
Every question becomes a row with "answer" and "questionId". Its functional program is executed on the scene: objects that
it selects, counts or queries get boxes, and the spans of a box are the words of the program's filters and relations in
the question, which are found without CLEVR's templates. Every word is a span of its own, as in the official files
("tokens"). --texts medium leaves out questions that mention an object twice, for the first stage of the official training.

CLEVR has no boxes. The official files use those of Referring Relationships (boxes/annotations_train.json,
boxes/annotations_test.json for val, boxes/cat2obj.json). If you do not have them, --boxes camera computes boxes from the
3D and pixel coordinates of the objects; these cover the full object, occluded parts included. Scenes that have boxes
("bbox", as "mdetr scenes" writes to scenes.json, beside questions.json) need neither.`;

const OPTIONS = [
  {
    name: 'texts',
    value: 'kind',
    description: 'all questions, or only those that mention no object twice',
    choices: ['full', 'medium'],
    default: 'full',
  },
  BOXES_OPTION,
  { name: 'questions-only', description: 'questions and answers without boxes, as CLEVR_SPLIT_questions.json' },
  SIZE_OPTION,
];

const questionFile = (split: string, from: string, size: string): SourceFile => ({
  path: `questions/CLEVR_${split}_questions.json`,
  kind: 'file',
  holds: 'questions with answers and programs',
  from,
  size,
  or: [`CLEVR_${split}_questions.json`, ...(isTest(split) ? [] : ['questions.json'])],
});

const sceneFile = (split: string, from: string, size: string): SourceFile => ({
  path: `scenes/CLEVR_${split}_scenes.json`,
  kind: 'file',
  holds: 'objects and their relations',
  from,
  size,
  or: [`CLEVR_${split}_scenes.json`, 'scenes.json'],
});

const isTest = (split: string): boolean => split.startsWith('test');

/** Preparation of CLEVR or CoGenT, which differ only in the names of splits and files. */
const clevrLike = (
  about: Pick<Preparation, 'name' | 'title' | 'about' | 'splits' | 'defaultSplits'>,
  archive: string,
  /** Output file name of a split. */
  nameOf: (split: string) => string,
): Preparation => ({
  ...about,
  options: OPTIONS,
  sources: (request) => request.splits.flatMap((split) => sourcesOf(split, archive, request.options)),
  outputs: ({ splits, options }) =>
    splits.map((split) => (sourcesOf(split, archive, options).length === 1 ? questionsName(split) : nameOf(split))),
  async run(request) {
    const leftOut = new Remarks();
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const [questions, scenes] = sourcesOf(split, archive, request.options);
      const task = {
        texts: sourcePath(request.from, questions!),
        list: 'questions',
        read: questionOf,
        datasetName: 'clevr',
      };
      files.push(
        scenes === undefined
          ? await writeQuestionsOnly(request, { ...task, name: questionsName(split) }, ids, leftOut)
          : await writeWithObjects(
              request,
              {
                ...task,
                scenes: sourcePath(request.from, scenes),
                name: nameOf(split),
                annotatedBoxes: annotatedBoxesOf(request.from, split),
                medium: request.options['texts'] === 'medium',
                withFinal: false,
              },
              ids,
              leftOut,
            ),
      );
    }
    return { files, leftOut: leftOut.list, notes: [] };
  },
});

const questionsName = (split: string): string => `CLEVR_${split}_questions.json`;

/** Source files of a split: the questions, and the scenes if they are needed. */
const sourcesOf = (split: string, archive: string, asked: PreparationRequest['options']): SourceFile[] => {
  const isLarge = split.startsWith('train');
  const questions = questionFile(split, archive, isLarge ? '1.1 GB' : isTest(split) ? '20 MB' : '230 MB');
  return isTest(split) || asked['questions-only'] !== undefined
    ? [questions]
    : [questions, sceneFile(split, archive, isLarge ? '480 MB' : '100 MB')];
};

/** Preparation of CLEVR (arXiv:1612.06890). */
export const clevr = clevrLike(
  {
    name: 'clevr',
    title: 'CLEVR: questions about rendered scenes, with boxes for the objects they mention',
    about: `
Writes train.json and val.json, and CLEVR_test_questions.json without boxes, since the scenes and answers of test are not
published.
${ABOUT_OBJECTS}

699,989 training questions take about three minutes; one scene is in memory at a time.`,
    splits: ['val', 'train', 'test'],
    defaultSplits: ['val', 'train'],
  },
  `${CLEVR_PAGE} (CLEVR_v1.0_no_images.zip)`,
  (split) => `${split}.json`,
);

/** Preparation of CLEVR-CoGenT: CLEVR with other combinations of shape and color in condition B. */
export const clevrCogent = clevrLike(
  {
    name: 'clevr-cogent',
    title: 'CLEVR-CoGenT: CLEVR with held-out combinations of attributes',
    about: `
Writes trainA as train.json and valA as val.json, the names that training reads, and valB.json. CLEVR_testA_questions.json
and CLEVR_testB_questions.json have no boxes, since the scenes and answers of testA and testB are not published.
${ABOUT_OBJECTS}`,
    splits: ['trainA', 'valA', 'valB', 'testA', 'testB'],
    defaultSplits: ['trainA', 'valA', 'valB'],
  },
  `${CLEVR_PAGE} (CLEVR_CoGenT_v1.0_no_images.zip)`,
  (split) => ({ trainA: 'train.json', valA: 'val.json' })[split] ?? `${split}.json`,
);

/** Preparation of CLEVR-Humans (arXiv:1705.03633): questions that people asked about CLEVR images. */
export const clevrHumans: Preparation = {
  name: 'clevr-humans',
  title: 'CLEVR-Humans: questions by people about CLEVR images',
  about: `
Writes CLEVR-Humans-SPLIT.json, under the same names but in the official format: one row per question, with its answer.
There are no programs and therefore no boxes; training requires "no_detection". The output folder must differ from the
source folder.`,
  splits: ['train', 'val', 'test'],
  options: [SIZE_OPTION],
  sources: ({ splits }) => splits.map(humansFile),
  outputs: ({ splits }) => splits.map(humansName),
  async run(request) {
    const leftOut = new Remarks();
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const texts = sourcePath(request.from, humansFile(split));
      const task = { texts, list: 'questions', read: questionOf, datasetName: 'clevr' };
      files.push(await writeQuestionsOnly(request, { ...task, name: humansName(split) }, ids, leftOut));
    }
    return { files, leftOut: leftOut.list, notes: [] };
  },
};

const humansName = (split: string): string => `CLEVR-Humans-${split}.json`;

const humansFile = (split: string): SourceFile => ({
  path: `CLEVR-Humans-${split}.json`,
  kind: 'file',
  holds: 'questions and answers',
  from: `${HUMANS_PAGE} (CLEVR-Humans.zip)`,
  size: split === 'train' ? '3 MB' : '1 MB',
});

/** Preparation of CLEVR-Ref+ (arXiv:1901.00850): referring expressions for CLEVR scenes. */
export const clevrRef: Preparation = {
  name: 'clevr-ref',
  title: 'CLEVR-Ref+: expressions for one or several objects of CLEVR scenes',
  about: `
Writes train.json and val.json: every expression becomes a row with all objects it mentions; "isfinal" is 1 for the objects
it refers to and 0 for the others. Words are found as for CLEVR; with an ordinal ("the second one of the cubes from left")
the candidates (the cubes) get boxes too. Boxes and masks are those of the scenes. The images are CLEVR-Ref+'s own
renderings. The report counts what is left out: expressions whose program or words do not match. If two ordinals are
joined by "or" under a common noun ("the balls from left that are the second one of the large objects from left or ..."),
the official script assigns the words of the first to all candidates; here each candidate has its own.`,
  splits: ['train', 'val'],
  options: [BOXES_OPTION, SIZE_OPTION],
  sources: ({ splits }) => splits.flatMap(refFiles),
  outputs: ({ splits }) => splits.map((split) => `${split}.json`),
  async run(request) {
    const leftOut = new Remarks();
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const [expressions, scenes] = refFiles(split) as [SourceFile, SourceFile];
      const task = {
        texts: sourcePath(request.from, expressions),
        scenes: sourcePath(request.from, scenes),
        list: 'refexps',
        read: expressionOf,
        name: `${split}.json`,
        datasetName: 'clevrref',
        annotatedBoxes: annotatedBoxesOf(request.from, split),
        medium: false,
        withFinal: true,
      };
      files.push(await writeWithObjects(request, task, ids, leftOut));
    }
    return { files, leftOut: leftOut.list, notes: [] };
  },
};

const refFiles = (split: string): SourceFile[] => [
  {
    path: `refexps/clevr_ref+_${split}_refexps.json`,
    kind: 'file',
    holds: 'expressions with programs',
    from: `${REF_PAGE} (clevr_ref+_1.0.zip)`,
    size: split === 'train' ? '2 GB' : '500 MB',
    or: [`clevr_ref+_${split}_refexps.json`],
  },
  {
    path: `scenes/clevr_ref+_${split}_scenes.json`,
    kind: 'file',
    holds: 'objects, relations, boxes and masks',
    from: `${REF_PAGE} (clevr_ref+_1.0.zip)`,
    size: split === 'train' ? '1 GB' : '200 MB',
    or: [`clevr_ref+_${split}_scenes.json`],
  },
];
