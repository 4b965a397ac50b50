import { MdetrError, messageOf } from '../../errors.ts';

/** Maximum depth of nested lists and objects; deeper values overflow the stack of code that visits them. */
export const MAX_JSON_DEPTH = 200;
const MAX_SHOWN = 100;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Parses JSON that people write. In contrast to `JSON.parse`, a key that occurs twice in an object is an error, because
 * one of its values would be lost, and so is nesting beyond `MAX_JSON_DEPTH`.
 * @param name name of the text in messages
 * @throws {MdetrError} naming the text, the reason and, where it is known, the line
 */
export const parseJson = (text: string, name: string): unknown => {
  if (text.trim() === '') throw new MdetrError(`${name}: is empty; expected JSON`);
  try {
    return parseStrictJson(text);
  } catch (error) {
    const message = messageOf(error);
    const position = /\bposition (\d+)/.exec(message)?.[1];
    const line = position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`;
    throw new MdetrError(`${name}: is not JSON: ${message.slice(0, MAX_SHOWN)}${line}`, { cause: error });
  }
};

/**
 * Parses JSON as `parseJson` does, for callers that name the text themselves.
 * @throws {SyntaxError} like `JSON.parse`
 */
export const parseStrictJson = (text: string): unknown => {
  const value = JSON.parse(text) as unknown;
  assertStructure(text);
  return value;
};

/** @throws {SyntaxError} if valid JSON is nested too deeply or has a key twice in an object */
const assertStructure = (json: string): void => {
  /** Keys of each open object; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let own: Set<string> | undefined;
  let expectsKey = false;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) {
      const end = closingQuote(json, i);
      if (expectsKey) addKey(own!, json, i, end);
      expectsKey = false;
      i = end;
    } else if (c === COMMA) expectsKey = own !== undefined;
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (open.length === MAX_JSON_DEPTH)
        throw new SyntaxError(`nested deeper than ${MAX_JSON_DEPTH} levels at position ${i}`);
      own = c === OPEN_BRACE ? new Set() : undefined;
      open.push(own);
      expectsKey = own !== undefined;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      open.pop();
      own = open.at(-1);
      expectsKey = false;
    }
  }
};

const addKey = (keys: Set<string>, json: string, begin: number, end: number): void => {
  const raw = json.slice(begin + 1, end);
  const key = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  if (keys.has(key))
    throw new SyntaxError(`key ${JSON.stringify(key).slice(0, MAX_SHOWN / 2)} occurs twice at position ${begin}`);
  keys.add(key);
};

/** Index of the quote that closes the string whose opening quote is at `begin`, in valid JSON. */
export const closingQuote = (json: string, begin: number): number => {
  for (let at = begin; ;) {
    at = json.indexOf('"', at + 1);
    let escapes = 0;
    while (json.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
};
