import type { Attribute } from '../render/attributes.ts';
import { nounPhrase, withArticle } from './noun-phrases.ts';
import { membersOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import type { Wording } from '../render/splits.ts';

/** A stretch of a text that speaks of objects, or of something that is not there. */
export interface Phrase {
  /** Characters [start, end) of the text. Texts are ASCII: units, code points and bytes are the same. */
  readonly start: number;
  readonly end: number;
  /** What it speaks of, in rising order; nothing for a phrase whose object is absent. */
  readonly objects: readonly number[];
  /** `target`: what an expression refers to, or a question asks about. `anchor`: what it is located by. */
  readonly role: 'mention' | 'target' | 'anchor';
  readonly filter: Filter;
  /** Words without which the phrase's attributes would fit more objects. */
  readonly needs: readonly Attribute[];
}

/** A noun phrase before it is put into words. */
export interface Noun {
  readonly filter: Filter;
  readonly objects: ObjectSet;
  readonly role: Phrase['role'];
  /** Singular unless told, where the pattern leaves it open. */
  readonly plural?: boolean;
  /** Words between article and noun phrase: the *leftmost* cube, *two* red balls. */
  readonly before?: string;
  /** May "that is red" follow? */
  readonly clause?: boolean;
}

export interface Sentence {
  readonly text: string;
  readonly phrases: readonly Phrase[];
}

/**
 * Fills a pattern. `{name}` stands for a string or a noun phrase without article, `{the name}` and `{a name}` for one
 * with its article (part of the phrase), `{name*}` for the plural, `{is name}` for the verb that agrees with it.
 */
export const fillPattern = (
  pattern: string,
  slots: Readonly<Record<string, string | Noun>>,
  { sets, wording, random }: { sets: ObjectSets; wording: Wording; random: Random },
): Sentence => {
  let text = '';
  const phrases: Phrase[] = [];
  for (const part of pattern.split(/(\{[^}]+\})/)) {
    if (!part.startsWith('{')) {
      text += part;
      continue;
    }
    const { article, name, star } = /^\{(?:(?<article>\w+) )?(?<name>\w+)(?<star>\*?)\}$/.exec(part)?.groups ?? {};
    const slot = slots[name ?? ''];
    if (slot === undefined) throw new Error(`internal: nothing for ${part} in "${pattern}"`);
    if (typeof slot === 'string') {
      text += slot;
      continue;
    }
    const plural = star === '*' || slot.plural === true;
    if (article === 'is') {
      text += plural ? 'are' : 'is';
      continue;
    }
    let words = nounPhrase(slot.filter, { plural, wording, clause: slot.clause === true }, random);
    if (slot.before !== undefined) words = slot.before === 'a' ? withArticle(words) : `${slot.before} ${words}`;
    if (article !== undefined) words = article === 'a' ? withArticle(words) : `${article} ${words}`;
    phrases.push({
      start: text.length,
      end: text.length + words.length,
      objects: membersOf(slot.objects),
      role: slot.role,
      filter: slot.filter,
      needs: sets.needed(slot.filter),
    });
    text += words;
  }
  return { text, phrases };
};
