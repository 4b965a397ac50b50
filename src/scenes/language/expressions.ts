import { sampleFilter } from './captions.ts';
import { ATTRIBUTES } from '../render/attributes.ts';
import { membersOf, sizeOf, type Filter, type ObjectSets } from './object-sets.ts';
import { ProgramWriter, runProgram, type Program } from './program.ts';
import type { Random } from '../../random/random.ts';
import { RELATIONS } from '../render/relations.ts';
import { oppositeOf, sampleAttributes, sampleReference, type Structure } from './references.ts';
import { PARAPHRASE_EXPRESSIONS } from './patterns/paraphrase.ts';
import { PARAPHRASE2_EXPRESSIONS } from './patterns/paraphrase2.ts';
import type { ExpressionForm, ExpressionPatterns } from './patterns/pattern-types.ts';
import { PLAIN_EXPRESSIONS } from './patterns/plain.ts';
import { WIDE_EXPRESSIONS } from './patterns/wide-captions.ts';
import { choosePattern, fillPattern, relationSlot, type Noun, type Slots } from './sentence.ts';
import type { Wording } from '../render/splits.ts';
import { EXPRESSION_TYPES, type ExpressionText, type ExpressionType, type TextOptions } from './texts.ts';
import { SUPERLATIVES, WIDE_SUPERLATIVES } from './words.ts';

/** Patterns of referring expressions by structure. */
export const EXPRESSION_PATTERNS: Readonly<Record<Wording, ExpressionPatterns>> = {
  training: PLAIN_EXPRESSIONS,
  wide: WIDE_EXPRESSIONS,
  paraphrase: PARAPHRASE_EXPRESSIONS,
  paraphrase2: PARAPHRASE2_EXPRESSIONS,
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
        ? bySuperlative(sets, wording, random)
        : byReference(sets, random, random.pick(STRUCTURES_OF[type]));
  if (found === undefined) return undefined;
  const { slots, program } = found;
  const value = runProgram(sets, program);
  if (typeof value !== 'object' || !('object' in value)) return undefined;
  const pattern = choosePattern(EXPRESSION_PATTERNS[wording][found.patterns], 'expression', wording, random);
  const sentence = fillPattern(pattern, slots, { sets, wording, random, typos: options.typos });
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
  readonly slots: Slots & { readonly F: Noun };
  readonly program: Program;
  readonly patterns: ExpressionForm;
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

const bySuperlative = (sets: ObjectSets, wording: Wording, random: Random): Found | undefined => {
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
        slots: { F: { ...F, before: random.pick((wording === 'wide' ? WIDE_SUPERLATIVES : SUPERLATIVES)[relation]) } },
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
    const o1 = opposite === undefined ? '' : relationSlot(opposite, random);
    return { slots: { ...slots, F, o1 }, program: writer.steps, patterns: structure };
  }
  return undefined;
};
