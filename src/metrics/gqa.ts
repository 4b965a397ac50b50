import { MdetrError } from '../errors.ts';
import { HitCounter, listed, mean, type Evaluator, type Metrics } from './metrics.ts';
import type { AnswerPrediction } from './predictions.ts';

/** One question of GQA's question files. Metrics that need a missing field are left out. */
export interface GqaQuestion {
  /** Id of the question. */
  readonly questionId: number | string;
  /** Correct answer. */
  readonly answer: string;
  /** Text of the question. */
  readonly question?: string | undefined;
  /** Only balanced questions count towards accuracy; absent means balanced. */
  readonly isBalanced?: boolean | undefined;
  /** Types of the question, for accuracy by type. */
  readonly types?:
    | {
        /** verify, query, choose, logical or compare */
        readonly structural?: string | null | undefined;
        /** rel, attr, obj, cat or global: MDETR's `question_type` */
        readonly semantic?: string | null | undefined;
        readonly detailed?: string | null | undefined;
      }
    | undefined;
  /** Functional program; its length is the number of reasoning steps. */
  readonly semantic?: readonly { readonly operation: string; readonly argument: string }[] | undefined;
  /** Groups of questions, for the distribution score. */
  readonly groups?: { readonly global?: string | null | undefined } | undefined;
  /** Ids of questions whose answers follow from this one's. */
  readonly entailed?: readonly (number | string)[] | undefined;
}

/** GQA's choices file: valid and plausible answers by question id. */
export type GqaChoices = ReadonlyMap<
  string,
  { readonly valid: readonly string[]; readonly plausible: readonly string[] }
>;

/** Options of GQA's metrics. */
export interface GqaOptions {
  /** Valid answers of each question, for validity and plausibility. */
  readonly choices?: GqaChoices;
  /** Computes consistency, which needs predictions for all entailed questions, unbalanced ones included. */
  readonly consistency?: boolean;
}

/**
 * Accuracy on GQA, over all and by type of question, as in GQA's own evaluation (fractions here, percentages there):
 * `accuracy`, `binary`, `open`, `structural/…`, `semantic/…`, `detailed/…`, `steps/…`, `words/…`, `distribution` (a
 * chi-square divided by 100, lower is better), and with choices `validity` and `plausibility`. `type_accuracy` is the
 * fraction of correctly predicted semantic types, for predictions with a `type`. Official counterpart: GQA's `eval.py`.
 */
export class GqaEvaluator implements Evaluator<AnswerPrediction> {
  /** Notes about predictions that do not count. */
  readonly warnings: string[] = [];
  private readonly questions: ReadonlyMap<string, GqaQuestion>;
  private readonly answers = new Map<string, AnswerPrediction>();
  private readonly options: GqaOptions;

  constructor(questions: Iterable<GqaQuestion>, options: GqaOptions = {}) {
    this.questions = new Map([...questions].map((question) => [String(question.questionId), question]));
    this.options = options;
  }

  /** Adds an answer; a second one to the same question replaces the first. @returns 1 if it is correct, else 0 */
  add(prediction: AnswerPrediction): number | undefined {
    const key = String(prediction.questionId);
    this.answers.set(key, prediction);
    const question = this.questions.get(key);
    return question === undefined ? undefined : Number(question.answer === prediction.prediction);
  }

  /**
   * Accuracy, overall and by type of question.
   *
   * @throws {MdetrError} when balanced questions (for consistency also entailed ones) have no answer
   */
  summarize(): Metrics {
    const balanced = [...this.questions].filter(([, question]) => question.isBalanced !== false);
    const missing = balanced.map(([key]) => key).filter((key) => !this.answers.has(key));
    if (missing.length > 0) {
      throw new MdetrError(`No answer to ${missing.length} of ${balanced.length} questions: ${listed(missing)}.`);
    }
    const counter = new HitCounter();
    const typeCounter = new HitCounter();
    const consistency: number[] = [];
    for (const [key, question] of balanced) {
      const answer = this.answers.get(key)!;
      const correct = answer.prediction === question.answer;
      for (const name of scoreNames(question)) counter.add(name, correct);
      const choice = this.options.choices?.get(key);
      if (choice !== undefined) {
        counter.add('validity', isAmong(answer.prediction, choice.valid, question));
        counter.add('plausibility', isAmong(answer.prediction, choice.plausible, question));
      }
      if (answer.type !== undefined && question.types?.semantic) {
        typeCounter.add('type_accuracy', answer.type === question.types.semantic);
      }
      if (this.options.consistency === true && correct) {
        const score = this.consistencyOf(key, question);
        if (score !== undefined) consistency.push(score);
      }
    }
    const metrics: Record<string, number> = { accuracy: counter.rate('accuracy') };
    for (const name of [...counter.names].sort(byGroup)) metrics[name] = counter.rate(name);
    for (const name of typeCounter.names) metrics[name] = typeCounter.rate(name);
    if (this.options.consistency === true) metrics['consistency'] = mean(consistency);
    const distribution = this.distribution(balanced.map(([, question]) => question));
    if (distribution !== undefined) metrics['distribution'] = distribution;
    return metrics;
  }

