import type { PickleGlobal, PickleValue } from './pickle-values.ts';

/** Limits of reading a pickle. */
export interface PickleLimits {
  /** Maximum number of values, calls, copied elements and memo entries together. */
  readonly maxObjects: number;
  /** Maximum nesting depth of the result. */
  readonly maxDepth: number;
  /** Maximum length in bytes of a string or bytes object. */
  readonly maxStringBytes: number;
}

export interface PickleDialect {
  /** Allow-list of Python names, keyed by `module.name`. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Stands for a name that is not on the list. If undefined, or if it returns undefined, the name is rejected. */
  readonly unknownGlobal?: (pythonName: string) => PickleGlobal | undefined;
  /** Sets the state of a value that a constructor of `globals` made. @returns whether the value takes a state */
  readonly setState?: (target: PickleValue, state: PickleValue) => boolean;
  /** Resolves persistent ids. If undefined, they are rejected. */
  readonly persistentLoad?: (id: PickleValue) => PickleValue;
}

/** Options of reading a pickle. */
export interface UnpickleOptions extends PickleDialect {
  /** Name of the file, for messages. */
  readonly name: string;
  readonly limits: PickleLimits;
}
