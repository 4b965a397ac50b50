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

/** Comparison of the tensors of a file with those of a model. Names are the model's unless stated otherwise. */
export interface StateDictMatch {
  /** Tensors of the right shape: name in the model and name in the file. */
  readonly used: readonly { readonly name: string; readonly source: string }[];
  /** Tensors that only the file has; names of the file. */
  readonly ignored: readonly string[];
  /** Tensors that only the file has and that no model needs (position_ids, num_batches_tracked); names of the file. */
  readonly harmless: readonly string[];
  /** Tensors that only the model has. */
  readonly missing: readonly string[];
  /** Tensors whose shapes differ. */
  readonly mismatched: readonly ShapeMismatch[];
  /** Likely cause if the names differ by a prefix, and the `prefixes` option that fixes it. */
  readonly suggestion?: { readonly text: string; readonly prefixes: Readonly<Record<string, string>> };
}

export interface MatchOptions {
  /**
   * Replacements for prefixes of the file's names; the first match applies. `module.` (from data-parallel training) is
   * always removed.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
}

/** Buffers that only some versions of PyTorch and transformers save, and that hold nothing learned. */
const HARMLESS = /(^|\.)(position_ids|num_batches_tracked)$/;
const DATA_PARALLEL_PREFIX = 'module.';
/** Prefixes of wrapped models, and the kind of file that has them. */
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

/** Matches the tensors that a model needs with those of a file, by name and shape. */
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

/** Tries to match the remaining names by removing or adding each known prefix. */
const suggest = (missing: readonly string[], leftOver: readonly string[]): StateDictMatch['suggestion'] => {
  const left = new Set(leftOver);
  for (const [prefix, meaning] of Object.entries(WRAPPERS)) {
    const without = missing.filter((name) => left.has(prefix + name)).length;
    if (without > 0) {
      return {
        text: `${without} of them are present with the prefix "${prefix}": this is ${meaning}`,
        prefixes: { [prefix]: '' },
      };
    }
    const withPrefix = missing.filter((name) => name.startsWith(prefix) && left.has(name.slice(prefix.length))).length;
    if (withPrefix > 0) {
      return {
        text: `${withPrefix} of them are present without the prefix "${prefix}": this is the inner model only`,
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

/** Describes a match: one line if every tensor was used, and one more line per kind of problem. */
export const describeMatch = (match: StateDictMatch): string => {
  const { used, ignored, harmless, missing, mismatched, suggestion } = match;
  const needed = used.length + missing.length + mismatched.length;
  const extras = harmless.length > 0 ? `; skipped ${list(harmless)} (known, harmless)` : '';
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
 * Checks that a file has everything that the model needs.
 * @param path the file, for the message
 * @throws {MdetrError} describing what does not fit
 */
export const requireComplete = (match: StateDictMatch, path: string): void => {
  if (match.missing.length === 0 && match.mismatched.length === 0) return;
  const text = describeMatch(match).replaceAll('\n', '; ');
  throw new MdetrError(`${path}: does not fit the model: ${text}`);
};
