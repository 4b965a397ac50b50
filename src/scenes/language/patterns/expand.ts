import type { Random } from '../../../random/random.ts';
import { WIDE_MACROS } from './wide-captions.ts';

/** Replaces `<name>` by the choices of that name. */
export const expandMacros = (pattern: string): string =>
  pattern.replace(/<(\w+)>/g, (_all, name: string) => {
    const choices = WIDE_MACROS[name];
    if (choices === undefined) throw new Error(`internal: no choices <${name}> in "${pattern}"`);
    return choices;
  });

/** Makes all choices `[x|y|z]` of a pattern, removes the spaces that empty choices leave, and turns "a image" into "an image". */
export const expandPattern = (pattern: string, random: Random): string => {
  let text = expandMacros(pattern);
  while (text.includes('[')) {
    text = text.replace(/\[([^[\]]*)\]/g, (_all, choices: string) => random.pick(choices.split('|')));
  }
  return text.replace(/ {2,}/g, ' ').replace(/\b([Aa]) (?=[aeiou])/g, '$1n ');
};
