import { MdetrError } from '../errors.ts';
import {
  type AnswerVocabulary,
  clevrAnswerTypes,
  clevrAttributes,
  type ClevrHeadType,
  gqaAnswerTypes,
  type GqaAnswerType,
} from './answer-vocabulary.ts';
import type { RankedAnswer } from '../results/types.ts';
import { byFallingScore, sigmoid, softmaxRows } from './scored-boxes.ts';

/** Logits of the question-answering heads for one sample, under the official output names. */
export interface AnswerOutputs {
  readonly pred_answer?: Float32Array;
  readonly pred_answer_type?: Float32Array;
  readonly pred_answer_obj?: Float32Array;
  readonly pred_answer_attr?: Float32Array;
  readonly pred_answer_rel?: Float32Array;
  readonly pred_answer_global?: Float32Array;
  readonly pred_answer_cat?: Float32Array;
  /** One logit of "yes". */
  readonly pred_answer_binary?: Float32Array;
  readonly pred_answer_reg?: Float32Array;
}

export type { RankedAnswer };

/** The answer to a question. */
export interface QuestionAnswer extends RankedAnswer {
  /** Kind of the question by the type head; undefined for the joint head, which does not tell. */
  readonly type: GqaAnswerType | ClevrHeadType | undefined;
  /** The five most probable answers of that kind, best first. */
  readonly answers: readonly RankedAnswer[];
}

const ANSWERS_LISTED = 5;

/**
 * The answer as the official code picks it: the most probable type, then the most probable answer of that type's head
 * (CLEVR's `binary` says yes above 0.5). Probabilities are P(type) × P(answer | type); the joint head has its softmax.
 * Equal ones: the lower id. GQA's heads need `vocabulary`; CLEVR's answers are known.
 *
 * Throws MdetrError when the model has no such heads, or when the vocabulary lacks a table or has one of another length.
 */
export const answerOf = (outputs: AnswerOutputs, vocabulary: AnswerVocabulary = {}): QuestionAnswer => {
  if (outputs.pred_answer !== undefined) {
    const probabilities = softmaxRows(outputs.pred_answer, 1);
    return best(undefined, probabilities, table(vocabulary, 'unified', probabilities.length));
  }
  if (outputs.pred_answer_type === undefined)
    throw new MdetrError('This model has no question-answering heads; use one trained for GQA or CLEVR (do_qa).');
  const typeProbabilities = softmaxRows(outputs.pred_answer_type, 1);
  const typeId = byFallingScore(typeProbabilities)[0]!;
  const weighted = (probabilities: Float32Array) =>
    probabilities.map((probability) => probability * typeProbabilities[typeId]!);
  if (outputs.pred_answer_binary !== undefined) {
    const type = clevrAnswerTypes[typeId]!;
    const probabilities = weighted(clevrProbabilities(outputs, type));
    return best(type, probabilities, clevrAnswers[type](probabilities.length));
  }
  const type = gqaAnswerTypes[typeId]!;
  const probabilities = weighted(softmaxRows(head(outputs, `pred_answer_${type}`), 1));
  return best(type, probabilities, table(vocabulary, type, probabilities.length));
};

const clevrAnswers: { readonly [Type in ClevrHeadType]: (count: number) => readonly string[] } = {
  binary: () => ['no', 'yes'],
  attr: () => clevrAttributes,
  reg: (count) => Array.from({ length: count }, (_, number) => String(number)),
};

const clevrProbabilities = (outputs: AnswerOutputs, type: ClevrHeadType): Float32Array => {
  const logits = head(outputs, `pred_answer_${type}`);
  if (type !== 'binary') return softmaxRows(logits, 1);
  const yes = sigmoid(logits[0]!);
  return Float32Array.of(1 - yes, yes);
};

const head = (outputs: AnswerOutputs, name: keyof AnswerOutputs): Float32Array => {
  const logits = outputs[name];
  if (logits === undefined) throw new Error(`internal: the model gave no ${name}`);
  return logits;
};

const table = (vocabulary: AnswerVocabulary, name: keyof AnswerVocabulary, size: number): readonly string[] => {
  const answers = vocabulary[name];
  if (answers === undefined)
    throw new MdetrError(
      `The answers of head "${name}" (${size} of them) are not known: this model needs GQA's answer table ` +
        `(gqa_answer2id.json, or gqa_answer2id_by_type.json for split heads).`,
    );
  if (answers.length !== size)
    throw new MdetrError(
      `Head "${name}" has ${size} answers, the answer table lists ${answers.length}: another table?`,
    );
  return answers;
};

const best = (
  type: QuestionAnswer['type'],
  probabilities: Float32Array,
  answers: readonly string[],
): QuestionAnswer => {
  if (!probabilities.every(Number.isFinite))
    throw new MdetrError('The model gave values that are not numbers; its weights or the image tensor are damaged.');
  const ranked = byFallingScore(probabilities)
    .slice(0, ANSWERS_LISTED)
    .map((id) => ({ answer: answers[id]!, probability: probabilities[id]! }));
  return { ...ranked[0]!, type, answers: ranked };
};
