import { ATTRIBUTES, type Attribute } from '../render/attributes.ts';
import { allowed, otherValue, sampleAttributes } from './references.ts';
import { filterOf, membersOf, sizeOf, type Filter, type ObjectSet, type ObjectSets } from './object-sets.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS } from '../render/relations.ts';
import { fillPattern, type Noun, type Sentence } from './sentence.ts';
import type { Wording } from '../render/splits.ts';
import type { CaptionText, NegativeText, TextOptions } from './texts.ts';
import { NUMBER_WORDS, RELATION_WORDS } from './words.ts';

/** Patterns by number of phrases; `a` to `d` are phrases with their articles or numbers. */
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

/** A true statement about two single objects; `r` is a relation. */
export const STATEMENT_PATTERNS: Readonly<Record<Wording, readonly string[]>> = {
  training: ['{a} {r} {b}', '{a} that is {r} {b}', 'there is {a} {r} {b}', '{a} is {r} {b}'],
  paraphrase: ['{r} {b} there is {a}', '{r} {b} we see {a}', 'there is {b}, and {r} it {a}'],
};

interface Making {
  readonly sets: ObjectSets;
  readonly wording: Wording;
  readonly random: Random;
  readonly options: TextOptions;
}

/** A caption whose phrases mean disjoint sets of objects. Undefined when the scene gave none in this try. */
export const makeCaption = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): CaptionText | undefined => {
  const making = { sets, wording, random, options };
  const count = random.integer(options.minPhrases ?? 1, options.maxPhrases ?? 4);
  const related = count === 2 && random.chance(0.35);
  const nouns: Noun[] = [];
  let taken: ObjectSet = 0;
  for (let tries = 0; nouns.length < count && tries < 12; tries++) {
    const noun = sampleMention(making, taken, !related);
    if (noun === undefined) continue;
    nouns.push(noun);
    taken |= noun.objects;
  }
  if (nouns.length === 0) return undefined;
  const sentence = related && nouns.length === 2 ? stateRelation(making, nouns) : undefined;
  return { kind: 'caption', wording, ...(sentence ?? listNouns(making, nouns)) };
};

/**
 * A caption with phrases that fit nothing in the scene but differ from an object in one attribute only: all of its
 * phrases, or one among others that are there. Undefined when the scene gave none in this try.
 */
export const makeNegative = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): NegativeText | undefined => {
  const making = { sets, wording, random, options };
  const nouns: Noun[] = [];
  let taken: ObjectSet = 0;
  const add = (noun: Noun | undefined): void => {
    if (noun === undefined) return;
    nouns.push(noun);
    taken |= noun.objects;
  };
  add(sampleAbsent(making));
  if (nouns.length === 0) return undefined;
  const most = options.maxPhrases ?? 4;
  if (random.chance(0.5)) {
    if (most > 1 && random.chance(0.4)) add(sampleAbsent(making));
  } else {
    const others = random.integer(1, Math.max(1, most - 1));
    for (let k = 0; k < others; k++) add(sampleMention(making, taken, true));
  }
  return { kind: 'negative', wording, ...listNouns(making, random.shuffled(nouns)) };
};

const listNouns = ({ sets, wording, random }: Making, nouns: readonly Noun[]): Sentence & { pattern: string } => {
  const pattern = random.pick(CAPTION_PATTERNS[wording][nouns.length - 1]!) + (random.chance(0.15) ? '.' : '');
  const slots = Object.fromEntries(nouns.map((noun, i) => ['abcd'[i]!, noun]));
  return { pattern, ...fillPattern(pattern, slots, { sets, wording, random }) };
};

const stateRelation = (
  { sets, wording, random }: Making,
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

/** An object or a group that is free, with words that fit nothing else. */
const sampleMention = ({ sets, random, options }: Making, taken: ObjectSet, groupsToo: boolean): Noun | undefined => {
  const group = groupsToo && random.chance(options.groups ?? 0.25);
  const needs = ATTRIBUTES.filter((name) => random.chance(options.needs?.[name] ?? 0));
  const filter = sampleFilter(sets, random, needs, (set) => (set & taken) === 0 && sizeOf(set) > 1 === group);
  if (filter === undefined) return undefined;
  const objects = sets.matching(filter);
  return { filter, objects, role: 'mention', clause: true, ...countedForm(sizeOf(objects), random) };
};

/**
 * Attributes and values whose set is acceptable and that need the given attributes; when a few tries find none, need
 * fewer of them. Starts from an object drawn uniformly, so that no object is favoured.
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

/** Like a mention, with one value changed so that nothing fits. */
const sampleAbsent = ({ sets, random, options }: Making): Noun | undefined => {
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

/** How a phrase tells how many it means. */
const countedForm = (count: number, random: Random): Pick<Noun, 'plural' | 'before'> => {
  if (count === 1) return { before: random.pick(['a', 'a', 'the', 'the', 'one']) };
  const number = NUMBER_WORDS[count]!;
  const forms = [number, number, `the ${number}`, 'all', 'all the', 'the', count === 2 ? 'both' : `all ${number}`];
  return { plural: true, before: random.pick(forms) };
};
