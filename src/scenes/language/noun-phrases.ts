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
 * wide one has more words, and may move adjectives behind the noun ("cube made of metal", "cube which is red"). Half of the phrases of the
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

/** Fraction of the wide phrases with adjectives behind the noun, of those two of them, and of those with "one" for "thing". */
const BEHIND = 0.35;
const TWO_BEHIND = 0.3;
const PRONOUN = 0.35;

/** Noun phrase of the wide language. */
const widePhrase = (filter: Filter, { plural, clause }: NounForm, random: Random): string => {
  const adjectives = attributesOf(filter).filter((name) => name !== 'shape');
  const behind = adjectives.length > 0 && random.chance(BEHIND) ? someOf(adjectives, random) : [];
  const before = adjectives
    .filter((name) => !behind.includes(name))
    .map((name) => {
      const word = random.pick(WIDE_ADJECTIVES[adjectiveValue(filter, name)]);
      return name === 'color' && random.chance(0.05) ? `${word}${random.pick(['-', ' '])}colored` : word;
    });
  const isPronoun = filter.shape === undefined && before.length > 0 && random.chance(PRONOUN);
  const noun = (isPronoun ? (['one', 'ones'] as const) : random.pick(WIDE_NOUNS[filter.shape ?? 'thing']))[
    plural ? 1 : 0
  ];
  return [
    ...before,
    noun,
    ...(behind.length === 0 ? [] : [wordsBehind(filter, behind, { plural, clause }, random)]),
  ].join(' ');
};

/** One or two of the adjectives, in any order. */
const someOf = (adjectives: readonly Attribute[], random: Random): readonly Attribute[] =>
  random.shuffled(adjectives).slice(0, random.chance(TWO_BEHIND) ? 2 : 1);

/**
 * Adjectives behind the noun: alone ("cube red"), after a hedge or a verb ("cube which looks red"), or each by words of its own. The
 * links of the held-out wordings (`that is`, `whose`, `and`, commas) are not among them.
 */
const wordsBehind = (
  filter: Filter,
  names: readonly Attribute[],
  { plural, clause }: Pick<NounForm, 'plural' | 'clause'>,
  random: Random,
): string => {
  const wordOf = (name: Attribute): string => random.pick(WIDE_ADJECTIVES[adjectiveValue(filter, name)]);
  // A relation after a clause would belong to the clause's adjective.
  if (clause && random.chance(0.5)) {
    const words = names.map(wordOf).join(' ');
    if (random.chance(0.3)) return words;
    return `${random.pick([...HEDGES, ...(plural ? VERBS_OF_MANY : VERBS_OF_ONE)])} ${words}`;
  }
  const own = names.map((name) => ofAttribute(filter, name, random)).join(' ');
  return own.startsWith('with ') && random.chance(0.5)
    ? `${random.pick(plural ? ['that have', 'which have'] : ['that has', 'which has'])} ${own.slice('with '.length)}`
    : own;
};

const HEDGES = [
  'quite',
  'really',
  'rather',
  'clearly',
  'looking',
  'being',
  'that I would call',
  'which one would call',
];
const VERBS_OF_ONE = ['which looks', 'that looks', 'which appears', 'that seems', 'that remains', 'that turns out'];
const VERBS_OF_MANY = ['which look', 'that look', 'which appear', 'that seem', 'that remain', 'that turn out'];

/** Words of one attribute behind the noun: "in red", "made of metal", "of small size". */
const ofAttribute = (filter: Filter, name: Attribute, random: Random): string => {
  const value = adjectiveValue(filter, name);
  const word = random.pick(WIDE_ADJECTIVES[value]);
  if (name === 'size') return random.pick([`of ${word} size`, `with a ${word} size`]);
  if (name === 'material') {
    const ofSurface = [`with ${word} surface`, `of ${word} material`, `with ${word} look`];
    return random.chance(0.3) ? random.pick(ofSurface) : `${random.pick(MADE_OF)} ${value}`;
  }
  const verbs = [`in ${word}`, `in ${word}`, `colored ${word}`, `coloured ${word}`, `painted ${word}`];
  return random.pick([...verbs, `with ${word} color`, `with ${word} color`, `of ${word} color`]);
};

const MADE_OF = ['made of', 'made of', 'made out of', 'of', 'built from'];

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
