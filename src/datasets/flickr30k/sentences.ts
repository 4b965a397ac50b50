import { codePointLength } from '../../text/spans/code-points.ts';
import { MdetrError } from '../../errors.ts';
import type { Span } from '../../data/format/coco-format.ts';
import { pythonWords } from '../python-text.ts';
import { entityNumber } from './entity-boxes.ts';

/** A bracketed phrase of a caption. */
export interface EntityPhrase {
  readonly text: string;
  /** Where it stands in the caption, in code points. */
  readonly span: Span;
  /** Number of the entity that it means; 0 for what cannot be seen. */
  readonly entity: string;
  /** Coarse categories: people, clothing, bodyparts, animals, vehicles, instruments, scene, other, notvisual. */
  readonly types: readonly string[];
}

export interface EntitySentence {
  /** The caption without brackets, its words parted by single spaces. */
  readonly caption: string;
  readonly phrases: readonly EntityPhrase[];
}

/** `[/EN#283585/people`, with one or more categories. */
const OPENING = /^\[\/EN#(\d{1,15})((?:\/[^/\s]+)*)$/;

/**
 * Reads a file of Flickr30k Entities' `Sentences`: a caption a line, its phrases in brackets as in
 * `[/EN#12/people Two girls] at [/EN#14/scene the beach] .` Empty lines are no captions.
 * @param path for messages
 */
export const parseSentences = (text: string, path: string): EntitySentence[] =>
  text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parseSentence(line, `${path}: line ${i + 1}`)]));

const parseSentence = (line: string, place: string): EntitySentence => {
  const words: string[] = [];
  const phrases: EntityPhrase[] = [];
  let length = 0;
  const addWord = (word: string): Span => {
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
        throw new MdetrError(`${place}: "${word}" opens a phrase, but is not of the form [/EN#NUMBER/TYPE`);
      open = {
        entity: entityNumber(entity)!,
        types: types!.split('/').slice(1),
        words: [],
        begin: length === 0 ? 0 : length + 1,
      };
      continue;
    }
    if (word.startsWith('[/EN#')) throw new MdetrError(`${place}: phrase ${open.entity} has another inside: ${word}`);
    // The bracket may stand before punctuation: `man],` closes the phrase after "man".
    const bracket = word.lastIndexOf(']');
    if (bracket < 0) {
      addWord(word);
      open.words.push(word);
      continue;
    }
    const inside = word.slice(0, bracket);
    const whole = inside + word.slice(bracket + 1);
    const begin = whole === '' ? length : addWord(whole)[0];
    if (inside !== '') open.words.push(inside);
    const phrase = open.words.join(' ');
    const end = inside === '' ? open.begin + codePointLength(phrase) : begin + codePointLength(inside);
    if (phrase !== '') phrases.push({ text: phrase, span: [open.begin, end], entity: open.entity, types: open.types });
    open = undefined;
  }
  if (open !== undefined) throw new MdetrError(`${place}: the bracket of phrase ${open.entity} is never closed`);
  return { caption: words.join(' '), phrases };
};
