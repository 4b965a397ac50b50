import { excerpt } from '../../errors.ts';
import { BadRowError } from '../source/bad-rows.ts';
import { isCoordinate, shown } from '../../data/format/field-values.ts';

/** Number of a text in decimal or scientific notation; undefined for any other text. */
export const numberOfText = (text: string): number | undefined =>
  /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : undefined;

/**
 * A coordinate that a file states as a number, or as a number in text.
 * @param location file and place, and the field, for the message
 * @throws {MdetrError} if it is neither, or absurdly large
 */
export const coordinateOf = (value: unknown, location: string): number => {
  const number = typeof value === 'string' ? numberOfText(value) : value;
  if (!isCoordinate(number))
    throw new BadRowError(`${location} is ${shown(value)}, not a coordinate in pixels or percent`);
  return number;
};

/** A size that a file states; undefined if it is missing, zero or no number. */
export const sizeOf = (value: unknown): number | undefined => {
  const number = typeof value === 'string' ? numberOfText(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number > 0 ? number : undefined;
};

/** A text in an error message: one line, at most 100 characters. */
export const shortText = (text: string): string => excerpt(text.replace(/\s+/g, ' ').trim());
