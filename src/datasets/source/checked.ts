import type * as z from 'zod';
import { BadRowError } from './bad-rows.ts';
import { firstIssue } from '../../options/first-issue.ts';

/**
 * Validates a value read from a source file.
 * @param location file and entry, such as `refer_val.json [17]`
 * @throws {BadRowError} naming the location and the first wrong field
 */
export const checked = <Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  location: string,
): z.output<Schema> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { field, message } = firstIssue(result.error);
  throw new BadRowError(
    `${location}${field === '' ? '' : `, field ${field}`}: ${message.replace(/^Invalid input: /, '')}`,
  );
};
