import type { Attribute } from '../render/attributes.ts';
import { nounPhrase, withArticle } from './noun-phrases.ts';
import { membersOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import { expandPattern } from './patterns/expand.ts';
import { WIDE_FRAMES } from './patterns/wide-frames.ts';
import type { Random } from '../../random/random.ts';
import type { Relation } from '../render/relations.ts';
import type { Wording } from '../render/splits.ts';
import { misspell } from './typos.ts';
import { ATTRIBUTE_WORDS, RELATION_WORDS, WIDE_ATTRIBUTE_WORDS, WIDE_RELATION_WORDS } from './words.ts';

/** A phrase of a text that refers to objects, present or absent. */
export interface Phrase {
  /** Range [start, end) of the text. The texts are ASCII, so UTF-16 units and code points agree. */
  readonly start: number;
  /** Index after the last character. */
  readonly end: number;
  /** Indices of the objects it refers to, in ascending order; empty if they are absent. */
  readonly objects: readonly number[];
  /** `target`: referent of an expression, or object of a question. `anchor`: object that locates the target. */
  readonly role: 'mention' | 'target' | 'anchor';
  /** Attributes that the phrase names. */
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
  /** The text. */
  readonly text: string;
  /** Phrases that refer to objects, in order. */
  readonly phrases: readonly Phrase[];
}

/** A relation or the name of an attribute before it is put into words; the wide language chooses its own. */
export interface Term {
  /** Words of the plain language. */
  readonly plain: string;
  /** Choices of the wide language. */
  readonly wide: readonly string[];
}

/** Contents of the slots of a pattern. */
export type Slots = Readonly<Record<string, string | Noun | Term>>;

/** A relation for a slot. Without `random`, the plain language takes its first word. */
export const relationSlot = (relation: Relation, random?: Random): Term => ({
  plain: random === undefined ? RELATION_WORDS[relation][0]! : random.pick(RELATION_WORDS[relation]),
  wide: WIDE_RELATION_WORDS[relation],
});

/** The name of an attribute for a slot. */
export const attributeSlot = (attribute: Attribute, random: Random): Term => ({
  plain: random.pick(ATTRIBUTE_WORDS[attribute]),
  wide: WIDE_ATTRIBUTE_WORDS[attribute],
});

/** Probabilities of the wide language. */
const WIDE = { before: 0.06, after: 0.08, capital: 0.2, noArticle: 0.06, typos: 0.015, noQuestionMark: 0.12 };

/** Samples one of the patterns; in the wide language, with its choices made and sometimes with a courtesy around it. */
export const choosePattern = (
  patterns: readonly string[],
  kind: keyof typeof WIDE_FRAMES,
  wording: Wording,
  random: Random,
): string => {
  const pattern = random.pick(patterns);
  if (wording !== 'wide') return pattern;
  const { before, after } = WIDE_FRAMES[kind];
  let text = expandPattern(pattern, random).trim();
  if (kind === 'question' && random.chance(WIDE.noQuestionMark)) text = text.replace(/\?$/, '');
  if (!/[.!?]$/.test(text) || kind === 'question') {
    if (random.chance(WIDE.after)) text += expandPattern(random.pick(after), random);
  }
  if (random.chance(WIDE.before)) {
    text = `${expandPattern(random.pick(before), random)} ${text.charAt(0).toLowerCase()}${text.slice(1)}`;
  }
  return random.chance(WIDE.capital) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
};

/** Settings of `fillPattern`. */
export interface FillOptions {
  readonly sets: ObjectSets;
  readonly wording: Wording;
  readonly random: Random;
  /** Wide language: probability that a word is misspelled. Default 0.015. */
  readonly typos?: number | undefined;
}

/**
 * Fills the slots of a pattern. `{name}` is a string or a noun phrase without article; `{the name}` and `{a name}` have an
 * article, which is part of the phrase; `{name*}` is plural; `{is name}` is the verb that agrees with the noun. The wide
 * language leaves out some articles and misspells some words; the ranges of phrases are those of the text as it is.
 */
export const fillPattern = (
  pattern: string,
  slots: Slots,
  { sets, wording, random, typos = WIDE.typos }: FillOptions,
): Sentence => {
  const isWide = wording === 'wide';
  const spell = (words: string): string => (isWide ? misspell(words, typos, random) : words);
  let text = '';
  const phrases: Phrase[] = [];
  for (const part of pattern.split(/(\{[^}]+\})/)) {
    if (!part.startsWith('{')) {
      text += spell(part);
      continue;
    }
    const { article, name, star } = /^\{(?:(?<article>\w+) )?(?<name>\w+)(?<star>\*?)\}$/.exec(part)?.groups ?? {};
    const slot = slots[name ?? ''];
    if (slot === undefined) throw new Error(`internal: nothing for ${part} in "${pattern}"`);
    if (typeof slot === 'string') {
      text += slot;
      continue;
    }
    if ('plain' in slot) {
      text += isWide ? spell(random.pick(slot.wide)) : slot.plain;
      continue;
    }
    const plural = star === '*' || slot.plural === true;
    if (article === 'is') {
      text += plural ? 'are' : 'is';
      continue;
    }
    let words = nounPhrase(slot.filter, { plural, wording, clause: slot.clause === true }, random);
    if (slot.before !== undefined) words = slot.before === 'a' ? withArticle(words) : `${slot.before} ${words}`;
    if (article !== undefined && !(isWide && random.chance(WIDE.noArticle))) {
      words = article === 'a' ? withArticle(words) : `${article} ${words}`;
    }
    words = spell(words.trim());
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
  return isWide ? capitalizeSlot(pattern, { text, phrases }) : { text, phrases };
};

/** Capital letter of a noun phrase that begins a text whose pattern ends as a sentence. */
const capitalizeSlot = (pattern: string, { text, phrases }: Sentence): Sentence =>
  pattern.startsWith('{') && /[.!?]$/.test(pattern)
    ? { text: text.charAt(0).toUpperCase() + text.slice(1), phrases }
    : { text, phrases };
