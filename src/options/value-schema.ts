/** Checks and completes a value. A zod schema is one, and so is anything with its `safeParse`. */
export interface ValueSchema<Value> {
  safeParse(value: unknown): ParsedValue<Value> | RejectedValue;
}

export interface ParsedValue<Value> {
  readonly success: true;
  readonly data: Value;
}

export interface RejectedValue {
  readonly success: false;
  readonly error: { readonly issues: readonly ValueIssue[] };
}

/** A problem of a value, and where in it. */
export interface ValueIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}
