import { describe, expect, it } from 'vitest';
import { describeScene, makeTexts, Random } from '../../scenes/index.ts';
import { answerSlotsOf } from './answer-slots.ts';

const scenes = Array.from({ length: 60 }, (_, index) =>
  describeScene(11, index, { split: 'standard', width: 96, height: 64, minObjects: 3, maxObjects: 8 }),
);
const questions = scenes.flatMap((scene, index) =>
  makeTexts(scene, 'question', Random.of(4, index), { count: 12 }).map((question) => ({
    scene,
    question,
    slots: answerSlotsOf(scene, question.program),
  })),
);

describe('the objects that a question is about', () => {
  it('are those of its phrases, without landmarks', () => {
    for (const { question, slots } of questions) {
      const ofPhrases = question.phrases.filter(({ role }) => role !== 'anchor').flatMap(({ objects }) => objects);
      const ofSlots = slots.flatMap(({ objects }) => objects);
      expect([...new Set(ofSlots)].sort()).toEqual([...new Set(ofPhrases)].sort());
    }
  });

  it('are two sets where numbers are compared, two objects where attributes are', () => {
    const kinds = (types: RegExp) =>
      new Set(
        questions
          .filter(({ question }) => types.test(question.type))
          .map(({ slots }) => slots.map((slot) => slot.isSet).join()),
      );
    expect(kinds(/^(equal_integer|less_than|greater_than)$/)).toEqual(new Set(['true,true']));
    expect(kinds(/^equal_(?!integer)/)).toEqual(new Set(['false,false']));
    expect(kinds(/^query/)).toEqual(new Set(['false']));
    expect(kinds(/^(count|exist)$/)).toEqual(new Set(['true']));
  });

  it('give the answers of questions for numbers and existence', () => {
    for (const { question, slots } of questions) {
      const [first, second] = slots.map(({ objects }) => objects.length);
      if (question.type === 'count') expect(question.answer).toBe(String(first));
      if (question.type === 'exist') expect(question.answer).toBe(first! > 0 ? 'yes' : 'no');
      if (question.type === 'less_than') expect(question.answer).toBe(first! < second! ? 'yes' : 'no');
    }
  });
});
