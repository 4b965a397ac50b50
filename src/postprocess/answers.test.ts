import { describe, expect, it } from 'vitest';
import { loadCase } from '../../test/support/reference-case.ts';
import { CLEVR_ANSWER_TYPES, clevrAttributes, GQA_ANSWER_TYPES, readAnswerVocabulary } from './answer-vocabulary.ts';
import { answerOf, type AnswerOutputs } from './answers.ts';

const reference = loadCase('criterion-answers');
const { qa } = reference.json as {
  qa: Record<string, { answers: Record<string, number[]>; results: { accuracy_answer_total: number } }>;
};
/** Logits of sample b of one QA case. */
const outputsOf = (name: string, b: number): AnswerOutputs =>
  Object.fromEntries(
    reference.names
      .filter((tensor) => tensor.startsWith(`qa.${name}.`))
      .map((tensor) => {
        const values = reference.f32(tensor);
        const size = values.length / 8;
        return [tensor.split('.').at(-1)!, values.slice(b * size, (b + 1) * size)];
      }),
  );
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, id) => `${prefix}${id}`);
const gqaVocabulary = {
  obj: numbered('obj', 3),
  attr: numbered('attr', 403),
  rel: numbered('rel', 1594),
  global: numbered('global', 111),
  cat: numbered('cat', 678),
  unified: numbered('any', 1853),
};
const correctAnswers: Readonly<Record<string, (answers: Record<string, number[]>, b: number) => string>> = {
  gqa8: (answers, b) => {
    const type = GQA_ANSWER_TYPES[answers['answer_type']![b]!]!;
    return `${type}${answers[`answer_${type}`]![b]!}`;
  },
  'gqa-unified': (answers, b) => `any${answers['answer']![b]!}`,
  clevr8: (answers, b) => {
    const type = CLEVR_ANSWER_TYPES[answers['answer_type']![b]!]!;
    const id = answers[`answer_${type}`]![b]!;
    return { binary: ['no', 'yes'][id]!, attr: clevrAttributes[id]!, reg: String(id) }[type];
  },
};

describe('answerOf', () => {
  it.each([
    ['gqa8', 'gqa8'],
    ['gqa-unified', 'gqa-unified'],
    ['clevr8', 'clevr8'],
    ['clevr8-absent-types', 'clevr8'],
  ])('is right as often as the official criterion counts: %s', (name, form) => {
    const { answers, results } = qa[name]!;
    const right = Array.from({ length: 8 }, (_, b) => {
      const result = answerOf(outputsOf(name, b), gqaVocabulary);
      expect(result.answers).toHaveLength(result.type === 'binary' ? 2 : result.type === 'obj' ? 3 : 5);
      expect(result.answers[0]).toEqual({ answer: result.answer, probability: result.probability });
      const probabilities = result.answers.map(({ probability }) => probability);
      expect(probabilities).toEqual([...probabilities].sort((a, c) => c - a));
      return result.answer === correctAnswers[form]!(answers, b) ? 1 : 0;
    });
    expect(right.reduce((sum: number, one) => sum + one, 0) / 8).toBe(results.accuracy_answer_total);
  });

  it('multiplies the probabilities of type and answer', () => {
    const log = (...values: number[]) => Float32Array.from(values, Math.log);
    const outputs = {
      pred_answer_type: log(0.7, 0.2, 0.1),
      pred_answer_binary: Float32Array.of(Math.log(3)), // P(yes) = 3/4
      pred_answer_attr: new Float32Array(15),
      pred_answer_reg: new Float32Array(20),
    };
    const result = answerOf(outputs);
    expect(result).toMatchObject({ answer: 'yes', type: 'binary', answers: [{ answer: 'yes' }, { answer: 'no' }] });
    expect(result.answers.map(({ probability }) => Number(probability.toFixed(5)))).toEqual([0.525, 0.175]);
    expect(answerOf({ ...outputs, pred_answer_binary: Float32Array.of(0) }).answer).toBe('no');
    expect(answerOf({ ...outputs, pred_answer_type: log(0.1, 0.2, 0.7) })).toMatchObject({ answer: '0', type: 'reg' });
    expect(answerOf({ ...outputs, pred_answer_type: log(0.1, 0.7, 0.2) })).toMatchObject({ answer: 'small' });
  });

  it('says what is missing', () => {
    expect(() => answerOf({})).toThrow('no question-answering heads');
    expect(() => answerOf({ pred_answer: new Float32Array(4) })).toThrow('The 4 answers of head "unified" are unknown');
    expect(() => answerOf({ pred_answer: new Float32Array(4) }, { unified: ['a'] })).toThrow(
      'the answer table lists 1',
    );
    expect(() => answerOf({ pred_answer: Float32Array.of(NaN, 1) }, { unified: ['a', 'b'] })).toThrow('not finite');
  });
});

describe('readAnswerVocabulary', () => {
  it('reads the official tables, lists, and several tables in one file', () => {
    expect(readAnswerVocabulary({ no: 1, yes: 0 }, 'f')).toEqual({ unified: ['yes', 'no'] });
    expect(readAnswerVocabulary(['yes', 'no'], 'f')).toEqual({ unified: ['yes', 'no'] });
    expect(readAnswerVocabulary({ answer_obj: { no: 0, yes: 1 }, rel: ['on'] }, 'f')).toEqual({
      obj: ['no', 'yes'],
      rel: ['on'],
    });
    const table = JSON.parse('{"__proto__":0,"constructor":1}') as unknown;
    expect(readAnswerVocabulary(table, 'f')).toEqual({ unified: ['__proto__', 'constructor'] });
  });

  it.each([
    [null, 'f: expected a table'],
    ['text', 'f: expected a table'],
    [['a', 1], 'f: answer 1 is 1, not a string'],
    [{ a: 0, b: 0 }, 'f: "a" and "b" both have id 0'],
    [{ a: 0, b: 2 }, 'f: answer "b" has id 2; with 2 answers the ids are 0 to 1'],
    [{ a: 0.5 }, 'has id 0.5'],
    [{ color: ['a'] }, 'f: there is no head "color"; the heads are obj, attr'],
    [{ answer_obj: 7, answer_rel: {} }, 'f: answer_obj: expected a list'],
    [{ obj: { a: '0' } }, 'f: obj: answer "a" has id "0"'],
  ])('refuses %j', (json, message) => {
    expect(() => readAnswerVocabulary(json, 'f')).toThrow(message);
  });
});
