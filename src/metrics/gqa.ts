import { MdetrError } from '../errors.ts';
import { HitCounter, listed, mean, type Evaluator, type Metrics } from './metrics.ts';
import type { AnswerPrediction } from './predictions.ts';

/** One question of GQA's question files; whatever a file lacks is left out of the numbers. */
export interface GqaQuestion {
  readonly questionId: number | string;
  readonly answer: string;
  readonly question?: string | undefined;
  /** Only balanced questions count towards accuracy; absent means balanced. */
  readonly isBalanced?: boolean | undefined;
  readonly types?:
    | {
        /** verify, query, choose, logical or compare */
        readonly structural?: string | null | undefined;
        /** rel, attr, obj, cat or global: MDETR's `question_type` */
        readonly semantic?: string | null | undefined;
        readonly detailed?: string | null | undefined;
      }
    | undefined;
  /** The functional program; its length is the number of reasoning steps. */
  readonly semantic?: readonly { readonly operation: string; readonly argument: string }[] | undefined;
  readonly groups?: { readonly global?: string | null | undefined } | undefined;
  /** Ids of questions whose answers follow from this one's. */
  readonly entailed?: readonly (number | string)[] | undefined;
}

/** GQA's choices file: per question which answers make sense at all, and which make sense in the world. */
export type GqaChoices = ReadonlyMap<
  string,
  { readonly valid: readonly string[]; readonly plausible: readonly string[] }
>;

export interface GqaOptions {
  readonly choices?: GqaChoices;
  /** Adds consistency, which needs predictions for all entailed questions, also unbalanced ones. */
  readonly consistency?: boolean;
}

/**
 * GQA: accuracy, over all and per type, as GQA's own evaluation computes it (fractions here, per cent there):
 * `accuracy`, `binary`, `open`, `structural/…`, `semantic/…`, `detailed/…`, `steps/…`, `words/…`, `distribution` (a
 * chi-square divided by 100, lower is better), and with choices `validity` and `plausibility`. Where predictions carry
 * a `type`, `type_accuracy` says how often it is the question's semantic type.
 */
export class GqaEvaluator implements Evaluator<AnswerPrediction> {
  readonly warnings: string[] = [];
  private readonly questions: ReadonlyMap<string, GqaQuestion>;
  private readonly answers = new Map<string, AnswerPrediction>();
  private readonly options: GqaOptions;

  constructor(questions: Iterable<GqaQuestion>, options: GqaOptions = {}) {
    this.questions = new Map([...questions].map((question) => [String(question.questionId), question]));
    this.options = options;
  }

  /** A second answer to a question replaces the first. @returns 1 for the right answer, 0 otherwise */
  add(prediction: AnswerPrediction): number | undefined {
    const key = String(prediction.questionId);
    this.answers.set(key, prediction);
    const question = this.questions.get(key);
    return question === undefined ? undefined : Number(question.answer === prediction.prediction);
  }

  /** @throws {MdetrError} when balanced questions (for consistency also entailed ones) have no answer */
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

  /** The file that the GQA server takes: a JSON list of `questionId` and `prediction`. */
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

  /** How far the answers' distribution within each group of questions is from the true one. */
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

/** All counts that a question's answer goes into. */
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

/** Steps of the program without the last asking one, which does not make the reasoning longer. */
const reasoningSteps = (program: NonNullable<GqaQuestion['semantic']>): number =>
  program.filter(({ operation, argument }) => {
    const step = `${operation}: ${argument}`;
    return !['exist', 'query: name', 'choose name'].some((asking) => step.includes(asking));
  }).length;

/** Questions after something in common are answered by the kind of attribute, whatever the choices file says. */
const isAmong = (answer: string, group: readonly string[], question: GqaQuestion): boolean =>
  (question.types?.detailed?.includes('Common') === true ? ['color', 'material', 'shape'] : group).includes(answer);

const increment = (counts: Map<string, Map<string, number>>, group: string, answer: string): void => {
  const own = counts.get(group) ?? new Map<string, number>();
  counts.set(group, own);
  own.set(answer, (own.get(answer) ?? 0) + 1);
};

/** Overall numbers first, then group by group; numbers of steps and words in numeric order. */
const byGroup = (a: string, b: string): number => {
  const [groupA, groupB] = [a.includes('/') ? a.split('/')[0]! : '', b.includes('/') ? b.split('/')[0]! : ''];
  return groupA.localeCompare(groupB, 'en') || a.localeCompare(b, 'en', { numeric: true });
};
