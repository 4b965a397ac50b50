import type * as z from 'zod';
import { BadRowError } from './bad-rows.ts';

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
  const { path, message } = result.error.issues[0]!;
  const field = path.length > 0 ? `, field ${path.map(String).join('.')}` : '';
  throw new BadRowError(`${location}${field}: ${message.replace(/^Invalid input: /, '')}`);
};
