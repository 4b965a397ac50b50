import { sampleFilter } from './captions.ts';
import { ATTRIBUTES } from '../render/attributes.ts';
import { membersOf, OPPOSITE, sizeOf, type Filter, type ObjectSets } from './object-sets.ts';
import { ProgramWriter, runProgram, type Program } from './program.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS } from '../render/relations.ts';
import { sampleAttributes, sampleReference, type Structure } from './references.ts';
import { fillPattern, type Noun } from './sentence.ts';
import type { Wording } from '../render/splits.ts';
import { EXPRESSION_TYPES, type ExpressionText, type ExpressionType, type TextOptions } from './texts.ts';
import { RELATION_WORDS, SUPERLATIVES } from './words.ts';

/**
 * Patterns of referring expressions by structure. F is the target; U, V and G are anchors; r1 is a relation to U, r2 one to
 * G or V, and o1 the opposite of r1.
 */
export const EXPRESSION_PATTERNS: Readonly<Record<Wording, Readonly<Record<string, readonly string[]>>>> = {
  training: {
    plain: ['{the F}', '{the F}', '{the F}', '{F}', 'find {the F}', '{the F} in the picture', 'where is {the F}?'],
    'one-hop': [
      '{the F} {r1} {the U}',
      '{the F} {r1} {the U}',
      '{the F} that is {r1} {the U}',
      '{F} {r1} {the U}',
      'find {the F} {r1} {the U}',
    ],
    'two-hop': ['{the F} {r2} {the G} that is {r1} {the U}', '{the F} that is {r2} {the G} that is {r1} {the U}'],
    and: ['{the F} {r1} {the U} and {r2} {the V}', '{the F} that is {r1} {the U} and {r2} {the V}'],
    same: [
      '{the F} that has the same {same} as {the U}',
      '{the F} of the same {same} as {the U}',
      'the other {F} with the same {same} as {the U}',
    ],
    superlative: ['{the F}', '{the F}', '{F}', 'find {the F}'],
    'superlative front': ['{the F} closest to the camera', '{the F} nearest to us'],
    'superlative behind': ['{the F} farthest from the camera', '{the F} farthest from us'],
    'superlative left': ['{the F} farthest to the left'],
    'superlative right': ['{the F} farthest to the right'],
  },
  paraphrase: {
    plain: ['in the picture, {the F}', 'find in this picture {the F}', 'where do we see {the F}?', 'also {the F}'],
    'one-hop': [
      '{r1} {the U}, {the F}',
      '{the F} with {the U} {o1} it',
      'there is {the U}; find {the F} {r1} it',
      'find {the F} that is {r1} {the U}',
    ],
    'two-hop': ['there is {the G} {r1} {the U}; find {the F} {r2} it', '{r2} {the G} that is {r1} {the U}, {the F}'],
    and: ['{the F} that is both {r1} {the U} and {r2} {the V}', '{r1} {the U} and {r2} {the V}, {the F}'],
    same: ['find {the F} of the same {same} as {the U}', 'with the same {same} as {the U}, {the F}'],
    superlative: ['in the picture, {the F}', 'where do we see {the F}?'],
    'superlative front': ['closest to us, {the F}', '{the F} that is nearest to the camera'],
    'superlative behind': ['farthest from us, {the F}', '{the F} that is farthest from the camera'],
    'superlative left': ['{the F} that is leftmost', 'farthest to the left, {the F}'],
    'superlative right': ['{the F} that is rightmost', 'farthest to the right, {the F}'],
  },
};

const STRUCTURES_OF: Readonly<Record<Exclude<ExpressionType, 'superlative' | 'attributes'>, readonly Structure[]>> = {
  relation: ['one-hop'],
  'two relations': ['two-hop', 'and'],
  same: ['same'],
};

const TYPE_WEIGHTS: Readonly<Record<ExpressionType, number>> = {
  attributes: 3,
  relation: 3,
  'two relations': 1.5,
  superlative: 1.8,
  same: 0.7,
};

/**
 * Generates an expression that exactly one object matches, according to its program. The target's own words match several
 * objects if the expression has a relation or superlative. Undefined if this attempt fails.
 */
