import { ATTRIBUTES, VALUES, type Attribute, type ObjectAttributes } from '../render/attributes.ts';
import {
  attributesOf,
  filterOf,
  membersOf,
  OPPOSITE,
  sizeOf,
  type Filter,
  type ObjectSet,
  type ObjectSets,
} from './object-sets.ts';
import { ProgramWriter, type Program } from './program.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS, type Relation } from '../render/relations.ts';
import { colorsAllowed } from '../render/splits.ts';
import { attributeSlot, relationSlot, type Noun, type Slots } from './sentence.ts';

/**
 * Structures of references, after CLEVR's question families. F is the referent; U, V and G are single objects that locate
 * it.
 * - `plain`: F
 * - `one-hop`: F on a side of U
 * - `two-hop`: F on a side of G, which is on a side of U
 * - `and`: F on a side of U and on a side of V
 * - `same`: F, other than U, with the same value of an attribute as U
 */
export const STRUCTURES = ['plain', 'one-hop', 'two-hop', 'and', 'same'] as const;
export type Structure = (typeof STRUCTURES)[number];

/** A phrase that refers to objects of a scene. */
export interface Reference {
  readonly set: ObjectSet;
  /** Index of the step of `writer` whose value is the set. */
  readonly step: number;
  readonly writer: ProgramWriter;
  readonly slots: Slots;
}

/** Opposite of the first relation of a program; undefined without one. */
export const oppositeOf = (program: Program): Relation | undefined => {
  const side = program.find((step) => step.function === 'relate')?.value_inputs[0];
  return RELATIONS.find((relation) => OPPOSITE[relation] === side);
};

export interface ReferenceRequest {
  readonly structure: Structure;
  /** Attributes that F's phrase names. */
  readonly attributes: readonly Attribute[];
  /** Attribute that is not used anywhere in the reference. */
  readonly avoid?: Attribute | undefined;
}

/**
 * Samples a reference of the given structure to any number of objects. Undefined if this attempt finds no unambiguous one.
 * F has the values of an object of the scene with one of them resampled, so that absent objects are near misses.
 */
export const sampleReference = (
  sets: ObjectSets,
  { structure, attributes, avoid }: ReferenceRequest,
  random: Random,
): Reference | undefined => {
  const writer = new ProgramWriter();
  const filter = nearMiss(sets, attributes, random);
  if (filter === undefined) return undefined;
  const matching = sets.matching(filter);
  const finish = (set: ObjectSet, before: number, slots: Slots): Reference => ({
    set,
    step: writer.filter(before, filter),
    writer,
    slots: { ...slots, F: { filter, objects: set, role: 'target', clause: structure === 'plain' } },
  });
  if (structure === 'plain') return finish(matching, writer.scene(), {});
  // If nothing matches F, a relation adds nothing.
  if (matching === 0) return undefined;
  const anchor = sampleUnique(sets, random, avoid);
  if (anchor === undefined) return undefined;
  const U: Noun = { filter: anchor.filter, objects: 1 << anchor.index, role: 'anchor' };
  const stepU = writer.unique(writer.filter(writer.scene(), anchor.filter));
  if (structure === 'same') {
    const shared = random.pick(ATTRIBUTES.filter((name) => name !== avoid));
    // "The other red thing of the same color" would be redundant.
    if (filter[shared] !== undefined) return undefined;
    const set = sets.same(anchor.index, shared) & matching;
    return finish(set, writer.step(`same_${shared}`, [stepU]), { U, same: attributeSlot(shared, random) });
  }
  const r1 = sampleSide(sets, anchor.index, random);
  if (r1 === undefined) return undefined;
  const sideU = writer.step('relate', [stepU], [r1]);
  const words1 = relationSlot(r1, random);
  if (structure === 'one-hop') {
    if ((sets.doubtful(anchor.index, r1) & matching) !== 0) return undefined;
    return finish(sets.related(anchor.index, r1) & matching, sideU, { U, r1: words1 });
  }
  const r2 = random.pick(RELATIONS);
  const words2 = relationSlot(r2, random);
  if (structure === 'two-hop') {
    const middle = sampleOnSide(sets, anchor.index, r1, random, avoid);
    if (middle === undefined || (sets.doubtful(middle.index, r2) & matching) !== 0) return undefined;
    const stepG = writer.unique(writer.filter(sideU, middle.filter));
    const G: Noun = { filter: middle.filter, objects: 1 << middle.index, role: 'anchor' };
    const set = sets.related(middle.index, r2) & matching;
    // "The cube behind the ball left of the cube" would locate the cube by itself.
    if (set === 1 << anchor.index) return undefined;
    return finish(set, writer.step('relate', [stepG], [r2]), { U, G, r1: words1, r2: words2 });
  }
  const second = sampleUnique(sets, random, avoid);
  if (second === undefined || second.index === anchor.index || r1 === r2) return undefined;
  const doubtful = sets.doubtful(anchor.index, r1) | sets.doubtful(second.index, r2);
  if ((doubtful & matching) !== 0) return undefined;
  const V: Noun = { filter: second.filter, objects: 1 << second.index, role: 'anchor' };
  const stepV = writer.unique(writer.filter(writer.scene(), second.filter));
  const both = writer.step('intersect', [sideU, writer.step('relate', [stepV], [r2])]);
  const set = sets.related(anchor.index, r1) & sets.related(second.index, r2) & matching;
  return finish(set, both, { U, V, r1: words1, r2: words2 });
};