  /** Content of the file for the GQA server: a JSON list of `questionId` and `prediction`. */
  submission(): string {
    const answers = [...this.answers.values()].map(({ questionId, prediction }) => ({
      prediction,
      questionId: String(questionId),
    }));
    return `${JSON.stringify(answers, null, 4)}\n`;
  }

  private consistencyOf(key: string, question: GqaQuestion): number | undefined {
    const entailed = (question.entailed ?? []).map(String).filter((id) => id !== key);
    if (entailed.length === 0) return undefined;
    const scores = entailed.map((id) => {
      const [gold, answer] = [this.questions.get(id), this.answers.get(id)];
      if (gold === undefined || answer === undefined) {
        throw new MdetrError(
          `Consistency needs question ${id}, which ${key} entails: ${gold === undefined ? 'it is not in the question file' : 'it has no answer'}. ` +
            `Evaluate on all questions, or without consistency.`,
        );
      }
      return Number(gold.answer === answer.prediction);
    });
    return mean(scores);
  }

  /** Chi-square distance between predicted and correct answers, averaged over groups of questions. */
  private distribution(questions: readonly GqaQuestion[]): number | undefined {
    const gold = new Map<string, Map<string, number>>();
    const predicted = new Map<string, Map<string, number>>();
    for (const question of questions) {
      const group = question.groups?.global;
      if (group === null || group === undefined) continue;
      increment(gold, group, question.answer);
      increment(predicted, group, this.answers.get(String(question.questionId))!.prediction);
    }
    let [weighted, total] = [0, 0];
    for (const [group, answers] of gold) {
      let [chiSquare, size] = [0, 0];
      for (const [answer, expected] of answers) {
        const observed = predicted.get(group)?.get(answer) ?? 0;
        chiSquare += (observed - expected) ** 2 / expected;
        size += expected;
      }
      weighted += chiSquare * size;
      total += size;
    }
    return total === 0 ? undefined : weighted / total / 100;
  }
}

/** Names of the metrics that a question counts for. */
const scoreNames = (question: GqaQuestion): string[] => {
  const { structural, semantic, detailed } = question.types ?? {};
  const names = ['accuracy'];
  if (structural) names.push(structural === 'query' ? 'open' : 'binary', `structural/${structural}`);
  if (semantic) names.push(`semantic/${semantic}`);
  if (detailed) names.push(`detailed/${detailed}`);
  if (question.semantic !== undefined) names.push(`steps/${reasoningSteps(question.semantic)}`);
  if (question.question !== undefined) names.push(`words/${question.question.trim().split(/\s+/).length}`);
  return names;
};

/** Number of steps of the program, without final steps that only state the answer. */
const reasoningSteps = (program: NonNullable<GqaQuestion['semantic']>): number =>
  program.filter(({ operation, argument }) => {
    const step = `${operation}: ${argument}`;
    return !['exist', 'query: name', 'choose name'].some((asking) => step.includes(asking));
  }).length;

/** Whether an answer is in a group of choices. For questions about a common attribute, the choices are fixed. */
const isAmong = (answer: string, group: readonly string[], question: GqaQuestion): boolean =>
  (question.types?.detailed?.includes('Common') === true ? ['color', 'material', 'shape'] : group).includes(answer);

const increment = (counts: Map<string, Map<string, number>>, group: string, answer: string): void => {
  const own = counts.get(group) ?? new Map<string, number>();
  counts.set(group, own);
  own.set(answer, (own.get(answer) ?? 0) + 1);
};

/** Order of metrics: overall ones first, then by group; numbers of steps and words in numeric order. */
const byGroup = (a: string, b: string): number => {
  const [groupA, groupB] = [a.includes('/') ? a.split('/')[0]! : '', b.includes('/') ? b.split('/')[0]! : ''];
  return groupA.localeCompare(groupB, 'en') || a.localeCompare(b, 'en', { numeric: true });
};