export const makeExpression = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): ExpressionText | undefined => {
  const types = options.expressionTypes ?? EXPRESSION_TYPES;
  const type = random.pickWeighted(
    types,
    types.map((name) => TYPE_WEIGHTS[name]),
  );
  const found =
    type === 'attributes'
      ? byAttributes(sets, random, options)
      : type === 'superlative'
        ? bySuperlative(sets, random)
        : byReference(sets, random, random.pick(STRUCTURES_OF[type]));
  if (found === undefined) return undefined;
  const { slots, program } = found;
  const value = runProgram(sets, program);
  if (typeof value !== 'object' || !('object' in value)) return undefined;
  const pattern = random.pick(EXPRESSION_PATTERNS[wording][found.patterns]!);
  const sentence = fillPattern(pattern, slots, { sets, wording, random });
  const { shape } = sets.scene.objects[value.object]!;
  const head = slots.F.filter.shape === undefined ? {} : { shape };
  return {
    kind: 'expression',
    type,
    wording,
    pattern,
    program,
    target: value.object,
    headFitsSeveral: sizeOf(sets.matching(head)) > 1,
    ...sentence,
  };
};

interface Found {
  readonly slots: Readonly<Record<string, string | Noun>> & { readonly F: Noun };
  readonly program: Program;
  readonly patterns: string;
}

const targetNoun = (filter: Filter, index: number, clause: boolean): Noun => ({
  filter,
  objects: 1 << index,
  role: 'target',
  clause,
});

const byAttributes = (sets: ObjectSets, random: Random, options: TextOptions): Found | undefined => {
  const needs = ATTRIBUTES.filter((name) => random.chance(options.needs?.[name] ?? 0));
  const filter = sampleFilter(sets, random, needs, (set) => sizeOf(set) === 1);
  if (filter === undefined) return undefined;
  const writer = new ProgramWriter();
  writer.unique(writer.filter(writer.scene(), filter));
  const index = membersOf(sets.matching(filter))[0]!;
  return { slots: { F: targetNoun(filter, index, true) }, program: writer.steps, patterns: 'plain' };
};

const bySuperlative = (sets: ObjectSets, random: Random): Found | undefined => {
  const filter = sampleFilter(sets, random, [], (set) => sizeOf(set) > 1) ?? {};
  const relation = random.pick(RELATIONS);
  const set = sets.matching(filter);
  if (sizeOf(set) < 2) return undefined;
  const index = sets.extreme(set, relation);
  if (index === undefined) return undefined;
  const writer = new ProgramWriter();
  writer.step('superlative', [writer.filter(writer.scene(), filter)], [relation]);
  const F = targetNoun(filter, index, false);
  return random.chance(0.6)
    ? {
        slots: { F: { ...F, before: random.pick(SUPERLATIVES[relation]) } },
        program: writer.steps,
        patterns: 'superlative',
      }
    : { slots: { F }, program: writer.steps, patterns: `superlative ${relation}` };
};

const byReference = (sets: ObjectSets, random: Random, structure: Structure): Found | undefined => {
  for (let attempt = 0; attempt < 24; attempt++) {
    const reference = sampleReference(sets, { structure, attributes: sampleAttributes(random) }, random);
    if (reference === undefined || sizeOf(reference.set) !== 1) continue;
    const F = reference.slots['F'] as Noun;
    // Otherwise the relation would be redundant.
    if (sizeOf(sets.matching(F.filter)) < 2) continue;
    const { writer, slots } = reference;
    writer.unique(reference.step);
    const opposite = oppositeOf(reference.writer.steps);
    const o1 = opposite === undefined ? '' : random.pick(RELATION_WORDS[opposite]);
    return { slots: { ...slots, F, o1 }, program: writer.steps, patterns: structure };
  }
  return undefined;
};

/** Opposite of the first relation of a program. */
const oppositeOf = (program: Program) => {
  const side = program.find((step) => step.function === 'relate')?.value_inputs[0];
  return RELATIONS.find((relation) => side !== undefined && OPPOSITE[relation] === side);
};
