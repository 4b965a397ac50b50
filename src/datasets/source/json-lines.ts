import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MdetrError, messageOf } from '../../errors.ts';
import { BadRowError, type BadRows } from './bad-rows.ts';
import { requireInput } from '../../files/input-file.ts';
import { parsePythonJson } from '../../data/annotation-index/python-json.ts';

/** Maximum number of characters of a line. */
const MAX_LINE = 64 * 2 ** 20;

interface LineOptions {
  readonly parse?: (text: string) => unknown;
  readonly badRows?: BadRows;
}

/**
 * Iterates over the values of a JSON Lines file; empty lines are skipped.
 * @param options.parse parses a line; by default as Python writes it, with `NaN`
 * @param options.badRows decides about lines that are not JSON; by default the first one is an error
 * @throws {MdetrError} naming file and line of the first line that is not JSON
 */
export const readJsonLines = async function* (
  path: string,
  { parse = parsePythonJson, badRows }: LineOptions = {},
): AsyncGenerator<{ value: unknown; location: string }> {
  await requireInput(path);
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity });
  let number = 0;
  try {
    for await (const raw of lines) {
      number++;
      const line = number === 1 ? raw.replace(/^\uFEFF/, '') : raw;
      if (line.trim() === '') continue;
      const location = `${path}: line ${number}`;
      if (line.length > MAX_LINE) throw new MdetrError(`${location}: has more than ${MAX_LINE} characters`);
      const read = (): { value: unknown; location: string } => {
        try {
          return { value: parse(line), location };
        } catch (error) {
          throw new BadRowError(`${location}: is not JSON: ${messageOf(error).slice(0, 100)}`, { cause: error });
        }
      };
      const entry = badRows === undefined ? read() : badRows.attempt(read);
      if (entry !== undefined) yield entry;
    }
  } finally {
    lines.close();
  }
};
