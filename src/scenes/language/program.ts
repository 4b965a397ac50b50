import { ATTRIBUTES, type Attribute } from '../render/attributes.ts';
import { isRelation, membersOf, sizeOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';

/** One step of a functional program, in the format of CLEVR's question files. `inputs` are indices of earlier steps. */
export interface ProgramStep {
  /** Name of the function. */
  readonly function: string;
  /** Indices of the steps whose results it reads. */
  readonly inputs: readonly number[];
  /** Constants, such as an attribute's value. */
  readonly value_inputs: readonly string[];
}

/** A functional program. Its value is that of the last step. */
export type Program = readonly ProgramStep[];

/** Builds programs step by step. Every method returns the index of the step with its result. */
export class ProgramWriter {
  readonly steps: ProgramStep[] = [];

  step(name: string, inputs: readonly number[], values: readonly string[] = []): number {
    return this.steps.push({ function: name, inputs: [...inputs], value_inputs: [...values] }) - 1;
  }

  scene(): number {
    return this.step('scene', []);
  }

  /** Appends one filter step per attribute. */
  filter(input: number, filter: Filter): number {
    return ATTRIBUTES.reduce((at, name) => {
      const value = filter[name];
      return value === undefined ? at : this.step(`filter_${name}`, [at], [value]);
    }, input);
  }

  unique(input: number): number {
    return this.step('unique', [input]);
  }
}

/** Value of a step: a set of objects, the index of an object, an attribute value, a count, or a boolean. */
export type ProgramValue = { readonly set: ObjectSet } | { readonly object: number } | string | number | boolean;

/**
 * Executes a program of CLEVR's functions and `superlative` (the object of a set farthest in a direction). Undefined if a
 * `unique` or `superlative` has no unique result.
 */
export const runProgram = (sets: ObjectSets, program: Program): ProgramValue | undefined => {
  const values: ProgramValue[] = [];
  for (const step of program) {
    const inputs = step.inputs.map((at) => values[at]!);
    const value = runStep(sets, step, inputs);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values.at(-1);
};

const runStep = (
  sets: ObjectSets,
  { function: name, value_inputs }: ProgramStep,
  inputs: readonly ProgramValue[],
): ProgramValue | undefined => {
  const set = (k: number): ObjectSet => {
    const value = inputs[k];
    if (typeof value !== 'object' || !('set' in value)) throw new Error(`internal: ${name} needs a set`);
    return value.set;
  };
  const object = (k: number): number => {
    const value = inputs[k];
    if (typeof value !== 'object' || !('object' in value)) throw new Error(`internal: ${name} needs an object`);
    return value.object;
  };
  const one = (index: number | undefined): ProgramValue | undefined =>
    index === undefined ? undefined : { object: index };
  const argument = value_inputs[0] ?? '';
  const [stem, attribute] = splitName(name);
  if (attribute !== undefined) {
    switch (stem) {
      case 'filter':
        return { set: set(0) & sets.matching({ [attribute]: argument }) };
      case 'query':
        return sets.scene.objects[object(0)]![attribute];
      case 'same':
        return { set: sets.same(object(0), attribute) };
      case 'equal':
        return inputs[0] === inputs[1];
    }
  }
  switch (name) {
    case 'scene':
      return { set: sets.all };
    case 'unique':
      return sizeOf(set(0)) === 1 ? one(membersOf(set(0))[0]) : undefined;
    case 'relate':
      return isRelation(argument) ? { set: sets.related(object(0), argument) } : undefined;
    case 'superlative':
      return isRelation(argument) ? one(sets.extreme(set(0), argument)) : undefined;
    case 'union':
      return { set: set(0) | set(1) };
    case 'intersect':
      return { set: set(0) & set(1) };
    case 'exist':
      return set(0) !== 0;
    case 'count':
      return sizeOf(set(0));
    case 'equal_integer':
      return inputs[0] === inputs[1];
    case 'less_than':
      return Number(inputs[0]) < Number(inputs[1]);
    case 'greater_than':
      return Number(inputs[0]) > Number(inputs[1]);
    default:
      throw new Error(`internal: no function "${name}"`);
  }
};

const splitName = (name: string): readonly [stem: string, attribute: Attribute | undefined] => {
  const at = name.lastIndexOf('_');
  return [name.slice(0, at), ATTRIBUTES.find((attribute) => attribute === name.slice(at + 1))];
};

/** Answer in the spelling of CLEVR's question files; undefined for objects. */
export const answerOf = (value: ProgramValue | undefined): string | undefined => {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
};
