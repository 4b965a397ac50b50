import { makeFolder } from '../../files/make-folder.ts';
import { codePointLength } from '../../text/spans/code-points.ts';
import { AnnotationWriter, type NewAnnotation, type NewImage } from '../preparation/annotation-writer.ts';
import { BadRows } from '../source/bad-rows.ts';
import { writeImageList } from '../source/image-list.ts';
import { JsonDictionary } from '../source/json-dictionary.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type {
  PreparedFile,
  Preparation,
  PreparationProgress,
  PreparationRequest,
  SourceFile,
} from '../preparation/preparation.ts';
import { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { ANSWER_TABLE_FILES, AnswerTables } from './answer-tables.ts';
import { GroupedQuestions, type ImageQuestions } from './grouped-questions.ts';
import { mentionedObjects } from './question-objects.ts';
import { type SceneGraph, sceneGraphOf } from './scene-graphs.ts';
import { type SizeOf, sizesOfTestImages, TEST_IMAGES } from './test-image-sizes.ts';

const PAGE = 'https://cs.stanford.edu/people/dorarad/gqa/download.html';
/** Splits whose questions have boxes, which come from the scene graphs of their images. */
const WITH_GRAPHS = ['train', 'val'];
const SPLITS = [...WITH_GRAPHS, 'testdev', 'test', 'challenge', 'submission'];

/** Preparation of GQA (arXiv:1902.09506): questions about Visual Genome images, generated from scene graphs. */
export const gqa: Preparation = {
  name: 'gqa',
  title: 'GQA: questions about images, with boxes for the objects they mention',
  about: `
Every question becomes a row. finetune_gqa_SPLIT_KIND.json, for question answering, has "answer", "question_type" (obj,
attr, rel, global, cat) and "questionId". final_gqa_SPLIT.json (balanced questions of train and val) is for pre-training
and has none of these; combine it with other captions of the same images ("mdetr data combine
vg=final_gqa_train.json ...").

Boxes of train and val come from the scene graphs: objects in the question's annotations, further objects that its
program selects, and for objects of the answer the question word. Test splits have neither boxes nor answers. The report
counts what is left out: objects without a matching word in the question, and objects missing in the scene graph. (The
official script assigns an object whose name is not in the question to nearly the entire question.)

gqa_unsafe_ids.txt lists the Visual Genome images of all prepared splits except train, for "mdetr data combine --exclude
vg=gqa_unsafe_ids.txt". Images of the test splits are COCO test images, which occur in no other dataset.

Balanced questions of train and val (1,075,062) take about two minutes, all questions (16 million) half an hour; memory
use is constant. --answer-tables also writes gqa_answer2id.json and gqa_answer2id_by_type.json, with ids by descending
frequency in the balanced train and val questions. Use them only with models that you train yourself: published
checkpoints need the official tables, which come with the official annotations.`,
  splits: SPLITS,
  defaultSplits: ['train', 'val', 'testdev'],
  options: [
    {
      name: 'questions',
      value: 'kind',
      description: 'questions to prepare',
      choices: ['balanced', 'all', 'both'],
      default: 'balanced',
    },
    {
      name: 'for',
      value: 'purpose',
      description: 'files for question answering, for pre-training, or both',
      choices: ['finetune', 'pretrain', 'both'],
      default: 'both',
    },
    { name: 'answer-tables', description: 'also write new answer tables' },
  ],
  sources: ({ splits, options }) => [
    ...filesToWrite(splits, options).flatMap(({ split, kind }) => questionFiles(split, kind)),
    ...splits.filter((split) => WITH_GRAPHS.includes(split)).map(graphFile),
    ...(splits.some((split) => ['testdev', 'test', 'challenge'].includes(split)) ? [TEST_IMAGES] : []),
  ],
  outputs: ({ splits, options }) => [
    ...filesToWrite(splits, options).flatMap(({ split, kind }) =>
      annotationFiles(options, split, kind).map(({ name }) => name),
    ),
    ...(options['answer-tables'] === undefined ? [] : ANSWER_TABLE_FILES),
    ...(splits.some((split) => split !== 'train') ? [UNSAFE_LIST] : []),
  ],
  async run(request) {
    const files: PreparedFile[] = [];
    const leftOut = new Remarks();
    const notes = new Remarks();
    const unsafe = new Set<number>();
    const answers = request.options['answer-tables'] === undefined ? undefined : new AnswerTables();
    await makeFolder(request.out);
    for (const split of request.splits) {
      const graphs = WITH_GRAPHS.includes(split)
        ? openGraphs(sourcePath(request.from, graphFile(split)), split, request.progress)
        : undefined;
      try {
        for (const kind of kindsOf(request.options, split))
          files.push(...(await writeQuestions(request, split, kind, graphs, { leftOut, notes, answers, unsafe })));
      } finally {
        graphs?.close();
      }
    }
    if (answers !== undefined) await answers.write(request.out);
    const others = request.splits.filter((split) => split !== 'train');
    const lists = others.length > 0 ? [await writeImageList(request.out, UNSAFE_LIST, unsafe)] : [];
    return { files, lists, leftOut: leftOut.list, notes: notes.list };
  },
};

const UNSAFE_LIST = 'gqa_unsafe_ids.txt';

const openGraphs = (path: string, split: string, progress: PreparationProgress): JsonDictionary =>
  new JsonDictionary(path, { onProgress: megabyteProgress(`gqa ${split}, reading ${path}, MB`, progress) });

type Options = PreparationRequest['options'];

/** Question kinds to write for a split. Pre-training always needs the balanced ones. */
const kindsOf = ({ questions, for: purpose }: Options, split: string): string[] => {
  const asked = questions === 'both' ? ['balanced', 'all'] : [questions ?? 'balanced'];
  if (!WITH_GRAPHS.includes(split)) return purpose === 'pretrain' ? [] : asked;
  if (purpose === 'pretrain') return ['balanced'];
  return purpose === 'both' && !asked.includes('balanced') ? ['balanced', ...asked] : asked;
};

const filesToWrite = (splits: readonly string[], options: Options): { split: string; kind: string }[] =>
  splits.flatMap((split) => kindsOf(options, split).map((kind) => ({ split, kind })));

const questionFile = (path: string, holds: string, size: string): SourceFile => ({
  path: `questions1.2/${path}`,
  kind: 'file',
  holds,
  from: `${PAGE} (questions1.2.zip)`,
  size,
  or: [path, `questions/${path}`],
});

const questionFiles = (split: string, kind: string): SourceFile[] =>
  split === 'train' && kind === 'all'
    ? Array.from({ length: 10 }, (_, i) =>
        questionFile(`train_all_questions/train_all_questions_${i}.json`, 'all training questions, part', '1.5 GB'),
      )
    : [
        questionFile(
          `${split}_${kind}_questions.json`,
          `${kind} questions of the ${split} split`,
          split === 'train' ? '1.1 GB' : kind === 'all' && split === 'val' ? '2 GB' : '5 to 300 MB',
        ),
      ];

const graphFile = (split: string): SourceFile => ({
  path: `sceneGraphs/${split}_sceneGraphs.json`,
  kind: 'file',
  holds: `objects of the ${split} images`,
  from: `${PAGE} (sceneGraphs.zip)`,
  size: split === 'train' ? '390 MB' : '55 MB',
  or: [`${split}_sceneGraphs.json`],
});

interface Results {
  readonly leftOut: Remarks;
  readonly notes: Remarks;
  readonly answers: AnswerTables | undefined;
  /** Visual Genome ids of the images that training must not see. */
  readonly unsafe: Set<number>;
}

const writeQuestions = async (
  request: PreparationRequest,
  split: string,
  kind: string,
  graphs: JsonDictionary | undefined,
  results: Results,
): Promise<PreparedFile[]> => {
  const { from, out, options, progress } = request;
  const title = `gqa ${split} ${kind}`;
  const paths = questionFiles(split, kind).map((file) => sourcePath(from, file));
  const outputs = annotationFiles(options, split, kind);
  const badRows = new BadRows(request.onBadRow, results.leftOut);
  const sizes = WITH_GRAPHS.includes(split) ? undefined : sizesOfTestImages(request, split, badRows);
  const questions = GroupedQuestions.read(paths, out, title, progress, badRows);
  const writers: { readonly writer: AnnotationWriter; readonly withAnswers: boolean }[] = [];
  try {
    for (const { name, withAnswers } of outputs)
      writers.push({ writer: await AnnotationWriter.create(out, name), withAnswers });
    progress.step(`${title}, writing ${outputs.map(({ name }) => name).join(' and ')}`, questions.length);
    for (const image of questions.byImage(badRows)) {
      if (split !== 'train' && /^\d+$/.test(image.imageId)) results.unsafe.add(Number(image.imageId));
      await badRows.attemptWrite(async () => {
        for (const row of rowsOf(image, graphs && sceneGraphOf(graphs, image.imageId), sizes, kind, results))
          for (const { writer, withAnswers } of writers)
            await badRows.attemptWrite(() =>
              writer.write(
                { ...row.image, ...(withAnswers ? row.answer : { data_source: 'vg' }) },
                row.annotations,
                row.location,
              ),
            );
      });
      progress.advance(image.questions.length);
    }
    const files: PreparedFile[] = [];
    for (const { writer } of writers) files.push(await writer.finish({ categories: [] }));
    return files;
  } finally {
    for (const { writer } of writers) await writer.discard();
    questions.close();
  }
};

/** Files of the questions of a split, with and without answers. */
const annotationFiles = (options: Options, split: string, kind: string): { name: string; withAnswers: boolean }[] => [
  ...(isAsked(options, kind) ? [{ name: `finetune_gqa_${split}_${kind}.json`, withAnswers: true }] : []),
  ...(WITH_GRAPHS.includes(split) && kind === 'balanced' && options['for'] !== 'finetune'
    ? [{ name: `final_gqa_${split}.json`, withAnswers: false }]
    : []),
];

const isAsked = ({ questions, for: purpose }: Options, kind: string): boolean =>
  purpose !== 'pretrain' && (questions === 'both' || questions === kind);

interface QuestionRow {
  readonly image: NewImage;
  /** Fields that only the files for question answering have. */
  readonly answer: Readonly<Record<string, unknown>>;
  readonly annotations: readonly NewAnnotation[];
  readonly location: string;
}

const rowsOf = function* (
  { imageId, questions }: ImageQuestions,
  graph: SceneGraph | undefined,
  sizeOf: SizeOf | undefined,
  kind: string,
  { leftOut, notes, answers }: Results,
): Generator<QuestionRow> {
  if (graph === undefined && sizeOf === undefined) {
    leftOut.add('questions about images without a scene graph', `image ${imageId}`, questions.length);
    return;
  }
  for (const { id, question, location } of questions) {
    const { width, height } = graph ?? sizeOf!(imageId, location);
    const objects = graph === undefined ? [] : mentionedObjects(question, (problem) => leftOut.add(problem, id));
    const annotations = objects.flatMap(({ objectId, spans }): NewAnnotation[] => {
      const box = graph!.objects.get(objectId);
      if (box === undefined) {
        leftOut.add('objects missing in the scene graph', id);
        return [];
      }
      const { x, y, w, h } = box;
      if (!(w > 0 && h > 0)) notes.add('boxes without area, which readers skip', id);
      return [{ area: h * w, iscrowd: 0, category_id: 1, bbox: [x, y, w, h], tokens_positive: spans }];
    });
    const type = question.types?.semantic ?? null;
    const answer = question.answer ?? null;
    if (kind === 'balanced' && type !== null && answer !== null) answers?.add(type, answer);
    yield {
      image: {
        file_name: `${imageId}.jpg`,
        height,
        width,
        original_id: imageId,
        caption: question.question,
        tokens_negative: [[0, codePointLength(question.question)]],
        dataset_name: 'gqa',
      },
      answer: { question_type: type, answer, questionId: id },
      annotations,
      location,
    };
  }
};
