import type { Attributes } from './question-mentions.ts';

/** One step of a functional program. */
export interface ProgramStep {
  readonly function: string;
  readonly inputs: readonly number[];
  readonly values: readonly string[];
  /** CLEVR-Ref+: the objects that the step gives. */
  readonly output?: readonly number[] | undefined;
}

/**
 * A set of objects that a text has a phrase for: all filters in a row, and what they filter. Numbers are those of the
 * program's steps.
 */
export interface ProgramPhrase {
  /** The last filter, or `base` where there is none. */
  readonly top: number;
  readonly attributes: Attributes;
  /** What filters by visibility and by order say, as in "fully visible", "first one of the", "from left". */
  readonly choices: readonly string[];
  /** What is filtered: a step of `scene`, `relate`, `same_…`, `union` or `intersect`. */
  readonly base: number;
  /** Whether the text has a noun phrase for it. */
  readonly isNamed: boolean;
}

/** The filters above step `top`, down to what they filter. */
export const phraseAt = (program: readonly ProgramStep[], top: number, consumer: string): ProgramPhrase => {
  const attributes: Record<string, string> = {};
  const choices: string[] = [];
  let base = top;
  for (let step = program[base]!; step.function.startsWith('filter_'); step = program[base]!) {
    const name = step.function.slice('filter_'.length);
    if (name === 'ordinal' || name === 'visible')
      choices.unshift(...step.values.map((value) => value.toLowerCase().replace(/^the /, '')));
    else attributes[name] = step.values[0]!;
    base = step.inputs[0]!;
  }
  const { function: origin } = program[base]!;
  const isPlain = top === base;
  // "any other things that have the same size", "things that are either …": no phrase of their own. Where two
  // relations are joined, the phrase stands for what is left: "cubes that are left of … and behind …".
  const isUnnamed =
    origin === 'union' || consumer === 'intersect' || (origin.startsWith('same_') && consumer !== 'unique');
  return { top, attributes, choices, base, isNamed: !isPlain || !isUnnamed };
};

/** All phrases of a program by their top step. The last step's own, if it is a set of objects, has the key -1 besides. */
export const phrasesOf = (program: readonly ProgramStep[]): ReadonlyMap<number, ProgramPhrase> => {
  const phrases = new Map<number, ProgramPhrase>();
  const add = (top: number, consumer: string): void => {
    // "intersect" is the only consumer that leaves a phrase without a name, and a step has but one consumer.
    if (!phrases.has(top)) phrases.set(top, phraseAt(program, top, consumer));
  };
  for (const step of program)
    if (['unique', 'count', 'exist', 'union', 'intersect'].includes(step.function))
      for (const input of step.inputs) add(input, step.function);
  const last = program.length - 1;
  if (isSet(program[last]!.function)) add(last, 'end');
  return phrases;
};

/** Whether a step gives a set of objects. */
export const isSet = (name: string): boolean => /^(?:scene|relate|union|intersect)$|^(?:filter|same)_/.test(name);

/** Steps of relations that a phrase has: its own, or those that it joins. */
export const relationsOf = (program: readonly ProgramStep[], { base }: ProgramPhrase): readonly number[] => {
  const { function: name, inputs } = program[base]!;
  if (name === 'relate') return [base];
  if (name !== 'intersect') return [];
  return inputs.flatMap((input) => relationsOf(program, phraseAt(program, input, name)));
};
