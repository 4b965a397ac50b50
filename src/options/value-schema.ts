/** Validates a value and fills in its defaults: a zod schema, or any object with the same `safeParse`. */
export interface ValueSchema<Value> {
  safeParse(value: unknown): ParsedValue<Value> | RejectedValue;
}

/** Outcome for a valid value. */
export interface ParsedValue<Value> {
  readonly success: true;
  readonly data: Value;
}

/** Outcome for an invalid value. */
export interface RejectedValue {
  readonly success: false;
  readonly error: { readonly issues: readonly ValueIssue[] };
}

/** A problem of a value, and the path of the invalid part. */
export interface ValueIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}
