import { ATTRIBUTES, type Attribute } from '../render/attributes.ts';
import { allowed, otherValue, sampleAttributes } from './references.ts';
import { filterOf, membersOf, sizeOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS } from '../render/relations.ts';
import { fillPattern, type Noun, type Sentence } from './sentence.ts';
import type { Wording } from '../render/splits.ts';
import type { CaptionText, NegativeText, TextOptions } from './texts.ts';
import { NUMBER_WORDS, RELATION_WORDS } from './words.ts';

/** Caption patterns by number of phrases minus one. Slots `a` to `d` are noun phrases with article or numeral. */
export const CAPTION_PATTERNS: Readonly<Record<Wording, readonly (readonly string[])[]>> = {
  training: [
    ['{a}', '{a}', '{a}', 'there {is a} {a}', 'a picture of {a}', 'we see {a}', 'a scene with {a}', 'find {a}'],
    [
      '{a} and {b}',
      '{a} and {b}',
      '{a} and {b}',
      'there {is a} {a} and {b}',
      '{a} with {b}',
      '{a}, {b}',
      'a picture of {a} and {b}',
      'we see {a} and also {b}',
      'in this picture there {is a} {a} and {b}',
      '{a}; {b}',
    ],
    [
      '{a}, {b} and {c}',
      '{a}, {b} and {c}',
      '{a}, {b}, {c}',
      'there {is a} {a}, {b} and {c}',
      '{a} and {b} with {c}',
      'we see {a}, {b} and also {c}',
      'a scene with {a}, {b} and {c}',
    ],
    [
      '{a}, {b}, {c} and {d}',
      '{a}, {b}, {c}, {d}',
      '{a} and {b}, {c} and {d}',
      'there {is a} {a}, {b}, {c} and {d}',
      'in this scene we see {a}, {b}, {c} and {d}',
    ],
  ],
  paraphrase: [
    ['in the picture we see {a}', '{a} {is a} there', 'what we see {is a} {a}', 'there {is a} also {a} in this scene'],
    [
      'in the scene there {is a} {a}, and there {is b} {b}',
      'with {a} there {is b} also {b}',
      '{a} {is a} in the picture, and {b}',
      'we see {a}; there {is b} also {b}',
      'also {a}, and {b}',
    ],
    [
      'there {is a} {a}; there {is b} {b}; there {is c} {c}',
      'in the picture {a}, also {b}, also {c}',
      'with {a} and {b} we see {c}',
      '{a} and {b} and also {c}',
    ],
    [
      '{a} with {b}, and {c} with {d}',
      'we see {a} and {b}; there {is c} also {c} and {d}',
      'in this picture, {a} and {b} and {c} and {d}',
    ],
  ],
};

/** Patterns of a true statement about two objects; `r` is a relation. */
export const STATEMENT_PATTERNS: Readonly<Record<Wording, readonly string[]>> = {
  training: ['{a} {r} {b}', '{a} that is {r} {b}', 'there is {a} {r} {b}', '{a} is {r} {b}'],
  paraphrase: ['{r} {b} there is {a}', '{r} {b} we see {a}', 'there is {b}, and {r} it {a}'],
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

const listNouns = ({ sets, wording, random }: Context, nouns: readonly Noun[]): Sentence & { pattern: string } => {
  const pattern = random.pick(CAPTION_PATTERNS[wording][nouns.length - 1]!) + (random.chance(0.15) ? '.' : '');
  const slots = Object.fromEntries(nouns.map((noun, i) => ['abcd'[i]!, noun]));
  return { pattern, ...fillPattern(pattern, slots, { sets, wording, random }) };
};

const stateRelation = (
  { sets, wording, random }: Context,
  nouns: readonly Noun[],
): (Sentence & { pattern: string }) | undefined => {
  const [a, b] = nouns as [Noun, Noun];
  const from = membersOf(b.objects)[0]!;
  const sides = RELATIONS.filter(
    (relation) => (sets.related(from, relation) & ~sets.doubtful(from, relation) & a.objects) !== 0,
  );
  if (sides.length === 0) return undefined;
  const relation = random.pick(sides);
  const pattern = random.pick(STATEMENT_PATTERNS[wording]);
  const slots = { a: { ...a, clause: false }, b: { ...b, clause: false }, r: random.pick(RELATION_WORDS[relation]) };
  return { pattern, ...fillPattern(pattern, slots, { sets, wording, random }) };
};

/** Samples an object or a group outside `taken`, with a filter that matches nothing else. */
const sampleMention = ({ sets, random, options }: Context, taken: ObjectSet, groupsToo: boolean): Noun | undefined => {
  const group = groupsToo && random.chance(options.groups ?? 0.25);
  const needs = ATTRIBUTES.filter((name) => random.chance(options.needs?.[name] ?? 0));
  const filter = sampleFilter(sets, random, needs, (set) => (set & taken) === 0 && sizeOf(set) > 1 === group);
  if (filter === undefined) return undefined;
  const objects = sets.matching(filter);
  return { filter, objects, role: 'mention', clause: true, ...countedForm(sizeOf(objects), random) };
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
const sampleAbsent = ({ sets, random, options }: Context): Noun | undefined => {
  for (let attempt = 0; attempt < 24; attempt++) {
    const attributes = sampleAttributes(random);
    if (attributes.length === 0) continue;
    const object = random.pick(sets.scene.objects);
    const changed = random.pick(attributes);
    const value = otherValue(object, changed, random);
    const filter = allowed(sets, { ...filterOf(object, attributes), [changed]: value });
    if (filter === undefined || sets.matching(filter) !== 0) continue;
    const count = random.chance(options.groups ?? 0.25) ? random.integer(2, 3) : 1;
    return { filter, objects: 0, role: 'mention', clause: true, ...countedForm(count, random) };
  }
  return undefined;
};

/** Determiner and number of a phrase that refers to `count` objects. */
const countedForm = (count: number, random: Random): Pick<Noun, 'plural' | 'before'> => {
  if (count === 1) return { before: random.pick(['a', 'a', 'the', 'the', 'one']) };
  const numeral = NUMBER_WORDS[count]!;
  const forms = [numeral, numeral, `the ${numeral}`, 'all', 'all the', 'the', count === 2 ? 'both' : `all ${numeral}`];
  return { plural: true, before: random.pick(forms) };
};
