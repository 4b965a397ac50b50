import * as z from 'zod';
import { UsageError } from '../errors.ts';
import { firstIssue } from '../options/first-issue.ts';
import type { ValueSchema } from '../options/value-schema.ts';

/** An option of a benchmark: on the command line, in the "evaluate" section of a config, or in both. */
export interface BenchmarkOption<Value> {
  /** Option of `mdetr evaluate` with its placeholder, e.g. `--limit-by <what>`; undefined when only a config has it. */
  readonly flag?: string | undefined;
  readonly description: string;
  /** Values that the command line lists. */
  readonly choices?: readonly string[] | undefined;
  /** Value in a config, with its default. */
  readonly schema: ValueSchema<Value>;
  /** Value of the command line's text; undefined for a flag without a value. @throws {UsageError} for a wrong text */
  readonly parse?: ((text: string) => unknown) | undefined;
}

/** Options by key: camelCase here, snake_case in a config. */
export type BenchmarkOptions = Readonly<Record<string, BenchmarkOption<unknown>>>;

/** Values of options. */
export type SettingsOf<Options extends BenchmarkOptions> = {
  readonly [Key in keyof Options]: Options[Key] extends BenchmarkOption<infer Value> ? Value : never;
};

interface OptionText {
  readonly flag: string;
  readonly description: string;
}

/** One of several words. */
export const choiceOption = <const Choices extends readonly [string, ...string[]]>(
  text: OptionText,
  choices: Choices,
  defaultChoice: Choices[number],
): BenchmarkOption<Choices[number]> => ({
  ...text,
  choices,
  schema: z.enum(choices as unknown as [string, ...string[]]).default(defaultChoice),
  parse: (value) => value,
});

/** Several words of a list, separated by commas on the command line. */
export const choicesOption = <const Choices extends readonly [string, ...string[]]>(
  text: OptionText,
  choices: Choices,
  defaultChoices: readonly Choices[number][],
): BenchmarkOption<readonly Choices[number][]> => ({
  ...text,
  schema: z.array(z.enum(choices as unknown as [string, ...string[]])).default([...defaultChoices]),
  parse: (value) =>
    value.split(',').map((name) => {
      if (choices.includes(name.trim())) return name.trim();
      throw new UsageError(`"${name}" is not one of ${choices.join(', ')}`);
    }),
});

/** An integer of at least `min`. */
export const integerOption = (text: OptionText, min: number, defaultValue: number): BenchmarkOption<number> => ({
  ...text,
  schema: z.number().int().min(min).default(defaultValue),
  parse(value) {
    const number = Number(value);
    if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= min) return number;
    throw new UsageError(`It must be an integer of at least ${min}.`);
  },
});

const fraction = z.number().min(0).max(1);

const parseFraction = (value: string): number => {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 1) return number;
  throw new UsageError('It must be between 0 and 1.');
};

/** A number between 0 and 1. */
export const fractionOption = (text: OptionText, defaultValue: number): BenchmarkOption<number> => ({
  ...text,
  schema: fraction.default(defaultValue),
  parse: parseFraction,
});

/** A number between 0 and 1 whose default depends on the model. */
export const modelFractionOption = (text: OptionText): BenchmarkOption<number | undefined> => ({
  ...text,
  schema: fraction.optional(),
  parse: parseFraction,
});

/** A flag that is off by default. */
export const flagOption = (text: OptionText): BenchmarkOption<boolean> => ({
  ...text,
  schema: z.boolean().default(false),
});

/** Key of an option in a config: `limitBy` is `limit_by`. */
export const configKeyOf = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Validates values and fills in defaults. @throws {UsageError} naming an option with a wrong value */
export const settingsOf = <Options extends BenchmarkOptions>(
  options: Options,
  values: Readonly<Record<string, unknown>> = {},
): SettingsOf<Options> => {
  const settings = Object.entries(options).map(([key, { schema }]) => {
    const parsed = schema.safeParse(values[key]);
    if (parsed.success) return [key, parsed.data] as const;
    const { field, message } = firstIssue(parsed.error);
    throw new UsageError(`${configKeyOf(key)}${field === '' ? '' : `.${field}`}: ${message}`);
  });
  return Object.fromEntries(settings) as SettingsOf<Options>;
};
