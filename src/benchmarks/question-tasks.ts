import { basename } from 'node:path';
import { z } from 'zod';
import type { CocoRow } from '../data/format/coco-format.ts';
import { checked } from '../datasets/source/checked.ts';
import { readJsonDictionary, readJsonLists } from '../datasets/source/json-entries.ts';
import { MdetrError } from '../errors.ts';
import { ClevrEvaluator, type ClevrQuestion } from '../metrics/clevr.ts';
import { GqaEvaluator, type GqaQuestion } from '../metrics/gqa.ts';
import { answerOf } from '../postprocess/answers.ts';
import type { Prediction } from '../metrics/predictions.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Benchmark, TaskDefinition } from './task-definition.ts';

const questionId = ({ image }: CocoRow): number | string => {
  const own = image['questionId'] ?? image['question_index'];
  return typeof own === 'string' || typeof own === 'number' ? own : image.id;
};

/** Undefined in files of test sets, whose answers nobody but the server knows. */
const answerField = ({ image }: CocoRow): string | undefined => {
  const { answer } = image;
  return typeof answer === 'string' || typeof answer === 'number' ? String(answer) : undefined;
};

const requireAnswer = (row: CocoRow): string => {
  const answer = answerField(row);
  if (answer === undefined)
    throw new MdetrError(
      `row with image id ${row.image.id} has no "answer": it is no question of GQA or CLEVR, or one of a test set; ` +
        '--submission FILE writes what the test server takes',
    );
  return answer;
};

const answered = (model: MDETR, row: CocoRow, outputs: TextOutputs, item: number): Prediction<'gqa'> => {
  const { answer, type } = answerOf(outputs.answers(item), model.answerVocabulary);
  return { questionId: questionId(row), prediction: answer, ...(type === undefined ? {} : { type }) };
};

type Program = NonNullable<ClevrQuestion['program']>;

/** Questions as the data set's own file has them, as far as they are asked about here, by what tells them apart. */
type Details<Question> = ReadonlyMap<string, Partial<Question>>;

/** Official files of CLEVR number their questions anew, and leave some out: picture and words tell which one it is. */
const clevrKey = (file: string, question: string): string => `${basename(file)}\n${question}`;
const clevrRowKey = ({ image }: CocoRow): string => clevrKey(image.file_name, image.caption ?? '');

const clevrQuestion = (row: CocoRow, details?: Details<ClevrQuestion>): ClevrQuestion => {
  const id = questionId(row);
  const program = details?.get(clevrRowKey(row))?.program ?? (row.image['program'] as Program | undefined);
  return { questionId: id, answer: requireAnswer(row), ...(program === undefined ? {} : { program }) };
};

const gqaQuestion = (row: CocoRow, details?: Details<GqaQuestion>): GqaQuestion => {
  const semantic = row.image['question_type'];
  return {
    question: row.image.caption ?? '',
    ...(typeof semantic === 'string' ? { types: { semantic } } : {}),
    ...details?.get(String(questionId(row))),
    questionId: String(questionId(row)),
    answer: requireAnswer(row),
  };
};

export const clevrTask: TaskDefinition<'clevr'> = {
  kind: 'clevr',
  evaluator: (rows) => new ClevrEvaluator(Array.from(rows, (row) => clevrQuestion(row))),
  predict: answered,
};

export const gqaTask: TaskDefinition<'gqa'> = {
  kind: 'gqa',
  evaluator: (rows) => new GqaEvaluator(Array.from(rows, (row) => gqaQuestion(row))),
  predict: answered,
};

export interface QuestionOptions {
  /** The data set's own question file: for numbers by family of question. */
  readonly truth?: string | undefined;
  /** Predictions are wanted also where no answers are known. */
  readonly withoutAnswers: boolean;
}

const shared = {
  predict: answered,
  keyOf: (row: CocoRow) => String(questionId(row)),
  keyOfPrediction: ({ questionId: id }: Prediction<'gqa'>) => String(id),
  boxesOf: () => [],
};

