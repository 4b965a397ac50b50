import { ObjectSets, runProgram, type Program, type TextScene } from '../../scenes/index.ts';
import { clevrAttributes } from '../../postprocess/answer-vocabulary.ts';

/** What the last step of a question's program compares or counts, as one of these classes: attributes, then numbers. */
const mostObjects = 10;
export const answerStepClasses = clevrAttributes.length + mostObjects + 1;
/** The last step of a program has at most two inputs. */
export const answerStepSlots = 2;
/** The input of a step that has none, or one that is no value; of texts that ask nothing. */
export const noStep = -1;

/**
 * The values from which a question's answer follows: both numbers or attributes of a comparison, the number of objects
 * of a set that is counted or asked whether it exists. A question whose answer is such a value itself has none.
 */
export const answerStepsOf = (scene: TextScene, program: Program): readonly number[] => {
  const sets = new ObjectSets(scene);
  const last = program.at(-1)!;
  return Array.from({ length: answerStepSlots }, (_, slot) => {
    const at = last.inputs[slot];
    if (at === undefined) return noStep;
    const steps = program.slice(0, at + 1);
    const value = runProgram(sets, steps);
    if (typeof value === 'string') return clevrAttributes.indexOf(value);
    if (typeof value === 'number') return numberClass(value);
    if (typeof value === 'object' && 'set' in value) {
      // Runs from the set to its size, in place of the question's own last step.
      const count = runProgram(sets, [...steps, { function: 'count', inputs: [at], value_inputs: [] }]);
      return numberClass(Number(count));
    }
    return noStep;
  });
};

const numberClass = (value: number): number => clevrAttributes.length + Math.min(value, mostObjects);
