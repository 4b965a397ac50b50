import type { Attribute } from '../render/attributes.ts';
import { attributesOf, type Filter } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import type { Wording } from '../render/splits.ts';
import { ADJECTIVES, NOUNS } from './words.ts';

export interface NounForm {
  readonly plural: boolean;
  readonly wording: Wording;
  /** May a clause follow the noun ("cube that is red")? Not where a relation follows, which would attach to it. */
  readonly clause: boolean;
}

/**
 * A filter as words, without article. Training texts say size, colour, material, noun, as CLEVR does; half of the
 * paraphrases put the same words in another order or behind the noun.
 */
export const nounPhrase = (filter: Filter, { plural, wording, clause }: NounForm, random: Random): string => {
  const noun = random.pick(NOUNS[filter.shape ?? 'thing'])[plural ? 1 : 0];
  const adjectives = attributesOf(filter).filter((name) => name !== 'shape');
  const say = (name: Attribute): string => {
    const value = filter[name];
    if (value === undefined || name === 'shape') throw new Error(`internal: no adjective for ${name}`);
    return random.pick(ADJECTIVES[value as keyof typeof ADJECTIVES]);
  };
  if (wording === 'training' || adjectives.length === 0 || random.chance(0.5)) {
    return [...adjectives.map(say), noun].join(' ');
  }
  if (clause && (adjectives.length === 1 || random.chance(0.5))) {
    const behind = random.shuffled(adjectives).slice(0, 2);
    const before = adjectives.filter((name) => !behind.includes(name)).map(say);
    return [...before, noun, 'that', plural ? 'are' : 'is', behind.map(say).join(' and ')].join(' ');
  }
  return [...reordered(adjectives, random).map(say), noun].join(' ');
};

/** Another order than the usual one; the usual one when there is no other. */
const reordered = (adjectives: readonly Attribute[], random: Random): Attribute[] => {
  if (adjectives.length < 2) return [...adjectives];
  for (;;) {
    const order = random.shuffled(adjectives);
    if (order.some((name, i) => name !== adjectives[i])) return order;
  }
};

export const withArticle = (words: string): string => (/^[aeiou]/.test(words) ? `an ${words}` : `a ${words}`);
