import type { z } from 'zod';
import { MdetrError } from '../errors.ts';

/**
 * A value out of a source file in the form that the preparation relies on.
 * @param place file and entry, as in `refer_val.json [17]`
 * @throws MdetrError naming the place and the first field that is wrong
 */
export const checked = <Schema extends z.ZodType>(schema: Schema, value: unknown, place: string): z.output<Schema> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const field = path.length > 0 ? `, field ${path.map(String).join('.')}` : '';
  throw new MdetrError(`${place}${field}: ${message.replace(/^Invalid input: /, '')}`);
};
