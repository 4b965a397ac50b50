import { MdetrError } from '../errors.ts';
import { HitCounter, listed, type Evaluator, type Metrics } from './metrics.ts';
import type { AnswerPrediction } from './predictions.ts';

/** One question of CLEVR, CLEVR-CoGenT or CLEVR-Humans (which has no programs). */
export interface ClevrQuestion {
  /** `question_index` of the question file, or the image id of the row. */
  readonly questionId: number | string;
  /** Correct answer. */
  readonly answer: string;
  /** Functional program; older files have `type` in place of `function`. */
  readonly program?:
    readonly { readonly function?: string | undefined; readonly type?: string | undefined }[] | undefined;
}

/** MDETR's three kinds of answer: yes or no, an attribute, or an integer. */
export type ClevrAnswerType = 'binary' | 'attr' | 'reg';

/** Kind of an answer: integers are `reg`, `yes` and `no` are `binary`, all others are `attr`. */
export const clevrAnswerType = (answer: string): ClevrAnswerType =>
  answer === 'yes' || answer === 'no' ? 'binary' : /^\d+$/.test(answer) ? 'reg' : 'attr';

/**
 * Accuracy on CLEVR: `accuracy`, by kind of answer (`answer/binary`, `answer/attr`, `answer/reg`), and for questions with
 * programs by family as in the CLEVR paper (`question/exist`, `question/count`, `question/compare_integer`,
 * `question/query_attribute`, `question/compare_attribute`) and by last function (`function/query_color`).
 * `type_accuracy` is the fraction of correctly predicted kinds of answer, for predictions with a `type`.
 */
export class ClevrEvaluator implements Evaluator<AnswerPrediction> {
  /** Notes about predictions that do not count. */
  readonly warnings: string[] = [];
  private readonly questions: ReadonlyMap<string, ClevrQuestion>;
  private readonly answers = new Map<string, AnswerPrediction>();

  constructor(questions: Iterable<ClevrQuestion>) {
    this.questions = new Map([...questions].map((question) => [String(question.questionId), question]));
  }

  /** Adds an answer; a second one to the same question replaces the first. @returns 1 if it is correct, else 0 */
  add(prediction: AnswerPrediction): number | undefined {
    const key = String(prediction.questionId);
    this.answers.set(key, prediction);
    const question = this.questions.get(key);
    return question === undefined ? undefined : Number(question.answer === prediction.prediction);
  }

  /** Accuracy, overall and by type of question. @throws {MdetrError} when questions have no answer */
  summarize(): Metrics {
    const missing = [...this.questions.keys()].filter((key) => !this.answers.has(key));
    if (missing.length > 0) {
      throw new MdetrError(`No answer to ${missing.length} of ${this.questions.size} questions: ${listed(missing)}.`);
    }
    const counter = new HitCounter();
    for (const [key, question] of this.questions) {
      const answer = this.answers.get(key)!;
      const correct = answer.prediction === question.answer;
      const kind = clevrAnswerType(question.answer);
      counter.add('accuracy', correct);
      counter.add(`answer/${kind}`, correct);
      if (answer.type !== undefined) counter.add('type_accuracy', answer.type === kind);
      const last = question.program?.at(-1);
      const asking = last?.function ?? last?.type;
      if (asking === undefined) continue;
      counter.add(`question/${clevrQuestionFamily(asking)}`, correct);
      counter.add(`function/${asking}`, correct);
    }
    return Object.fromEntries([...counter.names].sort().map((name) => [name, counter.rate(name)]));
  }

  /** Content of the official submission file: one answer on each line, in the order of the question ids. */
  submission(): string {
    const ordered = [...this.answers.values()].sort((a, b) =>
      numeric.compare(String(a.questionId), String(b.questionId)),
    );
    return ordered.map(({ prediction }) => `${prediction}\n`).join('');
  }
}

const numeric = new Intl.Collator('en', { numeric: true });

/** Family of a question in the CLEVR paper, from the last function of its program. */
export const clevrQuestionFamily = (lastFunction: string): string => {
  if (lastFunction.startsWith('query_')) return 'query_attribute';
  if (['equal_integer', 'less_than', 'greater_than'].includes(lastFunction)) return 'compare_integer';
  if (lastFunction.startsWith('equal_')) return 'compare_attribute';
  return lastFunction;
};
