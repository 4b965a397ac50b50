import { shownImageId, statedImageId } from '../data/annotation-index/string-ids.ts';
import type { CocoRow } from '../data/format/coco-format.ts';
import { MdetrError } from '../errors.ts';
import type { MDETR } from '../inference/node/mdetr.ts';
import type { TextOutputs } from '../inference/text-outputs.ts';
import type { Evaluator } from '../metrics/metrics.ts';
import type { AnswerPrediction } from '../metrics/predictions.ts';
import { answerOf } from '../postprocess/answers.ts';
import type { RowEvaluation } from './row-evaluation.ts';

/** Id of a row's question: GQA's `questionId`, CLEVR's `question_index`, or the image id. */
export const questionIdOf = ({ image }: CocoRow): number | string => {
  const own = image['questionId'] ?? image['question_index'];
  return typeof own === 'string' || typeof own === 'number' ? own : statedImageId(image);
};

/** Answer of a row; undefined in test sets, whose answers only the test server has. */
const answerIn = ({ image }: CocoRow): string | undefined => {
  const { answer } = image;
  return typeof answer === 'string' || typeof answer === 'number' ? String(answer) : undefined;
};

/** Answer of a row. @throws {MdetrError} when it has none */
export const requireAnswer = (row: CocoRow): string => {
  const answer = answerIn(row);
  if (answer === undefined)
    throw new MdetrError(
      `row with image id ${shownImageId(row.image)} has no "answer": it is not a question of GQA or CLEVR, or belongs to a test ` +
        'set; --submission FILE writes the file for the test server',
    );
  return answer;
};

/** An evaluator of answers that also writes the submission file. */
type AnswerEvaluator = Evaluator<AnswerPrediction> & { submission(): string };

interface AnswerEvaluationOptions<Question> {
  readonly title: string;
  readonly allowsMissingAnswers: boolean;
  readonly questionOf: (row: CocoRow) => Question;
  readonly evaluatorOf: (questions: readonly Question[]) => AnswerEvaluator;
}

/**
 * Makes an evaluation of one answer for each row. With `allowsMissingAnswers` and rows of a test set, answers are only
 * collected for the submission file.
 */
export const answerEvaluation = <Question>(
  rows: Iterable<CocoRow>,
  { title, allowsMissingAnswers, questionOf, evaluatorOf }: AnswerEvaluationOptions<Question>,
): RowEvaluation<AnswerPrediction> => {
  const isTestSet = allowsMissingAnswers && lacksAnswers(rows);
  const evaluator = evaluatorOf(isTestSet ? [] : Array.from(rows, questionOf));
  return {
    columns: [{ title, evaluator: isTestSet ? withoutMetrics(evaluator) : evaluator }],
    predict: predictAnswer,
    keyOf: (row) => String(questionIdOf(row)),
    keyOfPrediction: ({ questionId }) => String(questionId),
    boxesOf: () => [],
    submission: () => evaluator.submission(),
    warnings: isTestSet ? ['the file has no answers, so no metrics can be computed'] : [],
  };
};

const predictAnswer = (model: MDETR, row: CocoRow, outputs: TextOutputs, index: number): AnswerPrediction => {
  const { answer, type } = answerOf(outputs.answers(index), model.answerVocabulary);
  return { questionId: questionIdOf(row), prediction: answer, type };
};

const lacksAnswers = (rows: Iterable<CocoRow>): boolean => {
  for (const row of rows) return answerIn(row) === undefined;
  return false;
};

const withoutMetrics = (evaluator: AnswerEvaluator): Evaluator<AnswerPrediction> => ({
  add: (prediction) => evaluator.add(prediction),
  summarize: () => ({}),
  warnings: [],
});

/** Fields of questions that a question file adds, by a key that identifies the question. */
export type QuestionDetails<Question> = ReadonlyMap<string, Partial<Question>>;

/** Checks that a question file has all wanted questions. @throws {MdetrError} when it has not */
export const requireAllDetails = <Question>(
  found: QuestionDetails<Question>,
  wanted: ReadonlySet<string>,
  path: string,
): QuestionDetails<Question> => {
  if (found.size < wanted.size)
    throw new MdetrError(
      `${path}: has only ${found.size} of the ${wanted.size} questions; it may belong to another split`,
    );
  return found;
};
