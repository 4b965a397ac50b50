/**
 * Patterns of one wording. Slots of captions are `a` to `d` (noun phrases with article or numeral) and `r` (a relation).
 * In expressions and questions F is the target or the queried object; U, V and G locate it; r1 is a relation to U, r2 one
 * to G or V, o1 the opposite of r1; `same` and `q` are names of attributes; A and B are compared; F and H are united.
 */

/** Caption patterns by number of phrases minus one. */
export type CaptionPatterns = readonly (readonly string[])[];

export const EXPRESSION_FORMS = [
  'plain',
  'one-hop',
  'two-hop',
  'and',
  'same',
  'superlative',
  'superlative front',
  'superlative behind',
  'superlative left',
  'superlative right',
] as const;
export type ExpressionForm = (typeof EXPRESSION_FORMS)[number];

export type ExpressionPatterns = Readonly<Record<ExpressionForm, readonly string[]>>;

type Forms<Form extends string> = Readonly<Record<Form, readonly string[]>>;

/** Question patterns of one wording, by type or group of types, and by structure of the reference. */
export interface QuestionPatterns {
  readonly exist: Forms<'plain' | 'one-hop' | 'two-hop' | 'same'>;
  readonly count: Forms<'plain' | 'one-hop' | 'two-hop' | 'and' | 'same' | 'or'>;
  /** Questions for an attribute. */
  readonly query: Forms<'plain' | 'one-hop' | 'two-hop' | 'and' | 'same'>;
  /** Further patterns that query the size of F. */
  readonly size: readonly string[];
  /** Further patterns that query the material of F. */
  readonly material: readonly string[];
  readonly equal_integer: readonly string[];
  readonly less_than: readonly string[];
  readonly greater_than: readonly string[];
  /** Comparison of an attribute of A and B. */
  readonly equal: readonly string[];
}