const hasNoAnswers = (rows: Iterable<CocoRow>, { withoutAnswers }: QuestionOptions): boolean => {
  if (!withoutAnswers) return false;
  for (const row of rows) return answerField(row) === undefined;
  return false;
};

const noAnswers = ['the file has no answers, so there is nothing to measure'];

export const clevrBenchmark = (rows: Iterable<CocoRow>, options: QuestionOptions): Benchmark<'clevr'> => {
  const isBlind = hasNoAnswers(rows, options);
  const details =
    options.truth === undefined ? undefined : clevrDetails(options.truth, new Set(Array.from(rows, clevrRowKey)));
  const questions = isBlind ? [] : Array.from(rows, (row) => clevrQuestion(row, details));
  const evaluator = new ClevrEvaluator(questions);
  return {
    kind: 'clevr',
    metrics: [{ title: 'clevr', evaluator: isBlind ? answersOnly(evaluator) : evaluator }],
    ...shared,
    submission: () => evaluator.submission(),
    ...(isBlind ? { warnings: noAnswers } : {}),
  };
};

export const gqaBenchmark = (rows: Iterable<CocoRow>, options: QuestionOptions): Benchmark<'gqa'> => {
  const isBlind = hasNoAnswers(rows, options);
  const details =
    options.truth === undefined ? undefined : gqaDetails(options.truth, new Set(Array.from(rows, shared.keyOf)));
  const questions = isBlind ? [] : Array.from(rows, (row) => gqaQuestion(row, details));
  const evaluator = new GqaEvaluator(questions);
  return {
    kind: 'gqa',
    metrics: [{ title: 'gqa', evaluator: isBlind ? answersOnly(evaluator) : evaluator }],
    ...shared,
    submission: () => evaluator.submission(),
    ...(isBlind ? { warnings: noAnswers } : {}),
  };
};

/** Gathers answers for the server, and measures nothing. */
const answersOnly = (evaluator: ClevrEvaluator | GqaEvaluator) => ({
  add: (prediction: Prediction<'gqa'>) => evaluator.add(prediction),
  summarize: () => ({}),
  warnings: [],
});

const functionSchema = z.object({ function: z.string().optional(), type: z.string().optional() });
const programSchema = z.object({
  image_filename: z.string(),
  question: z.string(),
  program: z.array(functionSchema),
});

const clevrDetails = (path: string, wanted: ReadonlySet<string>): Details<ClevrQuestion> => {
  const found = new Map<string, Partial<ClevrQuestion>>();
  for (const { value, location } of readJsonLists(path, ['questions'])) {
    const { image_filename: file, question, program } = checked(programSchema, value, `${path}: ${location}`);
    const key = clevrKey(file, question);
    // The last function tells the family; programs of all questions need not be kept.
    if (wanted.has(key)) found.set(key, { program: program.slice(-1) });
  }
  return requireAll(found, wanted, path);
};

const text = z.string().nullish();
const detailsSchema = z.object({
  question: z.string(),
  isBalanced: z.boolean().optional(),
  types: z.object({ structural: text, semantic: text, detailed: text }).optional(),
  semantic: z.array(z.object({ operation: z.string(), argument: z.string() })).optional(),
  groups: z.object({ global: text }).optional(),
});

const gqaDetails = (path: string, wanted: ReadonlySet<string>): Details<GqaQuestion> => {
  const found = new Map<string, Partial<GqaQuestion>>();
  for (const { key, value, location } of readJsonDictionary(path))
    if (wanted.has(key)) found.set(key, checked(detailsSchema, value, `${path}: ${location}`));
  return requireAll(found, wanted, path);
};

const requireAll = <Question>(
  found: Details<Question>,
  wanted: ReadonlySet<string>,
  path: string,
): Details<Question> => {
  if (found.size < wanted.size)
    throw new MdetrError(
      `${path}: has only ${found.size} of the ${wanted.size} questions that are asked: is it another split's file?`,
    );
  return found;
};
