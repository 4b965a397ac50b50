import { excerpt } from '../errors.ts';
import type { ValueIssue } from './value-schema.ts';

/** First problem that a schema found in a value. */
export interface FirstIssue {
  /** Path of the field, such as `model.vocab`; empty if the whole value is wrong. */
  readonly field: string;
  readonly message: string;
  /** The message as the continuation of a sentence: it begins with a small letter. */
  readonly predicate: string;
}

/** First problem of a validation, for an error message. Names from the value are cut; lists of what is allowed are not. */
export const firstIssue = ({
  issues,
}: {
  readonly issues: readonly (ValueIssue & { readonly code?: string })[];
}): FirstIssue => {
  const issue = issues[0]!;
  const message = issue.code === 'unrecognized_keys' ? excerpt(issue.message) : issue.message;
  return {
    field: excerpt(issue.path.map(String).join('.')),
    message,
    predicate: message.charAt(0).toLowerCase() + message.slice(1),
  };
};
