import { ObjectSets, runProgram, type Program, type TextScene } from '../../scenes/index.ts';
import { clevrAttributes } from '../../postprocess/answer-vocabulary.ts';

/** Largest number of objects with a class of its own. */
const MAX_OBJECTS = 10;
/** Classes of the values that a question compares or counts: attributes, then the numbers 0 to `MAX_OBJECTS`. */
export const ANSWER_STEP_CLASSES = clevrAttributes.length + MAX_OBJECTS + 1;
/** Maximum number of inputs of the last step of a program. */
export const ANSWER_STEP_SLOTS = 2;
/** Class of an absent input, of an input that is no value, and of captions that ask nothing. */
export const NO_STEP = -1;

/**
 * Classes of the values that a question's answer follows from: both numbers or attributes of a comparison, or the size of
 * the set for questions that count objects or ask whether one exists. `NO_STEP` for questions whose answer is an attribute.
 */
export const answerStepsOf = (scene: TextScene, program: Program): readonly number[] => {
  const sets = new ObjectSets(scene);
  const last = program.at(-1)!;
  return Array.from({ length: ANSWER_STEP_SLOTS }, (_, slot) => {
    const at = last.inputs[slot];
    if (at === undefined) return NO_STEP;
    const steps = program.slice(0, at + 1);
    const value = runProgram(sets, steps);
    if (typeof value === 'string') return clevrAttributes.indexOf(value);
    if (typeof value === 'number') return numberClass(value);
    if (typeof value === 'object' && 'set' in value) {
      // The size of the set takes the place of the question's own last step.
      const count = runProgram(sets, [...steps, { function: 'count', inputs: [at], value_inputs: [] }]);
      return numberClass(Number(count));
    }
    return NO_STEP;
  });
};

const numberClass = (value: number): number => clevrAttributes.length + Math.min(value, MAX_OBJECTS);
