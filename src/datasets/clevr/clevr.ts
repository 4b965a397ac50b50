import { RowIds } from '../annotation-writer.ts';
import type { PreparationRequest, Preparation, PreparedFile, SourceFile } from '../preparation.ts';
import { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
import { expressionOf, questionOf } from './text-source.ts';
import { annotatedBoxesOf, BOXES_OPTION, SIZE_OPTION, writeQuestionsOnly, writeWithObjects } from './write-clevr.ts';

const CLEVR_PAGE = 'https://cs.stanford.edu/people/jcjohns/clevr/';
const HUMANS_PAGE = 'https://cs.stanford.edu/people/jcjohns/iep/';
const REF_PAGE = 'https://cs.jhu.edu/~cxliu/2019/clevr-ref+.html';

const howObjectsAreFound = `
Every question becomes a row with "answer" and "questionId". Its functional program is run on the scene: the objects that
it finds one by one, counts or asks for are the boxes; their words are those of the program's filters and relations in the
text, found without the templates that the texts were made from. Spans are words, as in the official files ("tokens").
--texts medium leaves questions out that speak of an object twice, for the first stage of the official training.

CLEVR itself has no boxes. The official ones are those of Referring Relationships (boxes/annotations_train.json,
boxes/annotations_test.json for val, boxes/cat2obj.json). Where these are not to be had, --boxes camera works them out
from the places of the objects in space and in the picture: they hold whole objects, also what is hidden. Scenes with
boxes of their own ("bbox": those of "mdetr scenes", written as scenes.json and questions.json) need neither.`;

const options = [
  {
    name: 'texts',
    value: 'kind',
    description: 'all questions, or those that speak of no object twice',
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

/** CLEVR and CoGenT differ in the names of splits and files only. */
const clevrLike = (
  about: Pick<Preparation, 'name' | 'title' | 'about' | 'splits' | 'defaultSplits'>,
  archive: string,
  /** What a split's file is called. */
  nameOf: (split: string) => string,
): Preparation => ({
  ...about,
  options,
  sources: (request) => request.splits.flatMap((split) => sourcesOf(split, archive, request.options)),
  async run(request) {
    const leftOut = new Remarks();
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const [questions, scenes] = sourcesOf(split, archive, request.options);
      const job = {
        texts: sourcePath(request.from, questions!),
        list: 'questions',
        read: questionOf,
        datasetName: 'clevr',
      };
      files.push(
        scenes === undefined
          ? await writeQuestionsOnly(request, { ...job, name: `CLEVR_${split}_questions.json` }, ids)
          : await writeWithObjects(
              request,
              {
                ...job,
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

/** The questions, and the scenes where they are needed. */
const sourcesOf = (split: string, archive: string, asked: PreparationRequest['options']): SourceFile[] => {
  const isLarge = split.startsWith('train');
  const questions = questionFile(split, archive, isLarge ? '1.1 GB' : isTest(split) ? '20 MB' : '230 MB');
  return isTest(split) || asked['questions-only'] !== undefined
    ? [questions]
    : [questions, sceneFile(split, archive, isLarge ? '480 MB' : '100 MB')];
};

/** CLEVR (arXiv:1612.06890). */
export const clevr = clevrLike(
  {
    name: 'clevr',
    title: 'CLEVR: questions about rendered solids, with the objects that they speak of',
    about: `
train.json and val.json; of test, whose scenes and answers are not published, CLEVR_test_questions.json without boxes.
${howObjectsAreFound}

699,989 training questions take about three minutes; one scene is in memory at a time.`,
    splits: ['val', 'train', 'test'],
    defaultSplits: ['val', 'train'],
  },
  `${CLEVR_PAGE} (CLEVR_v1.0_no_images.zip)`,
  (split) => `${split}.json`,
);

/** CLEVR-CoGenT: the same with other combinations of shapes and colours in condition B. */
export const clevrCogent = clevrLike(
  {
    name: 'clevr-cogent',
    title: 'CLEVR-CoGenT: CLEVR with combinations that training does not have',
    about: `
train.json of trainA and val.json of valA, which is what training looks for, valB.json; of testA and testB, whose scenes
and answers are not published, CLEVR_testA_questions.json and CLEVR_testB_questions.json without boxes.
${howObjectsAreFound}`,
    splits: ['trainA', 'valA', 'valB', 'testA', 'testB'],
    defaultSplits: ['trainA', 'valA', 'valB'],
  },
  `${CLEVR_PAGE} (CLEVR_CoGenT_v1.0_no_images.zip)`,
  (split) => ({ trainA: 'train.json', valA: 'val.json' })[split] ?? `${split}.json`,
);

/** CLEVR-Humans (arXiv:1705.03633): questions that people asked about CLEVR's images. */
export const clevrHumans: Preparation = {
  name: 'clevr-humans',
  title: 'CLEVR-Humans: questions of people about CLEVR images',
  about: `
CLEVR-Humans-SPLIT.json under the same names in the official form: a row per question, with its answer. There are no
programs, hence no boxes; training on it asks for "no_detection". Write to another folder than the source's.`,
  splits: ['train', 'val', 'test'],
  options: [SIZE_OPTION],
  sources: ({ splits }) => splits.map(humansFile),
  async run(request) {
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const texts = sourcePath(request.from, humansFile(split));
      const job = { texts, list: 'questions', read: questionOf, datasetName: 'clevr' };
      files.push(await writeQuestionsOnly(request, { ...job, name: `CLEVR-Humans-${split}.json` }, ids));
    }
    return { files, leftOut: [], notes: [] };
  },
};

const humansFile = (split: string): SourceFile => ({
  path: `CLEVR-Humans-${split}.json`,
  kind: 'file',
  holds: 'questions and answers',
  from: `${HUMANS_PAGE} (CLEVR-Humans.zip)`,
  size: split === 'train' ? '3 MB' : '1 MB',
});

/** CLEVR-Ref+ (arXiv:1901.00850): referring expressions for CLEVR's images. */
export const clevrRef: Preparation = {
  name: 'clevr-ref',
  title: 'CLEVR-Ref+: expressions for one or several objects of CLEVR scenes',
  about: `
train.json and val.json: every expression becomes a row with all objects that it speaks of; "isfinal" is 1 for those that
it means, 0 for those on the way. Words are found as for CLEVR; an ordinal ("the second one of the cubes from left")
marks the cubes among which it chooses, too. Boxes are the scenes' own, masks their run lengths. Images are CLEVR-Ref+'s,
rendered anew. Left out: expressions whose program or words do not fit, counted in the report. Where two ordinals are joined by
"or" under a common noun ("the balls from left that are the second one of the large objects from left or ..."), the
official script ties all candidates to the words of the first; here each has those of its own.`,
  splits: ['train', 'val'],
  options: [BOXES_OPTION, SIZE_OPTION],
  sources: ({ splits }) => splits.flatMap(refFiles),
  async run(request) {
    const leftOut = new Remarks();
    const ids = new RowIds();
    const files: PreparedFile[] = [];
    for (const split of request.splits) {
      const [expressions, scenes] = refFiles(split) as [SourceFile, SourceFile];
      const job = {
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
      files.push(await writeWithObjects(request, job, ids, leftOut));
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
