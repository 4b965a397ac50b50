import { MdetrError } from '../errors.ts';

/** Name and shape of a tensor. */
export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A tensor whose stored shape differs from the expected one. */
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
  /** Prefix of a wrapper (`module.`, `_orig_mod.`, `model.`) that was removed from the file's names. */
  readonly removedPrefix?: string | undefined;
  /** Likely cause if the names differ by a prefix, and the `prefixes` option that fixes it. */
  readonly suggestion?: { readonly text: string; readonly prefixes: Readonly<Record<string, string>> } | undefined;
}

/** Options of `matchStateDict`. */
export interface MatchOptions {
  /**
   * Replacements for prefixes of the file's names; the first match applies. Prefixes of wrappers, such as `module.` from
   * data-parallel training, are removed in any case.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
}

/** Buffers that only some versions of PyTorch and transformers save, and that hold nothing learned. */
const HARMLESS = /(^|\.)(position_ids|num_batches_tracked)$/;
/** Names by which PyTorch's wrappers (data parallel, compiled, sharded) hold the module that they wrap, at any depth. */
const MODULE_WRAPPERS = new Set([
  'module',
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  '_forward_module',
]);
/** Names that training frameworks put before all names. */
const OUTER_WRAPPERS = new Set([...MODULE_WRAPPERS, 'model', 'state_dict', 'model_state_dict', 'net', 'network']);
/** Prefix of the detector inside a segmentation checkpoint: another model, not a wrapper. */
const DETECTOR_PREFIX = 'detr.';

/** Forms of a name with fewer and fewer wrappers, starting with the name itself. */
const unwrappedForms = (name: string): string[] => {
  const forms = [name];
  const segments = name.split('.');
  let outer = 0;
  while (outer < segments.length - 1 && OUTER_WRAPPERS.has(segments[outer]!)) {
    outer += 1;
    forms.push(segments.slice(outer).join('.'));
  }
  const inner = segments.slice(outer).filter((segment) => !MODULE_WRAPPERS.has(segment));
  if (inner.length < segments.length - outer && inner.length > 0) forms.push(inner.join('.'));
  return forms;
};

const rename = (name: string, prefixes: readonly (readonly [string, string])[]): string => {
  const rule = prefixes.find(([from]) => name.startsWith(from));
  return rule === undefined ? name : rule[1] + name.slice(rule[0].length);
};

/** Tensors of a file by their names in the model. Of two tensors with one name, the less wrapped one counts. */
const byModelName = (
  available: Iterable<NamedShape>,
  wanted: ReadonlySet<string>,
  prefixes: readonly (readonly [string, string])[],
): { readonly found: Map<string, NamedShape>; readonly duplicates: readonly NamedShape[] } => {
  const found = new Map<string, NamedShape>();
  const duplicates: NamedShape[] = [];
  for (const tensor of available) {
    const forms = unwrappedForms(tensor.name).map((form) => rename(form, prefixes));
    const name = forms.find((form) => wanted.has(form)) ?? forms.at(-1)!;
    const other = found.get(name);
    if (other !== undefined) duplicates.push(tensor.name.length < other.name.length ? other : tensor);
    if (other === undefined || tensor.name.length < other.name.length) found.set(name, tensor);
  }
  return { found, duplicates };
};

/** The only prefix behind which the file has all tensors of the model, in the right shapes; undefined if there is none. */
const completePrefix = (
  wanted: readonly NamedShape[],
  available: ReadonlyMap<string, NamedShape>,
): string | undefined => {
  const [first] = wanted;
  if (first === undefined) return undefined;
  const candidates = [...available.keys()]
    .filter((name) => name.endsWith(`.${first.name}`))
    .map((name) => name.slice(0, -first.name.length))
    .filter((prefix) => !`.${prefix}`.includes(`.${DETECTOR_PREFIX}`))
    .slice(0, 10);
  const complete = candidates.filter((prefix) =>
    wanted.every(({ name, shape }) => sameShape(shape, available.get(prefix + name)?.shape)),
  );
  return complete.length === 1 ? complete[0] : undefined;
};

const sameShape = (a: readonly number[], b: readonly number[] | undefined): boolean =>
  a.length === b?.length && a.every((size, axis) => size === b[axis]);

/**
 * Matches the tensors that a model needs with those of a file, by name and shape. Prefixes of wrappers are removed, in any
 * nesting, where the model has no such name; any other prefix of all names is removed if all tensors fit without it.
 */
export const matchStateDict = (
  expected: Iterable<NamedShape>,
  available: Iterable<NamedShape>,
  options: MatchOptions = {},
): StateDictMatch => {
  const wanted = [...expected];
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const prefixes = Object.entries(options.prefixes ?? {});
  const tensors = [...available];
  let { found: inFile, duplicates } = byModelName(tensors, wantedNames, prefixes);
  if (!wanted.some(({ name }) => inFile.has(name))) {
    const prefix = completePrefix(wanted, inFile);
    if (prefix !== undefined) {
      ({ found: inFile, duplicates } = byModelName(tensors, wantedNames, [...prefixes, [prefix, '']]));
    }
  }
  const rest = new Map(inFile);
  const used: { name: string; source: string }[] = [];
  const missing: string[] = [];
  const mismatched: ShapeMismatch[] = [];
  for (const { name, shape } of wanted) {
    const found = inFile.get(name);
    rest.delete(name);
    if (found === undefined) missing.push(name);
    else if (sameShape(shape, found.shape)) used.push({ name, source: found.name });
    else mismatched.push({ name, expected: shape, found: found.shape });
  }
  const ignored: string[] = [];
  const harmless: string[] = [];
  for (const { name } of [...rest.values(), ...duplicates]) (HARMLESS.test(name) ? harmless : ignored).push(name);
  const suggestion = missing.length === 0 ? undefined : suggest(missing, [...rest.keys()]);
  const wrapped =
    prefixes.length === 0 ? used.find(({ name, source }) => source.endsWith(name) && source !== name) : undefined;
  const removedPrefix = wrapped?.source.slice(0, -wrapped.name.length);
  return { used, ignored, harmless, missing, mismatched, removedPrefix, suggestion };
};

/** Tries to match the remaining names by removing or adding the prefix of a detector in a segmentation checkpoint. */
const suggest = (missing: readonly string[], leftOver: readonly string[]): StateDictMatch['suggestion'] => {
  const left = new Set(leftOver);
  const prefix = DETECTOR_PREFIX;
  const without = missing.filter((name) => left.has(prefix + name)).length;
  if (without > 0) {
    const meaning = 'a segmentation checkpoint, whose detector has this prefix';
    return {
      text: `${without} of them are present with the prefix "${prefix}": this is ${meaning}`,
      prefixes: { [prefix]: '' },
    };
  }
  const withPrefix = missing.filter((name) => name.startsWith(prefix) && left.has(name.slice(prefix.length))).length;
  if (withPrefix === 0) return undefined;
  return {
    text: `${withPrefix} of them are present without the prefix "${prefix}": this is the inner model only`,
    prefixes: { '': prefix },
  };
};

const LISTED = 5;

const list = (names: readonly string[]): string =>
  names.slice(0, LISTED).join(', ') + (names.length > LISTED ? `, and ${names.length - LISTED} more` : '');

const mismatchText = ({ name, expected, found }: ShapeMismatch): string =>
  `${name} is [${found}] and should be [${expected}]`;

/** Describes a match: one line if every tensor was used, and one more line per kind of problem. */
export const describeMatch = (match: StateDictMatch): string => {
  const { used, ignored, harmless, missing, mismatched, removedPrefix, suggestion } = match;
  const needed = used.length + missing.length + mismatched.length;
  const extras = harmless.length > 0 ? `; skipped ${list(harmless)} (known, harmless)` : '';
  const wrapper = removedPrefix === undefined ? '' : `; prefix "${removedPrefix.slice(0, 100)}" removed`;
  const lines = [`${used.length} of ${needed} tensors loaded${wrapper}${extras}`];
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
