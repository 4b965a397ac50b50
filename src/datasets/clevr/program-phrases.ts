import type { Attributes } from './question-mentions.ts';

/** One step of a functional program. */
export interface ProgramStep {
  /** Name of the function. */
  readonly function: string;
  /** Indices of the steps whose results it reads. */
  readonly inputs: readonly number[];
  /** Constants, such as an attribute's value. */
  readonly values: readonly string[];
  /** Result of the step as stored in CLEVR-Ref+: indices of objects. */
  readonly output?: readonly number[] | undefined;
}

/**
 * A chain of filters and the set that it filters, to which a noun phrase of the text can correspond. `top` and `base` are
 * indices of the program's steps.
 */
export interface ProgramPhrase {
  /** The last filter, or `base` if there is none. */
  readonly top: number;
  readonly attributes: Attributes;
  /** Parameters of filters by visibility and by order: "fully visible", "first one of the", "from left". */
  readonly choices: readonly string[];
  /** The step that is filtered: `scene`, `relate`, `same_…`, `union` or `intersect`. */
  readonly base: number;
  /** Whether the text has a noun phrase for the set. */
  readonly isNamed: boolean;
}

/** The chain of filters that ends in step `top`. `consumer` is the function that takes the result. */
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
  // "any other things that have the same size", "things that are either …" have no phrase of their own. Two joined
  // relations share the phrase of their intersection: "cubes that are left of … and behind …".
  const isUnnamed =
    origin === 'union' || consumer === 'intersect' || (origin.startsWith('same_') && consumer !== 'unique');
  return { top, attributes, choices, base, isNamed: !isPlain || !isUnnamed };
};

/** All phrases of a program by their top step. */
export const phrasesOf = (program: readonly ProgramStep[]): ReadonlyMap<number, ProgramPhrase> => {
  const phrases = new Map<number, ProgramPhrase>();
  const add = (top: number, consumer: string): void => {
    // Only the consumer "intersect" leaves a phrase unnamed, and every step has one consumer.
    if (!phrases.has(top)) phrases.set(top, phraseAt(program, top, consumer));
  };
  for (const step of program)
    if (['unique', 'count', 'exist', 'union', 'intersect'].includes(step.function))
      for (const input of step.inputs) add(input, step.function);
  const last = program.length - 1;
  if (isSet(program[last]!.function)) add(last, 'end');
  return phrases;
};

/** Whether a function returns a set of objects. */
export const isSet = (name: string): boolean => /^(?:scene|relate|union|intersect)$|^(?:filter|same)_/.test(name);

/** Indices of the relate steps that restrict a phrase: its own, or those that it intersects. */
export const relationsOf = (program: readonly ProgramStep[], { base }: ProgramPhrase): readonly number[] => {
  const { function: name, inputs } = program[base]!;
  if (name === 'relate') return [base];
  if (name !== 'intersect') return [];
  return inputs.flatMap((input) => relationsOf(program, phraseAt(program, input, name)));
};