/** Samples the attributes that a phrase names: usually the shape, two or three in total. */
export const sampleAttributes = (random: Random, avoid?: Attribute): Attribute[] =>
  ATTRIBUTES.filter((name) => {
    const isNamed = random.chance(PROBABILITIES[name]);
    return isNamed && name !== avoid;
  });

const PROBABILITIES: Readonly<Record<Attribute, number>> = { size: 0.4, color: 0.55, material: 0.4, shape: 0.75 };

/** Filter with the values of an object; with probability 0.5 one value is resampled. Undefined if the split withholds it. */
const nearMiss = (sets: ObjectSets, attributes: readonly Attribute[], random: Random): Filter | undefined => {
  const filter = filterOf(random.pick(sets.scene.objects), attributes);
  if (attributes.length > 0 && random.chance(0.5)) {
    const name = random.pick(attributes);
    return allowed(sets, { ...filter, [name]: random.pick<string>(VALUES[name]) });
  }
  return allowed(sets, filter);
};

/** Samples a group that an object of the scene belongs to, or almost. */
export const sampleGroup = (sets: ObjectSets, attributes: readonly Attribute[], random: Random): Filter | undefined =>
  attributes.length === 0 ? undefined : nearMiss(sets, attributes, random);

/** The filter; undefined if it names a combination that the split withholds. */
export const allowed = (sets: ObjectSets, filter: Filter): Filter | undefined => {
  const { shape, color } = filter;
  if (shape === undefined || color === undefined) return filter;
  return colorsAllowed(sets.scene.split ?? 'standard', shape).includes(color) ? filter : undefined;
};

interface UniqueObject {
  readonly index: number;
  readonly filter: Filter;
}

/** Samples an object with a filter that matches only it; undefined if several attempts fail. */
export const sampleUnique = (
  sets: ObjectSets,
  random: Random,
  avoid?: Attribute,
  among: ObjectSet = sets.all,
): UniqueObject | undefined => {
  const candidates = membersOf(among);
  if (candidates.length === 0) return undefined;
  for (let attempt = 0; attempt < 6; attempt++) {
    const index = random.pick(candidates);
    const filter = filterOf(sets.scene.objects[index]!, sampleAttributes(random, avoid));
    if (attributesOf(filter).length > 0 && sizeOf(sets.matching(filter) & among) === 1) return { index, filter };
  }
  return undefined;
};

/** Samples an object on the given side of another, with a filter that matches only it on that side, but not overall. */
const sampleOnSide = (
  sets: ObjectSets,
  from: number,
  relation: Relation,
  random: Random,
  avoid: Attribute | undefined,
): UniqueObject | undefined => {
  const found = sampleUnique(sets, random, avoid, sets.related(from, relation));
  if (found === undefined) return undefined;
  const everywhere = sets.matching(found.filter);
  if (sizeOf(everywhere) < 2 || (everywhere & sets.doubtful(from, relation)) !== 0) return undefined;
  return found;
};

/** Samples a side of an object on which there are others; undefined for the only object of a scene. */
const sampleSide = (sets: ObjectSets, from: number, random: Random): Relation | undefined => {
  const sides = RELATIONS.filter((relation) => sets.related(from, relation) !== 0);
  return sides.length === 0 ? undefined : random.pick(sides);
};

/** Samples a value of an attribute that the object does not have. */
export const otherValue = (object: ObjectAttributes, name: Attribute, random: Random): string =>
  random.pick<string>((VALUES[name] as readonly string[]).filter((value) => value !== object[name]));
