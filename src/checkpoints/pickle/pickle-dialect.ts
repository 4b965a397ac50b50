import type { PickleGlobal, PickleValue } from './pickle-values.ts';

export interface PickleLimits {
  /** Values, calls, copied elements and memo entries together. */
  readonly maxObjects: number;
  /** Nesting of the result. */
  readonly maxDepth: number;
  /** Bytes of one string or bytes object. */
  readonly maxStringBytes: number;
}

export interface PickleDialect {
  /** The allow-list: `module.name` to what stands for it. A name that is missing here is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Resolves a persistent id; without it such ids are refused. */
  readonly persistentLoad?: (id: PickleValue) => PickleValue;
}

export interface UnpickleOptions extends PickleDialect {
  /** The file, for messages. */
  readonly name: string;
  readonly limits: PickleLimits;
}
