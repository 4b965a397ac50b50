import { runProgram, type Program, type TextScene } from '../../scenes/index.ts';
import { membersOf, ObjectSets } from '../../scenes/language/object-sets.ts';

/** Maximum number of slots of a question. */
export const ANSWER_SLOTS = 2;

/** Objects that one input of a question's last step stands for. */
export interface AnswerSlot {
  /** Indices of the objects. */
  readonly objects: readonly number[];
  /** Whether they are a set whose size matters, in questions for numbers and existence; else one object. */
  readonly isSet: boolean;
}

/**
 * Objects from which a question's answer follows: both sets or objects of a comparison, otherwise one set or object. Landmarks
 * are not among them.
 */
export const answerSlotsOf = (scene: TextScene, program: Program): readonly AnswerSlot[] => {
  const sets = new ObjectSets(scene);
  const slotOf = (at: number): AnswerSlot => {
    const value = runProgram(sets, program.slice(0, at + 1));
    if (typeof value === 'object')
      return 'set' in value
        ? { objects: membersOf(value.set), isSet: true }
        : { objects: [value.object], isSet: false };
    const from = program[at]!.inputs[0];
    if (from === undefined) throw new Error('internal: a step without objects');
    return slotOf(from);
  };
  return program.at(-1)!.inputs.map(slotOf);
};
