import { UsageError } from '../errors.ts';
import { nearestKey } from './nearest-key.ts';

/** Rule for the values of an option. */
export interface OptionRule {
  /** Accepted values, as errors say it: "a number from 0 to 1". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/** One rule per option; an option without a rule does not compile. */
export type OptionRules<T> = { readonly [Key in keyof Required<T>]: OptionRule };

/** Accepts finite numbers from `min` to `max`, both included. */
export const numberBetween = (min: number, max: number): OptionRule => ({
  expected: `a number from ${min} to ${max}`,
  accepts: (value) => typeof value === 'number' && value >= min && value <= max,
});

/** Accepts numbers from `min` on, infinity included. */
export const numberFrom = (min: number): OptionRule => ({
  expected: `a number of at least ${min}`,
  accepts: (value) => typeof value === 'number' && value >= min,
});

/** Accepts integers from `min` on. */
export const integerFrom = (min: number): OptionRule => ({
  expected: `an integer of at least ${min}`,
  accepts: (value) => Number.isSafeInteger(value) && (value as number) >= min,
});

/** Rule of boolean options. */
export const booleanRule: OptionRule = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

/** Rule of string options. */
export const stringRule: OptionRule = {
  expected: 'a string that is not empty',
  accepts: (value) => typeof value === 'string' && value !== '',
};

/** Rule of callbacks. */
export const functionRule: OptionRule = {
  expected: 'a function',
  accepts: (value) => typeof value === 'function',
};

/** Rule of abort signals. */
export const signalRule: OptionRule = {
  expected: 'an AbortSignal',
  accepts: (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
};

/** Accepts one of a few strings. */
export const oneOf = (...values: readonly string[]): OptionRule => ({
  expected: values.map((value) => JSON.stringify(value)).join(' or '),
  accepts: (value) => values.includes(value as string),
});

/** Accepts an object of options with rules of its own; the nested check names the option itself. */
export const optionsRule = <T extends object>(where: string, rules: OptionRules<T>): OptionRule => ({
  expected: 'an object of options',
  accepts: (value) => {
    if (typeof value !== 'object' || value === null) return false;
    checkOptions(where, value, rules);
    return true;
  },
});

/** Options that are given: defaults before them count for the others. */
export const withoutUndefined = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;

/**
 * Checks the options of a call against their rules. An option that is `undefined` counts as not given.
 *
 * @param where the call, as errors name it: `detect`
 * @throws {UsageError} for an unknown option, with the nearest known name, and for a value that its rule does not accept
 */
export const checkOptions = <T extends object>(where: string, options: unknown, rules: OptionRules<T>): void => {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null)
    throw new UsageError(`${where}: options must be an object, not ${describeValue(options)}`);
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof T] : undefined;
    if (rule === undefined) throw new UsageError(`${where}: ${unknownOption(name, Object.keys(rules))}`);
    if (value !== undefined && !rule.accepts(value))
      throw new UsageError(`${where}: ${name} must be ${rule.expected}, not ${describeValue(value)}`);
  }
};

const unknownOption = (name: string, known: readonly string[]): string => {
  const nearest = nearestKey(name, known);
  const hint = nearest === undefined ? `the options are ${known.join(', ')}` : `did you mean "${nearest}"?`;
  return `unknown option "${name}"; ${hint}`;
};

/** A value in errors: its JSON if that is short, else its type. */
export const describeValue = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'number' || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined ? typeof value : text.length > 60 ? `${text.slice(0, 60)}…` : text;
};
