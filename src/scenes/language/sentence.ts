import type { Attribute } from '../render/attributes.ts';
import { nounPhrase, withArticle } from './noun-phrases.ts';
import { membersOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import type { Wording } from '../render/splits.ts';

/** A phrase of a text that refers to objects, present or absent. */
export interface Phrase {
  /** Range [start, end) of the text. The texts are ASCII, so UTF-16 units and code points agree. */
  readonly start: number;
  readonly end: number;
  /** Indices of the objects it refers to, in ascending order; empty if they are absent. */
  readonly objects: readonly number[];
  /** `target`: referent of an expression, or object of a question. `anchor`: object that locates the target. */
  readonly role: 'mention' | 'target' | 'anchor';
  readonly filter: Filter;
  /** Attributes without which the phrase would match more objects. */
  readonly needs: readonly Attribute[];
}

/** A noun phrase before it is put into words. */
export interface Noun {
  readonly filter: Filter;
  readonly objects: ObjectSet;
  readonly role: Phrase['role'];
  /** Whether the noun is plural, if the pattern leaves it open. Default false. */
  readonly plural?: boolean;
  /** Words between article and noun phrase: the *leftmost* cube, *two* red balls. */
  readonly before?: string;
  /** Whether a clause such as "that is red" may follow. Default false. */
  readonly clause?: boolean;
}

/** A text with its phrases. */
export interface Sentence {
  readonly text: string;
  readonly phrases: readonly Phrase[];
}

/**
 * Fills the slots of a pattern. `{name}` is a string or a noun phrase without article; `{the name}` and `{a name}` have an
 * article, which is part of the phrase; `{name*}` is plural; `{is name}` is the verb that agrees with the noun.
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
