import { describe, expect, it } from 'vitest';
import { GqaEvaluator, type GqaQuestion } from './gqa.ts';

const question = (questionId: string, answer: string, rest: Partial<GqaQuestion> = {}): GqaQuestion => ({
  questionId,
  answer,
  ...rest,
});

describe('GqaEvaluator', () => {
  // Equality with GQA's own code on 400 questions: test/parity-metrics.test.ts.
  it('computes accuracy by type, in order of the names', () => {
    const evaluator = new GqaEvaluator([
      question('1', 'yes', {
        types: { structural: 'verify', semantic: 'obj', detailed: 'existC' },
        question: 'Is it?',
      }),
      question('2', 'red', {
        types: { structural: 'query', semantic: 'attr' },
        question: 'What color is the dog there?',
      }),
      question('3', 'no', { isBalanced: false }),
    ]);
    expect(evaluator.add({ questionId: '1', prediction: 'yes', type: 'obj' })).toBe(1);
    expect(evaluator.add({ questionId: 2, prediction: 'blue', type: 'obj' })).toBe(0);
    expect(evaluator.add({ questionId: 'x', prediction: 'blue' })).toBeUndefined();
    const metrics = evaluator.summarize();
    expect(metrics).toEqual({
      accuracy: 0.5,
      binary: 1,
      open: 0,
      'detailed/existC': 1,
      'semantic/attr': 0,
      'semantic/obj': 1,
      'structural/query': 0,
      'structural/verify': 1,
      'words/2': 1,
      'words/6': 0,
      type_accuracy: 0.5,
    });
    expect(Object.keys(metrics)[0]).toBe('accuracy');
  });

  it('writes the submission file', () => {
    const evaluator = new GqaEvaluator([]);
    evaluator.add({ questionId: 5, prediction: 'left', type: 'rel' });
    evaluator.add({ questionId: '05', prediction: 'café' });
    evaluator.add({ questionId: 5, prediction: 'right' });
    expect(JSON.parse(evaluator.submission())).toEqual([
      { questionId: '5', prediction: 'right' },
      { questionId: '05', prediction: 'café' },
    ]);
  });

  it('names missing answers, and questions missing for consistency', () => {
    const evaluator = new GqaEvaluator([question('1', 'yes', { entailed: ['9'] })], { consistency: true });
    expect(() => evaluator.summarize()).toThrow('No answer to 1 of 1 questions: 1');
    evaluator.add({ questionId: '1', prediction: 'yes' });
    expect(() => evaluator.summarize()).toThrow(
      'Consistency needs question 9, which 1 entails: it is not in the question',
    );
  });
});
