import { describe, expect, it } from 'vitest';
import { clevrAttributes } from '../../postprocess/answer-vocabulary.ts';
import { describeScene, makeTexts, Random, type QuestionText } from '../../scenes/index.ts';
import { ANSWER_STEP_CLASSES, answerStepsOf, NO_STEP } from './answer-steps.ts';

const scenes = Array.from({ length: 60 }, (_, index) =>
  describeScene(11, index, { split: 'standard', width: 96, height: 64, minObjects: 3, maxObjects: 8 }),
);

const questions: readonly { question: QuestionText; steps: readonly number[] }[] = scenes.flatMap((scene, index) =>
  makeTexts(scene, 'question', Random.of(3, index), { count: 12 }).map((question) => ({
    question,
    steps: answerStepsOf(scene, question.program),
  })),
);

const countOf = (step: number): number => step - clevrAttributes.length;

describe('what a question compares or counts', () => {
  it.each([
    ['equal_integer', (a: number, b: number) => a === b],
    ['less_than', (a: number, b: number) => a < b],
    ['greater_than', (a: number, b: number) => a > b],
  ] as const)('%s: the answer follows from both numbers', (type, holds) => {
    const own = questions.filter(({ question }) => question.type === type);
    expect(own.length).toBeGreaterThan(20);
    for (const { question, steps } of own)
      expect(question.answer).toBe(holds(countOf(steps[0]!), countOf(steps[1]!)) ? 'yes' : 'no');
  });

  it('equal attributes: the answer follows from both values, which are of the attribute asked for', () => {
    const own = questions.filter(({ question }) => /^equal_(?!integer)/.test(question.type));
    expect(own.length).toBeGreaterThan(100);
    for (const { question, steps } of own) {
      expect(steps.every((step) => step >= 0 && step < clevrAttributes.length)).toBe(true);
      expect(question.answer).toBe(steps[0] === steps[1] ? 'yes' : 'no');
    }
  });

  it('exist and count: the size of the set; questions for an attribute have none', () => {
    for (const { question, steps } of questions) {
      if (question.type === 'count') expect(String(countOf(steps[0]!))).toBe(question.answer);
      if (question.type === 'exist') expect(question.answer).toBe(countOf(steps[0]!) > 0 ? 'yes' : 'no');
      if (question.type.startsWith('query')) expect(steps).toEqual([NO_STEP, NO_STEP]);
      for (const step of steps) expect(step).toBeLessThan(ANSWER_STEP_CLASSES);
    }
  });
});
