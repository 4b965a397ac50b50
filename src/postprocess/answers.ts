import { MdetrError } from '../errors.ts';
import {
  type AnswerVocabulary,
  CLEVR_ANSWER_TYPES,
  clevrAttributes,
  type ClevrHeadType,
  GQA_ANSWER_TYPES,
  type GqaAnswerType,
} from './answer-vocabulary.ts';
import type { RankedAnswer } from '../results/types.ts';
import { byFallingScore, sigmoid, softmaxRows } from './scored-boxes.ts';

/** Logits of the question heads for one sample, under the official output names. */
export interface AnswerOutputs {
  /** Logits of the answers, for networks with one head. */
  readonly pred_answer?: Float32Array;
  /** Logits of the types of questions. */
  readonly pred_answer_type?: Float32Array;
  /** Logits of GQA's object answers. */
  readonly pred_answer_obj?: Float32Array;
  /** Logits of GQA's attribute answers or CLEVR's attribute values. */
  readonly pred_answer_attr?: Float32Array;
  /** Logits of GQA's relation answers. */
  readonly pred_answer_rel?: Float32Array;
  /** Logits of GQA's global answers. */
  readonly pred_answer_global?: Float32Array;
  /** Logits of GQA's category answers. */
  readonly pred_answer_cat?: Float32Array;
  /** Logit of "yes", (1). */
  readonly pred_answer_binary?: Float32Array;
  /** Logits of CLEVR's counts. */
  readonly pred_answer_reg?: Float32Array;
}

export type { RankedAnswer };

/** The answer to a question. */
export interface QuestionAnswer extends RankedAnswer {
  /** Question type that the type head predicts; undefined for the joint head, which predicts none. */
  readonly type: GqaAnswerType | ClevrHeadType | undefined;
  /** The five most probable answers of that type, best first. */
  readonly answers: readonly RankedAnswer[];
}

const ANSWERS_LISTED = 5;

/**
 * Answer to a question, chosen as in the official code: the most probable type, then the most probable answer of that
 * type's head (CLEVR's `binary` is yes above 0.5). Probabilities are P(type) × P(answer | type), or the softmax of the joint
 * head. Among equal ones, the lowest id is chosen.
 *
 * @param vocabulary needed for GQA's heads; CLEVR's answers are fixed
 * @throws {MdetrError} if the model has no question heads, or if the vocabulary lacks a table or has one of another length
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
    const type = CLEVR_ANSWER_TYPES[typeId]!;
    const probabilities = weighted(clevrProbabilities(outputs, type));
    return best(type, probabilities, clevrAnswers[type](probabilities.length));
  }
  const type = GQA_ANSWER_TYPES[typeId]!;
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
  if (logits === undefined) throw new Error(`internal: the model has no output ${name}`);
  return logits;
};

const table = (vocabulary: AnswerVocabulary, name: keyof AnswerVocabulary, size: number): readonly string[] => {
  const answers = vocabulary[name];
  if (answers === undefined)
    throw new MdetrError(
      `The ${size} answers of head "${name}" are unknown: this model needs GQA's answer table ` +
        `(gqa_answer2id.json, or gqa_answer2id_by_type.json for split heads).`,
    );
  if (answers.length !== size)
    throw new MdetrError(
      `Head "${name}" has ${size} answers, but the answer table lists ${answers.length}: is it another model's table?`,
    );
  return answers;
};

const best = (
  type: QuestionAnswer['type'],
  probabilities: Float32Array,
  answers: readonly string[],
): QuestionAnswer => {
  if (!probabilities.every(Number.isFinite))
    throw new MdetrError("The model's outputs are not finite; its weights or the image tensor are damaged.");
  const ranked = byFallingScore(probabilities)
    .slice(0, ANSWERS_LISTED)
    .map((id) => ({ answer: answers[id]!, probability: probabilities[id]! }));
  return { ...ranked[0]!, type, answers: ranked };
};
