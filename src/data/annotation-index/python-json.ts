import { parseStrictJson } from '../../files/json/json-text.ts';

/**
 * Parses JSON as Python writes it: `NaN`, `Infinity` and `-Infinity`, which JSON does not have, become strings of that
 * name, so that a check of the value's type can name the field. A key that occurs twice in an object is an error.
 *
 * @throws {SyntaxError} like `JSON.parse`
 */
export const parsePythonJson = (text: string): unknown => {
  const repaired = text.includes('NaN') || text.includes('Infinity') ? withQuotedNumbers(text) : text;
  return parseStrictJson(repaired);
};

/** Text outside of strings in which non-finite numbers have quotes. */
const withQuotedNumbers = (text: string): string => {
  let result = '';
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    result += text.slice(at, end).replace(/-?\b(?:NaN|Infinity)\b/g, '"$&"');
    at = quote < 0 ? end : stringEnd(text, quote);
    result += text.slice(end, at);
  }
  return result;
};

/** Index behind the quote that closes the string at `begin`; the end of the text if none does. */
const stringEnd = (text: string, begin: number): number => {
  for (let at = begin + 1; at < text.length; at++) {
    const c = text[at];
    if (c === '"') return at + 1;
    if (c === '\\') at++;
  }
  return text.length;
};

/** Values of a list, given without its brackets; undefined if one of them is not JSON. */
export const parseList = (text: string): unknown[] | undefined => {
  try {
    return parseStrictJson(`[${text}]`) as unknown[];
  } catch {
    return undefined; // One of them is not valid: parsed one by one, it can be named.
  }
};
