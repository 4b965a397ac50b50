import { ATTRIBUTES, type Attribute } from '../render/attributes.ts';
import { allowed, otherValue, sampleAttributes } from './references.ts';
import { filterOf, membersOf, sizeOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS } from '../render/relations.ts';
import { PARAPHRASE_CAPTIONS, PARAPHRASE_STATEMENTS } from './patterns/paraphrase.ts';
import { PARAPHRASE2_CAPTIONS, PARAPHRASE2_STATEMENTS } from './patterns/paraphrase2.ts';
import type { CaptionPatterns } from './patterns/pattern-types.ts';
import { PLAIN_CAPTIONS, PLAIN_STATEMENTS } from './patterns/plain.ts';
import { WIDE_CAPTIONS, WIDE_STATEMENTS } from './patterns/wide-captions.ts';
import { choosePattern, fillPattern, relationSlot, type Noun, type Sentence } from './sentence.ts';
import type { Wording } from '../render/splits.ts';
import type { CaptionText, NegativeText, TextOptions } from './texts.ts';
import { NUMBER_WORDS, WIDE_GROUP_WORDS } from './words.ts';

/** Caption patterns by number of phrases minus one. Slots `a` to `d` are noun phrases with article or numeral. */
export const CAPTION_PATTERNS: Readonly<Record<Wording, CaptionPatterns>> = {
  training: PLAIN_CAPTIONS,
  wide: WIDE_CAPTIONS,
  paraphrase: PARAPHRASE_CAPTIONS,
  paraphrase2: PARAPHRASE2_CAPTIONS,
};

/** Patterns of a true statement about two objects; `r` is a relation. */
export const STATEMENT_PATTERNS: Readonly<Record<Wording, readonly string[]>> = {
  training: PLAIN_STATEMENTS,
  wide: WIDE_STATEMENTS,
  paraphrase: PARAPHRASE_STATEMENTS,
  paraphrase2: PARAPHRASE2_STATEMENTS,
};

interface Context {
  readonly sets: ObjectSets;
  readonly wording: Wording;
  readonly random: Random;
  readonly options: TextOptions;
}

/** Generates a caption whose phrases refer to disjoint sets of objects. Undefined if this attempt fails. */
export const makeCaption = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): CaptionText | undefined => {
  const context = { sets, wording, random, options };
  const count = random.integer(options.minPhrases ?? 1, options.maxPhrases ?? 4);
  const related = count === 2 && random.chance(0.35);
  const nouns: Noun[] = [];
  let taken: ObjectSet = 0;
  for (let tries = 0; nouns.length < count && tries < 12; tries++) {
    const noun = sampleMention(context, taken, !related);
    if (noun === undefined) continue;
    nouns.push(noun);
    taken |= noun.objects;
  }
  if (nouns.length === 0) return undefined;
  const sentence = related && nouns.length === 2 ? stateRelation(context, nouns) : undefined;
  return { kind: 'caption', wording, ...(sentence ?? listNouns(context, nouns)) };
};

/**
 * Generates a caption that mentions absent objects, which differ from an object of the scene in one attribute. Either all
 * phrases are absent, or one among others that are present. Undefined if this attempt fails.
 */
export const makeNegative = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): NegativeText | undefined => {
  const context = { sets, wording, random, options };
  const nouns: Noun[] = [];
  let taken: ObjectSet = 0;
  const add = (noun: Noun | undefined): void => {
    if (noun === undefined) return;
    nouns.push(noun);
    taken |= noun.objects;
  };
  add(sampleAbsent(context));
  if (nouns.length === 0) return undefined;
  const maxPhrases = options.maxPhrases ?? 4;
  if (random.chance(0.5)) {
    if (maxPhrases > 1 && random.chance(0.4)) add(sampleAbsent(context));
  } else {
    const others = random.integer(1, Math.max(1, maxPhrases - 1));
    for (let k = 0; k < others; k++) add(sampleMention(context, taken, true));
  }
  return { kind: 'negative', wording, ...listNouns(context, random.shuffled(nouns)) };
};

const listNouns = (
  { sets, wording, random, options }: Context,
  nouns: readonly Noun[],
): Sentence & { pattern: string } => {
  const chosen = choosePattern(CAPTION_PATTERNS[wording][nouns.length - 1]!, 'caption', wording, random);
  const pattern = chosen + (random.chance(0.15) && !/[.!?]$/.test(chosen) ? '.' : '');
  const slots = Object.fromEntries(nouns.map((noun, i) => ['abcd'[i]!, noun]));
  return { pattern, ...fillPattern(pattern, slots, { sets, wording, random, typos: options.typos }) };
};

