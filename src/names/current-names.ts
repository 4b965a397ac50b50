import { MdetrError, quoted, UsageError } from '../errors.ts';
import { RENAMED_IN_CONFIGS, RENAMED_METRICS, RENAMED_OPTIONS, type ConfigRenames } from './renames.ts';

/** Something read under current names, and one note for each old name that it used. */
export interface Renamed<T> {
  readonly value: T;
  /** `mirror is now called horizontal_flip_prob`, without duplicates. */
  readonly notes: readonly string[];
}

type Values = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/**
 * The values of a config under current names, also inside `stages` and `texts`. Order of keys and everything
 * else stays as it is.
 *
 * @param source name of the config in errors
 * @throws {MdetrError} if an object has a key under its old and its new name
 */
export const currentConfig = (values: Values, source = 'config'): Renamed<Record<string, unknown>> => {
  const notes = new Set<string>();
  return { value: renamedKeys(values, RENAMED_IN_CONFIGS, source, notes), notes: [...notes] };
};

const renamedKeys = (
  values: Values,
  renames: ConfigRenames,
  source: string,
  notes: Set<string>,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => {
      const name = own(renames.keys, key) ?? key;
      if (name !== key) {
        if (Object.hasOwn(values, name))
          throw new MdetrError(
            `${source}: "${key}" and "${name}" are both given: "${key}" is the old name of "${name}"`,
          );
        notes.add(`${quoted(key)} is now called "${name}"`);
      }
      return [name, renamedValue(name, value, renames, source, notes)];
    }),
  );

const renamedValue = (
  name: string,
  value: unknown,
  renames: ConfigRenames,
  source: string,
  notes: Set<string>,
): unknown => {
  const nested = own(renames.nested, name);
  if (nested !== undefined) return renamedParts(value, nested, `${source}, ${name}`, notes);
  const renamed = typeof value === 'string' ? own(own(renames.values, name) ?? {}, value) : undefined;
  if (renamed === undefined) return value;
  notes.add(`${name} "${String(value)}" is now called "${renamed}"`);
  return renamed;
};

const renamedParts = (value: unknown, renames: ConfigRenames, source: string, notes: Set<string>): unknown => {
  if (Array.isArray(value))
    return value.map((part: unknown, index) => renamedParts(part, renames, `${source}[${index}]`, notes));
  return isRecord(value) ? renamedKeys(value, renames, source, notes) : value;
};

/** A setting of the command line: the keys that lead to a value, and the value. */
export interface Setting {
  readonly keys: readonly string[];
  readonly value: unknown;
}

/** A setting of the command line under current names. Indices of lists are keys. */
export const currentSetting = ({ keys, value }: Setting, source: string): Renamed<Setting> => {
  const notes = new Set<string>();
  const current: string[] = [];
  let renames: ConfigRenames | undefined = RENAMED_IN_CONFIGS;
  let result = value;
  for (const [index, key] of keys.entries()) {
    if (renames === undefined || /^\d+$/.test(key)) {
      current.push(key);
      continue;
    }
    const name: string = own(renames.keys, key) ?? key;
    if (name !== key) notes.add(`${quoted(key)} is now called "${name}"`);
    current.push(name);
    if (index === keys.length - 1) result = renamedValue(name, value, renames, source, notes);
    renames = own(renames.nested, name);
  }
  if (renames !== undefined && /^\d+$/.test(keys.at(-1) ?? '')) result = renamedParts(value, renames, source, notes);
  return { value: { keys: current, value: result }, notes: [...notes] };
};

/**
 * Arguments of a command under the current names of its options, as `--option value` or `--option=value`.
 *
 * @throws {UsageError} if an option is given under its old and its new name
 */
export const currentArguments = (
  command: string,
  args: readonly string[],
  renamed = RENAMED_OPTIONS,
): Renamed<string[]> => {
  const renames = own(renamed, command) ?? {};
  const notes = new Set<string>();
  const end = args.indexOf('--');
  const optionOf = (argument: string): string => argument.replace(/=.*$/s, '');
  const given = new Set((end < 0 ? args : args.slice(0, end)).map(optionOf));
  const value = args.map((argument, index) => {
    const option = optionOf(argument);
    const name = end >= 0 && index > end ? undefined : own(renames, option);
    if (name === undefined) return argument;
    if (given.has(optionOf(name)))
      throw new UsageError(`${option} and ${optionOf(name)} are both given: ${option} is the old name of ${name}`);
    notes.add(`${option} is now called ${name}`);
    return name + argument.slice(option.length);
  });
  return { value, notes: [...notes] };
};

/** The current name of a loss term or metric in a log: `auxiliary_box` for `helper_box`, `val/box_ap` for `val/bbox_AP`. */
export const currentMetricName = (name: string): string => {
  const at = name.lastIndexOf('/') + 1;
  const own = name.slice(at);
  for (const [old, current] of RENAMED_METRICS) if (old.test(own)) return name.slice(0, at) + own.replace(old, current);
  return name;
};
