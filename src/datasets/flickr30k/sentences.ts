import { codePointLength } from '../../text/spans/code-points.ts';
import { quoted } from '../../errors.ts';
import { BadRowError } from '../source/bad-rows.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { pythonWords } from './python-words.ts';
import { entityId } from './entity-boxes.ts';

/** A bracketed phrase of a caption. */
export interface EntityPhrase {
  readonly text: string;
  /** Span in the caption, in code points. */
  readonly span: CodePointSpan;
  /** Id of the entity it refers to; 0 for things that are not visible. */
  readonly entity: string;
  /** Coarse categories: people, clothing, bodyparts, animals, vehicles, instruments, scene, other, notvisual. */
  readonly types: readonly string[];
}

export interface EntitySentence {
  /** The caption without brackets, words separated by single spaces. */
  readonly caption: string;
  readonly phrases: readonly EntityPhrase[];
}

/** Opening of a phrase, `[/EN#283585/people`, with one or more categories. */
const OPENING = /^\[\/EN#(\d{1,15})((?:\/[^/\s]+)*)$/;

/**
 * Parses a file of the folder `Sentences` of Flickr30k Entities: one caption per line with phrases in brackets, such as
 * `[/EN#12/people Two girls] at [/EN#14/scene the beach] .` Empty lines are skipped.
 * @param path file name for messages
 * @throws {BadRowError} naming the line of the first malformed phrase
 */
export const parseSentences = (text: string, path: string): EntitySentence[] =>
  text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parseSentence(line, `${path}: line ${i + 1}`)]));

const parseSentence = (line: string, location: string): EntitySentence => {
  const words: string[] = [];
  const phrases: EntityPhrase[] = [];
  let length = 0;
  const addWord = (word: string): CodePointSpan => {
    const begin = length === 0 ? 0 : length + 1;
    words.push(word);
    length = begin + codePointLength(word);
    return [begin, length];
  };
  let open: { entity: string; types: string[]; words: string[]; begin: number } | undefined;
  for (const word of pythonWords(line)) {
    if (open === undefined) {
      if (!word.startsWith('[/EN#')) {
        addWord(word);
        continue;
      }
      const [, entity, types] = OPENING.exec(word) ?? [];
      if (entity === undefined)
        throw new BadRowError(`${location}: ${quoted(word)} opens a phrase, but does not have the form [/EN#ID/TYPE`);
      open = {
        entity: entityId(entity)!,
        types: types!.split('/').slice(1),
        words: [],
        begin: length === 0 ? 0 : length + 1,
      };
      continue;
    }
    if (word.startsWith('[/EN#')) throw new BadRowError(`${location}: phrase ${open.entity} contains another: ${word}`);
    // The bracket may precede punctuation: `man],` closes the phrase after "man".
    const bracket = word.lastIndexOf(']');
    if (bracket < 0) {
      addWord(word);
      open.words.push(word);
      continue;
    }
    const inside = word.slice(0, bracket);
    const withoutBracket = inside + word.slice(bracket + 1);
    const begin = withoutBracket === '' ? length : addWord(withoutBracket)[0];
    if (inside !== '') open.words.push(inside);
    const phrase = open.words.join(' ');
    const end = inside === '' ? open.begin + codePointLength(phrase) : begin + codePointLength(inside);
    if (phrase !== '') phrases.push({ text: phrase, span: [open.begin, end], entity: open.entity, types: open.types });
    open = undefined;
  }
  if (open !== undefined) throw new BadRowError(`${location}: the bracket of phrase ${open.entity} is never closed`);
  return { caption: words.join(' '), phrases };
};