const stateRelation = (
  { sets, wording, random, options }: Context,
  nouns: readonly Noun[],
): (Sentence & { pattern: string }) | undefined => {
  const [a, b] = nouns as [Noun, Noun];
  const from = membersOf(b.objects)[0]!;
  const sides = RELATIONS.filter(
    (relation) => (sets.related(from, relation) & ~sets.doubtful(from, relation) & a.objects) !== 0,
  );
  if (sides.length === 0) return undefined;
  const relation = random.pick(sides);
  const pattern = choosePattern(STATEMENT_PATTERNS[wording], 'caption', wording, random);
  const r = relationSlot(relation, random);
  const slots = { a: { ...a, clause: false }, b: { ...b, clause: false }, r };
  return { pattern, ...fillPattern(pattern, slots, { sets, wording, random, typos: options.typos }) };
};

/** Samples an object or a group outside `taken`, with a filter that matches nothing else. */
const sampleMention = (
  { sets, wording, random, options }: Context,
  taken: ObjectSet,
  groupsToo: boolean,
): Noun | undefined => {
  const group = groupsToo && random.chance(options.groups ?? 0.25);
  const needs = ATTRIBUTES.filter((name) => random.chance(options.needs?.[name] ?? 0));
  const filter = sampleFilter(sets, random, needs, (set) => (set & taken) === 0 && sizeOf(set) > 1 === group);
  if (filter === undefined) return undefined;
  const objects = sets.matching(filter);
  return { filter, objects, role: 'mention', clause: true, ...countedForm(sizeOf(objects), wording, random) };
};

/**
 * Samples a filter that matches an acceptable set and needs the given attributes; if several attempts fail, fewer of them.
 * Starts from a uniformly sampled object, so that no object is preferred.
 */
export const sampleFilter = (
  sets: ObjectSets,
  random: Random,
  needs: readonly Attribute[],
  accept: (set: ObjectSet) => boolean,
): Filter | undefined => {
  for (let missing = 0; missing <= needs.length; missing++) {
    const wanted = needs.slice(missing);
    for (let attempt = 0; attempt < 16; attempt++) {
      const attributes = sampleAttributes(random);
      if (attributes.length === 0) continue;
      const named = ATTRIBUTES.filter((name) => attributes.includes(name) || wanted.includes(name));
      const filter = filterOf(random.pick(sets.scene.objects), named);
      if (!accept(sets.matching(filter))) continue;
      const needed = sets.needed(filter);
      if (wanted.every((name) => needed.includes(name))) return filter;
    }
  }
  return undefined;
};

/** Samples a mention with one value changed, so that it matches nothing. */
const sampleAbsent = ({ sets, wording, random, options }: Context): Noun | undefined => {
  for (let attempt = 0; attempt < 24; attempt++) {
    const attributes = sampleAttributes(random);
    if (attributes.length === 0) continue;
    const object = random.pick(sets.scene.objects);
    const changed = random.pick(attributes);
    const value = otherValue(object, changed, random);
    const filter = allowed(sets, { ...filterOf(object, attributes), [changed]: value });
    if (filter === undefined || sets.matching(filter) !== 0) continue;
    const count = random.chance(options.groups ?? 0.25) ? random.integer(2, 3) : 1;
    return { filter, objects: 0, role: 'mention', clause: true, ...countedForm(count, wording, random) };
  }
  return undefined;
};

/** Determiner and number of a phrase that refers to `count` objects. */
const countedForm = (count: number, wording: Wording, random: Random): Pick<Noun, 'plural' | 'before'> => {
  if (count === 1) {
    if (wording === 'wide' && random.chance(0.25)) return { before: random.pick(['', '', 'a single', 'this', 'that']) };
    return { before: random.pick(['a', 'a', 'the', 'the', 'one']) };
  }
  if (wording === 'wide' && random.chance(0.3)) {
    return { plural: true, before: random.pick([...(WIDE_GROUP_WORDS[count] ?? []), String(count), 'these', '']) };
  }
  const numeral = NUMBER_WORDS[count]!;
  const forms = [numeral, numeral, `the ${numeral}`, 'all', 'all the', 'the', count === 2 ? 'both' : `all ${numeral}`];
  return { plural: true, before: random.pick(forms) };
};
