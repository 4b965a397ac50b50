import { messageOf } from '../../../errors.ts';
import { parseStrictJson } from '../../../files/json/json-text.ts';
import { BadRowError } from '../../source/bad-rows.ts';

/** Value of a cell that holds JSON, as VIA writes shapes and attributes into CSV. @throws {BadRowError} naming the cell */
export const parsedField = (text: string, location: string): unknown => {
  try {
    return parseStrictJson(text);
  } catch (error) {
    throw new BadRowError(`${location} is not JSON: ${messageOf(error).slice(0, 100)}`, { cause: error });
  }
};
