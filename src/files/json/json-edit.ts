import { MdetrError } from '../../errors.ts';
import { closingQuote, parseJson } from './json-text.ts';

/**
 * Sets a key of the object that a JSON text holds and leaves every other character as it is. A new key comes last, with
 * the indentation of the others.
 *
 * @param name name of the text in messages
 * @throws {MdetrError} if the text is not a JSON object
 */
export const withJsonKey = (text: string, key: string, value: unknown, name: string): string => {
  const parsed = parseJson(text, name);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new MdetrError(`${name}: must hold a JSON object`);
  const members = membersOf(text);
  const indent = /^\{\s*?\n([ \t]+)"/.exec(text.trimStart())?.[1];
  const written = JSON.stringify(value, undefined, indent);
  const json = indent === undefined ? written : written.replaceAll('\n', `\n${indent}`);
  const known = members.find((member) => member.key === key);
  if (known !== undefined) return text.slice(0, known.begin) + json + text.slice(known.end);
  const last = members.at(-1);
  const at = last === undefined ? text.indexOf('{') + 1 : last.end;
  const gap = indent === undefined ? '' : `\n${indent}`;
  return `${text.slice(0, at)}${last === undefined ? '' : ','}${gap}${JSON.stringify(key)}:${gap === '' ? '' : ' '}${json}${text.slice(at)}`;
};

/** A key of the outermost object, and where its value stands. */
interface Member {
  readonly key: string;
  readonly begin: number;
  readonly end: number;
}

/** Members of the outermost object of a valid JSON text. */
const membersOf = (text: string): Member[] => {
  const members: Member[] = [];
  let depth = 0;
  let key: string | undefined;
  let begin = -1;
  let end = -1;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i]!;
    if (/\s/.test(sign)) continue;
    if (depth === 1 && (sign === ',' || sign === '}') && key !== undefined) {
      members.push({ key, begin, end });
      key = undefined;
      begin = -1;
    }
    if (sign === '}' || sign === ']') depth--;
    else if (depth === 1 && key !== undefined && sign !== ':' && begin < 0) begin = i;
    if (sign === '{' || sign === '[') depth++;
    else if (sign === '"') {
      const close = closingQuote(text, i);
      if (depth === 1 && key === undefined) key = JSON.parse(text.slice(i, close + 1)) as string;
      i = close;
    }
    end = i + 1;
  }
  return members;
};
