import type { Attribute } from '../render/attributes.ts';
import { attributesOf, type Filter } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import type { Wording } from '../render/splits.ts';
import { ADJECTIVES, NOUNS } from './words.ts';

export interface NounForm {
  readonly plural: boolean;
  readonly wording: Wording;
  /** Whether a clause may follow the noun ("cube that is red"). Not before a relation, which would attach to the clause. */
  readonly clause: boolean;
}

/**
 * Noun phrase of a filter, without article. The training wording uses the order of CLEVR: size, color, material, noun. Half
 * of the paraphrases use another order, or put adjectives after the noun.
 */
export const nounPhrase = (filter: Filter, { plural, wording, clause }: NounForm, random: Random): string => {
  const noun = random.pick(NOUNS[filter.shape ?? 'thing'])[plural ? 1 : 0];
  const adjectives = attributesOf(filter).filter((name) => name !== 'shape');
  const adjectiveOf = (name: Attribute): string => {
    const value = filter[name];
    if (value === undefined || name === 'shape') throw new Error(`internal: no adjective for ${name}`);
    return random.pick(ADJECTIVES[value as keyof typeof ADJECTIVES]);
  };
  if (wording === 'training' || adjectives.length === 0 || random.chance(0.5)) {
    return [...adjectives.map(adjectiveOf), noun].join(' ');
  }
  if (clause && (adjectives.length === 1 || random.chance(0.5))) {
    const after = random.shuffled(adjectives).slice(0, 2);
    const before = adjectives.filter((name) => !after.includes(name)).map(adjectiveOf);
    return [...before, noun, 'that', plural ? 'are' : 'is', after.map(adjectiveOf).join(' and ')].join(' ');
  }
  return [...reordered(adjectives, random).map(adjectiveOf), noun].join(' ');
};

/** A random order other than the given one, if there is one. */
const reordered = (adjectives: readonly Attribute[], random: Random): Attribute[] => {
  if (adjectives.length < 2) return [...adjectives];
  for (;;) {
    const order = random.shuffled(adjectives);
    if (order.some((name, i) => name !== adjectives[i])) return order;
  }
};

/** Adds "a" or "an". */
export const withArticle = (words: string): string => (/^[aeiou]/.test(words) ? `an ${words}` : `a ${words}`);
