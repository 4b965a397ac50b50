/*
 * Values of fields as labeling tools write them. Shared by the row checks and by the readers of source files, so that all
 * commands accept the same values.
 */

/** Maximum absolute coordinate and image side in pixels; values beyond are damage, and overflow float32 arithmetic. */
export const MAX_PIXELS = 10_000_000;

/** True for null and for a missing field: exporters write null for a field without a value. */
export const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null;

/** A flag as 0 or 1, which files also write as a boolean or in quotes; undefined for any other value. */
export const flagOf = (value: unknown): 0 | 1 | undefined => {
  if (value === 0 || value === false || value === '0') return 0;
  if (value === 1 || value === true || value === '1') return 1;
  return undefined;
};

/** A scalar that identifies an object; booleans become strings. Undefined for lists, objects and non-finite numbers. */
export const scalarId = (value: unknown): number | string | undefined => {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) return value;
  return typeof value === 'boolean' ? String(value) : undefined;
};

/** True for a finite number of pixels that is not absurdly large. */
export const isCoordinate = (value: unknown): value is number =>
  typeof value === 'number' && Math.abs(value) <= MAX_PIXELS;

/** A value in an error message: JSON on one line, at most 60 characters. */
export const shown = (value: unknown): string => {
  if (value === undefined) return 'missing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'string' && inner.length > 60 ? inner.slice(0, 60) : inner,
  );
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};
