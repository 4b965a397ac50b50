import { describe, expect, it } from 'vitest';
import { ClevrEvaluator, clevrAnswerType, clevrQuestionFamily } from './clevr.ts';

describe('ClevrEvaluator', () => {
  it('computes accuracy by kind of answer and by family of question', () => {
    const evaluator = new ClevrEvaluator([
      { questionId: 0, answer: 'yes', program: [{ function: 'scene' }, { function: 'exist' }] },
      { questionId: 1, answer: '3', program: [{ type: 'scene' }, { type: 'count' }] },
      { questionId: 2, answer: 'cyan' },
      { questionId: 3, answer: 'no', program: [{ function: 'equal_color' }] },
    ]);
    expect(evaluator.add({ questionId: 0, prediction: 'no', type: 'binary' })).toBe(0);
    expect(evaluator.add({ questionId: 1, prediction: '3', type: 'reg' })).toBe(1);
    expect(evaluator.add({ questionId: 2, prediction: 'cyan', type: 'attr' })).toBe(1);
    expect(() => evaluator.summarize()).toThrow('No answer to 1 of 4 questions: 3');
    evaluator.add({ questionId: 3, prediction: 'no', type: 'attr' });
    expect(evaluator.summarize()).toEqual({
      accuracy: 0.75,
      'answer/attr': 1,
      'answer/binary': 0.5,
      'answer/reg': 1,
      'function/count': 1,
      'function/equal_color': 1,
      'function/exist': 0,
      'question/compare_attribute': 1,
      'question/count': 1,
      'question/exist': 0,
      type_accuracy: 0.75,
    });
  });

  it('writes one answer on each line, in the order of the ids', () => {
    const evaluator = new ClevrEvaluator([]);
    for (const questionId of [10, 9, 2]) evaluator.add({ questionId, prediction: `answer ${questionId}` });
    expect(evaluator.submission()).toBe('answer 2\nanswer 9\nanswer 10\n');
  });

  it('classifies answers and questions', () => {
    expect(['yes', 'no', '0', '10', 'cube', 'rubber'].map(clevrAnswerType)).toEqual(
      ['binary', 'binary', 'reg', 'reg', 'attr', 'attr'], // prettier-ignore
    );
    expect(
      ['query_size', 'less_than', 'equal_integer', 'equal_shape', 'exist', 'count'].map(clevrQuestionFamily),
    ).toEqual(
      ['query_attribute', 'compare_integer', 'compare_integer', 'compare_attribute', 'exist', 'count'], // prettier-ignore
    );
  });
});
