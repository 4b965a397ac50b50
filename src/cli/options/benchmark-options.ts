import { InvalidArgumentError, Option, type Command } from 'commander';
import * as z from 'zod';
import type { Benchmark } from '../../benchmarks/benchmark.ts';
import { configKeyOf, type BenchmarkOption } from '../../benchmarks/benchmark-options.ts';
import { allBenchmarks } from '../../benchmarks/registry.ts';
import { MdetrError, UsageError } from '../../errors.ts';
import { firstIssue } from '../../options/first-issue.ts';
import type { ValueSchema } from '../../options/value-schema.ts';

/** An option of one or more benchmarks. */
interface SharedOption {
  readonly key: string;
  readonly option: BenchmarkOption<unknown>;
  readonly description: string;
}

/** Options of all benchmarks. A description starts with the names of the benchmarks that have the option. */
const sharedOptions = (): readonly SharedOption[] => {
  const byKey = new Map<string, { option: BenchmarkOption<unknown>; descriptions: [name: string, text: string][] }>();
  for (const { name, options } of allBenchmarks())
    for (const [key, option] of Object.entries(options)) {
      const shared = byKey.get(key) ?? { option, descriptions: [] };
      byKey.set(key, shared);
      shared.descriptions.push([name, option.description]);
    }
  return [...byKey].map(([key, { option, descriptions }]) => ({ key, option, description: joined(descriptions) }));
};

/** `a, b: first text; c: second text` */
const joined = (descriptions: readonly (readonly [name: string, text: string])[]): string =>
  [...new Set(descriptions.map(([, text]) => text))]
    .map((text) => {
      const names = descriptions.filter(([, own]) => own === text).map(([name]) => name);
      return `${names.join(', ')}: ${text}`;
    })
    .join('; ');

/** Names of the benchmarks for which a field is defined, and its values: the description of an option. */
const describeInput = (textOf: (benchmark: Benchmark) => string | undefined): string =>
  joined(
    allBenchmarks().flatMap((benchmark) => {
      const text = textOf(benchmark);
      return text === undefined ? [] : [[benchmark.name, text] as const];
    }),
  );

/** Adds the options that name the benchmarks' input files. */
export const addInputOptions = (command: Command): Command =>
  command
    .option(
      '--ground-truth <path>',
      describeInput(({ groundTruth }) => groundTruth?.description),
    )
    .option(
      '--subset <name>',
      describeInput(({ groundTruth }) =>
        groundTruth?.splits === undefined ? undefined : "the split, when the annotation file's name does not end in it",
      ),
    );

/** Adds the benchmarks' own options. */
export const addBenchmarkOptions = (command: Command): Command => {
  for (const { option, description } of sharedOptions()) {
    const { flag, choices, parse } = option;
    if (flag === undefined) continue;
    const added = new Option(flag, description);
    if (choices !== undefined) added.choices(choices);
    else if (parse !== undefined) added.argParser(parserOf(parse));
    command.addOption(added);
  }
  return command;
};

const parserOf =
  (parse: (text: string) => unknown) =>
  (text: string): unknown => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };

/** Names of the benchmarks that write a submission file. */
export const submissionTasks = (): string => describeInput(({ submission }) => submission);

/** The "evaluate" section of a config. Command-line options take precedence over it. */
export interface EvaluationSection {
  readonly task?: string | undefined;
  readonly annotations?: string | undefined;
  /** A folder, or one for each `data_source`. */
  readonly images?: string | Readonly<Record<string, string>> | undefined;
  readonly ground_truth?: string | undefined;
  readonly subset?: string | undefined;
  /** Values of the benchmarks' own options, by their key. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A key that may be left out, checked by an option's own schema. */
const optionalValue = (schema: ValueSchema<unknown>): z.ZodType =>
  z
    .unknown()
    .optional()
    .transform((value, context) => {
      if (value === undefined) return undefined;
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
      for (const { path, message } of parsed.error.issues)
        context.addIssue({ code: 'custom', path: [...path], message });
      return z.NEVER;
    });

/** Validates an "evaluate" section. @throws {MdetrError} naming the key with a wrong value */
export const parseEvaluationSection = (section: unknown, source: string): EvaluationSection => {
  const options = sharedOptions();
  const schema = z.strictObject({
    task: z.enum(allBenchmarks().map(({ name }) => name)).optional(),
    annotations: z.string().optional(),
    images: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
    ground_truth: z.string().optional(),
    subset: z.string().optional(),
    ...Object.fromEntries(options.map(({ key, option }) => [configKeyOf(key), optionalValue(option.schema)])),
  });
  const parsed = schema.safeParse(section);
  if (!parsed.success) {
    const { field, message } = firstIssue(parsed.error);
    throw new MdetrError(`${source}: evaluate.${field}: ${message}`);
  }
  const values = parsed.data as Readonly<Record<string, unknown>>;
  const settings = Object.fromEntries(options.map(({ key }) => [key, values[configKeyOf(key)]]));
  return { ...parsed.data, settings };
};

/** Settings of a benchmark: those of the command line, else those of the config. */
export const settingsFrom = (
  { options }: Benchmark,
  given: Readonly<Record<string, unknown>>,
  section: EvaluationSection,
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(options).map(([key, { flag }]) => {
      const value = flag === undefined ? undefined : given[new Option(flag).attributeName()];
      return [key, value ?? section.settings[key]];
    }),
  );
