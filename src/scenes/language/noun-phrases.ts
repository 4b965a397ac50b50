import type { Attribute } from '../render/attributes.ts';
import { attributesOf, type Filter } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import type { Wording } from '../render/splits.ts';
import { ADJECTIVES, NOUNS, WIDE_ADJECTIVES, WIDE_NOUNS } from './words.ts';

export interface NounForm {
  readonly plural: boolean;
  readonly wording: Wording;
  /** Whether a clause may follow the noun ("cube that is red"). Not before a relation, which would attach to the clause. */
  readonly clause: boolean;
}

/**
 * Noun phrase of a filter, without article. The training wordings use the order of CLEVR: size, color, material, noun; the
 * wide one has more words, and may move one adjective behind the noun ("cube made of metal"). Half of the phrases of the
 * held-out wordings use another order, other links between adjectives, or clauses.
 */
export const nounPhrase = (filter: Filter, form: NounForm, random: Random): string => {
  if (form.wording === 'wide') return widePhrase(filter, form, random);
  const { plural, wording, clause } = form;
  const noun = random.pick(NOUNS[filter.shape ?? 'thing'])[plural ? 1 : 0];
  const adjectives = attributesOf(filter).filter((name) => name !== 'shape');
  const adjectiveOf = (name: Attribute): string => random.pick(ADJECTIVES[adjectiveValue(filter, name)]);
  if (wording === 'training' || adjectives.length === 0 || random.chance(0.5)) {
    return [...adjectives.map(adjectiveOf), noun].join(' ');
  }
  if (wording === 'paraphrase2') {
    if (clause && (adjectives.length === 1 || random.chance(0.4))) {
      const after = random.pick(adjectives);
      const before = adjectives.filter((name) => name !== after).map(adjectiveOf);
      return [...before, noun, 'whose', after, 'is', adjectiveOf(after)].join(' ');
    }
    return `${adjectives.map(adjectiveOf).join(random.chance(0.5) ? ', ' : ' and ')} ${noun}`;
  }
  if (clause && (adjectives.length === 1 || random.chance(0.5))) {
    const after = random.shuffled(adjectives).slice(0, 2);
    const before = adjectives.filter((name) => !after.includes(name)).map(adjectiveOf);
    return [...before, noun, 'that', plural ? 'are' : 'is', after.map(adjectiveOf).join(' and ')].join(' ');
  }
  return [...reordered(adjectives, random).map(adjectiveOf), noun].join(' ');
};

const adjectiveValue = (filter: Filter, name: Attribute): keyof typeof ADJECTIVES => {
  const value = filter[name];
  if (value === undefined || name === 'shape') throw new Error(`internal: no adjective for ${name}`);
  return value as keyof typeof ADJECTIVES;
};

/** Fraction of the wide phrases with one adjective behind the noun, and of those with "one" for "thing". */
const BEHIND = 0.12;
const PRONOUN = 0.35;

/** Noun phrase of the wide language. */
const widePhrase = (filter: Filter, { plural }: NounForm, random: Random): string => {
  const adjectives = attributesOf(filter).filter((name) => name !== 'shape');
  const behind = adjectives.length > 0 && random.chance(BEHIND) ? random.pick(adjectives) : undefined;
  const before = adjectives
    .filter((name) => name !== behind)
    .map((name) => {
      const word = random.pick(WIDE_ADJECTIVES[adjectiveValue(filter, name)]);
      return name === 'color' && random.chance(0.05) ? `${word}${random.pick(['-', ' '])}colored` : word;
    });
  const isPronoun = filter.shape === undefined && before.length > 0 && random.chance(PRONOUN);
  const noun = (isPronoun ? (['one', 'ones'] as const) : random.pick(WIDE_NOUNS[filter.shape ?? 'thing']))[
    plural ? 1 : 0
  ];
  return [...before, noun, ...(behind === undefined ? [] : [wordsBehind(filter, behind, random)])].join(' ');
};

/** An attribute behind the noun: "in red", "made of metal", "of small size". */
const wordsBehind = (filter: Filter, name: Attribute, random: Random): string => {
  const value = adjectiveValue(filter, name);
  if (name === 'size') return `of ${value} size`;
  if (name === 'material') return `${random.pick(['made of', 'made of', 'made out of', 'of'])} ${value}`;
  const word = random.pick(WIDE_ADJECTIVES[value]);
  return random.pick([`in ${word}`, `in ${word}`, `colored ${word}`, `coloured ${word}`]);
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
