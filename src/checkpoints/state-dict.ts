import { MdetrError } from '../errors.ts';

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface ShapeMismatch {
  readonly name: string;
  readonly expected: readonly number[];
  readonly found: readonly number[];
}

/** How the tensors of a file fit those of a model. Names are the model's unless said otherwise. */
export interface StateDictMatch {
  /** Found with the right shape: the model's name and the file's. */
  readonly used: readonly { readonly name: string; readonly source: string }[];
  /** In the file, not in the model; the file's names. */
  readonly ignored: readonly string[];
  /** In the file, not in the model, and known to mean nothing (position_ids, num_batches_tracked); the file's names. */
  readonly harmless: readonly string[];
  /** In the model, not in the file. */
  readonly missing: readonly string[];
  /** In both, with different shapes. */
  readonly mismatched: readonly ShapeMismatch[];
  /** What probably went wrong, and the `prefixes` that would mend it, when names differ by a prefix only. */
  readonly suggestion?: { readonly text: string; readonly prefixes: Readonly<Record<string, string>> };
}

export interface MatchOptions {
  /**
   * Beginnings of the file's names and what they become, first match only. `module.` (from data-parallel training) is
   * always taken away.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
}

/** Buffers that come and go between versions of PyTorch and transformers and hold nothing that was learned. */
const HARMLESS = /(^|\.)(position_ids|num_batches_tracked)$/;
const DATA_PARALLEL_PREFIX = 'module.';
/** Prefixes under which models are wrapped, and what such a file is. */
const WRAPPERS: Readonly<Record<string, string>> = {
  'detr.': 'a segmentation checkpoint, whose detector has this prefix',
  'model.': 'a checkpoint of a training framework',
};

const rename = (name: string, prefixes: readonly (readonly [string, string])[]): string => {
  const plain = name.startsWith(DATA_PARALLEL_PREFIX) ? name.slice(DATA_PARALLEL_PREFIX.length) : name;
  const rule = prefixes.find(([from]) => plain.startsWith(from));
  return rule === undefined ? plain : rule[1] + plain.slice(rule[0].length);
};

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/** Compares what a model needs with what a file holds, by name and shape. */
export const matchStateDict = (
  expected: Iterable<NamedShape>,
  available: Iterable<NamedShape>,
  options: MatchOptions = {},
): StateDictMatch => {
  const prefixes = Object.entries(options.prefixes ?? {});
  const inFile = new Map<string, NamedShape>();
  for (const tensor of available) inFile.set(rename(tensor.name, prefixes), tensor);
  const rest = new Map(inFile);
  const used: { name: string; source: string }[] = [];
  const missing: string[] = [];
  const mismatched: ShapeMismatch[] = [];
  const wanted = [...expected];
  for (const { name, shape } of wanted) {
    const found = inFile.get(name);
    rest.delete(name);
    if (found === undefined) missing.push(name);
    else if (sameShape(shape, found.shape)) used.push({ name, source: found.name });
    else mismatched.push({ name, expected: shape, found: found.shape });
  }
  const ignored: string[] = [];
  const harmless: string[] = [];
  for (const { name } of rest.values()) (HARMLESS.test(name) ? harmless : ignored).push(name);
  const suggestion = missing.length === 0 ? undefined : suggest(missing, [...rest.keys()]);
  return { used, ignored, harmless, missing, mismatched, ...(suggestion === undefined ? {} : { suggestion }) };
};

/** Tries the known prefixes, taken from or put before the names that are left over. */
const suggest = (missing: readonly string[], leftOver: readonly string[]): StateDictMatch['suggestion'] => {
  const left = new Set(leftOver);
  for (const [prefix, meaning] of Object.entries(WRAPPERS)) {
    const without = missing.filter((name) => left.has(prefix + name)).length;
    if (without > 0) {
      return {
        text: `${without} of them are there with the prefix "${prefix}": this is ${meaning}`,
        prefixes: { [prefix]: '' },
      };
    }
    const withPrefix = missing.filter((name) => name.startsWith(prefix) && left.has(name.slice(prefix.length))).length;
    if (withPrefix > 0) {
      return {
        text: `${withPrefix} of them are there without the prefix "${prefix}": this is the inner model only`,
        prefixes: { '': prefix },
      };
    }
  }
  return undefined;
};

const LISTED = 5;

const list = (names: readonly string[]): string =>
  names.slice(0, LISTED).join(', ') + (names.length > LISTED ? `, and ${names.length - LISTED} more` : '');

const mismatchText = ({ name, expected, found }: ShapeMismatch): string =>
  `${name} is [${found}] and should be [${expected}]`;

/**
 * The match in words: one line when everything was used, one more line for each kind of trouble.
 */
export const describeMatch = (match: StateDictMatch): string => {
  const { used, ignored, harmless, missing, mismatched, suggestion } = match;
  const needed = used.length + missing.length + mismatched.length;
  const extras = harmless.length > 0 ? `; left out ${list(harmless)} (known, harmless)` : '';
  const lines = [`${used.length} of ${needed} tensors loaded${extras}`];
  if (missing.length > 0) lines.push(`missing from the file (${missing.length}): ${list(missing)}`);
  if (suggestion !== undefined) lines.push(suggestion.text);
  if (mismatched.length > 0) {
    lines.push(`of another shape (${mismatched.length}): ${list(mismatched.map(mismatchText))}`);
  }
  if (ignored.length > 0) lines.push(`ignored, not in this model (${ignored.length}): ${list(ignored)}`);
  return lines.join('\n');
};

/**
 * Refuses a file that lacks something the model needs.
 * @param path the file, for the message
 */
export const requireComplete = (match: StateDictMatch, path: string): void => {
  if (match.missing.length === 0 && match.mismatched.length === 0) return;
  const text = describeMatch(match).replaceAll('\n', '; ');
  throw new MdetrError(`${path}: does not fit the model: ${text}`);
};
