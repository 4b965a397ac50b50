/** Validates a value and fills in its defaults: a zod schema, or any object with the same `safeParse`. */
export interface ValueSchema<Value> {
  /** Checks a value without throwing. */
  safeParse(value: unknown): ParsedValue<Value> | RejectedValue;
}

/** Outcome for a valid value. */
export interface ParsedValue<Value> {
  /** Tells the outcomes apart. */
  readonly success: true;
  /** The value, with defaults filled in. */
  readonly data: Value;
}

/** Outcome for an invalid value. */
export interface RejectedValue {
  /** Tells the outcomes apart. */
  readonly success: false;
  /** Reasons, each with the path of its value. */
  readonly error: { readonly issues: readonly ValueIssue[] };
}

/** A problem of a value, and the path of the invalid part. */
export interface ValueIssue {
  /** Keys that lead to the value. */
  readonly path: readonly PropertyKey[];
  /** The problem. */
  readonly message: string;
}
