import { ATTRIBUTES, VALUES, type Attribute } from '../render/attributes.ts';
import { sizeOf, type Filter, type ObjectSets } from './object-sets.ts';
import { answerOf, ProgramWriter, runProgram, type Program } from './program.ts';
import { PARAPHRASE_QUESTIONS } from './patterns/paraphrase.ts';
import { PARAPHRASE2_QUESTIONS } from './patterns/paraphrase2.ts';
import type { QuestionPatterns } from './patterns/pattern-types.ts';
import { PLAIN_QUESTIONS } from './patterns/plain.ts';
import { WIDE_QUESTIONS } from './patterns/wide-questions.ts';
import type { Random } from '../../random/random.ts';
import {
  oppositeOf,
  sampleAttributes,
  sampleGroup,
  sampleReference,
  sampleUnique,
  type Structure,
} from './references.ts';
import { attributeSlot, choosePattern, fillPattern, relationSlot, type Noun, type Slots } from './sentence.ts';
import { WORDINGS, type Wording } from '../render/splits.ts';
import { QUESTION_TYPES, type QuestionText, type QuestionType, type TextOptions } from './texts.ts';

type Form = Structure | 'or' | 'compare' | 'equal';

/** A question before it is put into words. */
interface Draft {
  readonly program: Program;
  readonly slots: Slots;
  readonly answer: string;
}

/** A combination of question type and structure. Its index is written as CLEVR's `question_family_index`. */
interface Family {
  readonly type: QuestionType;
  readonly form: Form;
  readonly weight: number;
  readonly patterns: Readonly<Record<Wording, readonly string[]>>;
}

const attributeOf = (type: QuestionType): Attribute | undefined =>
  ATTRIBUTES.find((name) => type === `query_${name}` || type === `equal_${name}`);

const QUESTION_PATTERNS: Readonly<Record<Wording, QuestionPatterns>> = {
  training: PLAIN_QUESTIONS,
  wide: WIDE_QUESTIONS,
  paraphrase: PARAPHRASE_QUESTIONS,
  paraphrase2: PARAPHRASE2_QUESTIONS,
};

/** @param patternsOf the family's patterns among those of one wording */
const family = (
  type: QuestionType,
  form: Form,
  weight: number,
  patternsOf: (patterns: QuestionPatterns) => readonly string[],
): Family => ({
  type,
  form,
  weight,
  patterns: Object.fromEntries(
    WORDINGS.map((wording) => [wording, patternsOf(QUESTION_PATTERNS[wording])]),
  ) as unknown as Family['patterns'],
});

/** All families, in a fixed order. Weights are relative probabilities within a type. */
export const FAMILIES: readonly Family[] = QUESTION_TYPES.flatMap((type) => {
  const attribute = attributeOf(type);
  if (type === 'exist') {
    return [
      family(type, 'plain', 3, ({ exist }) => exist.plain),
      family(type, 'one-hop', 3, ({ exist }) => exist['one-hop']),
      family(type, 'two-hop', 1.5, ({ exist }) => exist['two-hop']),
      family(type, 'same', 1.5, ({ exist }) => exist.same),
    ];
  }
  if (type === 'count') {
    return [
      family(type, 'plain', 3, ({ count }) => count.plain),
      family(type, 'one-hop', 3, ({ count }) => count['one-hop']),
      family(type, 'two-hop', 1, ({ count }) => count['two-hop']),
      family(type, 'and', 1, ({ count }) => count.and),
      family(type, 'same', 1, ({ count }) => count.same),
      family(type, 'or', 1, ({ count }) => count.or),
    ];
  }
  if (type === 'equal_integer' || type === 'less_than' || type === 'greater_than') {
    return [family(type, 'compare', 1, (patterns) => patterns[type])];
  }
  if (attribute === undefined || type.startsWith('equal')) return [family(type, 'equal', 1, ({ equal }) => equal)];
  return [
    family(type, 'plain', 3, (patterns) => [
      ...patterns.query.plain,
      ...(attribute === 'size' || attribute === 'material' ? patterns[attribute] : []),
    ]),
    family(type, 'one-hop', 3, ({ query }) => query['one-hop']),
    family(type, 'two-hop', 1.5, ({ query }) => query['two-hop']),
    family(type, 'and', 1, ({ query }) => query.and),
    family(type, 'same', 1.5, ({ query }) => query.same),
  ];
});

/** Drafts per family, enough to include the rarer answers. */
const DRAFTS = 32;
const TRIES = 12;

/**
 * Generates a question with its program and answer. Answers are balanced by construction: many drafts of one family with
 * the same attributes of F are grouped by answer, families with a single possible answer in this scene are skipped, and
 * the answer is sampled before the draft. So neither wording nor type gives the answer away. Undefined if this attempt
 * fails.
 */
export const makeQuestion = (
  sets: ObjectSets,
  wording: Wording,
  random: Random,
  options: TextOptions = {},
): QuestionText | undefined => {
  const type = random.pick(options.questionTypes ?? QUESTION_TYPES);
  const families = FAMILIES.filter((one) => one.type === type);
  const weights = families.map(({ weight }) => weight);
  let draft: Draft | undefined;
  let chosen = families[0]!;
  // Some types fail more often than others. Retrying with the same type keeps all types equally frequent.
  for (let tries = 0; draft === undefined && tries < TRIES; tries++) {
    chosen = random.pickWeighted(families, weights);
    draft = chooseDraft(sets, chosen, random);
  }
  if (draft === undefined) return undefined;
  const pattern = choosePattern(chosen.patterns[wording], 'question', wording, random);
  const { text, phrases } = fillPattern(pattern, draft.slots, { sets, wording, random, typos: options.typos });
  const capital = wording !== 'wide' || random.chance(0.8);
  return {
    kind: 'question',
    type,
    structure: chosen.form,
    family: FAMILIES.indexOf(chosen),
    wording,
    pattern,
    text: capital ? text.charAt(0).toUpperCase() + text.slice(1) : text,
    phrases,
    answer: draft.answer,
    program: draft.program,
  };
};

const chooseDraft = (sets: ObjectSets, { type, form }: Family, random: Random): Draft | undefined => {
  const attribute = attributeOf(type);
  const attributes = sampleAttributes(random, attribute);
  // "Are there any things?" is trivial; "How many things are there?" is not.
  if (attributes.length === 0 && type === 'exist' && form === 'plain') return undefined;
  // The first draft with an answer is an unbiased sample of the drafts with that answer.
  const byAnswer = new Map<string, Draft>();
  const possible = type === 'count' || type === 'query_color' ? Infinity : answersOf(type).length;
  for (let k = 0; k < DRAFTS && byAnswer.size < possible; k++) {
    const draft =
      form === 'compare'
        ? draftComparison(sets, type, random)
        : form === 'equal'
          ? draftEquality(sets, attribute!, random)
          : form === 'or'
            ? draftUnion(sets, attributes, random)
            : draftReference(sets, type, form, attributes, random);
    if (draft !== undefined && !byAnswer.has(draft.answer)) byAnswer.set(draft.answer, draft);
  }
  if (byAnswer.size < 2) return undefined;
  const answers = [...byAnswer.keys()].sort();
  const answer = random.pickWeighted(
    answers,
    answers.map((one) => (type === 'count' ? countWeight(Number(one)) : 1)),
  );
  return byAnswer.get(answer);
};

/** Weight of a count as an answer. Small counts are possible in nearly every scene, large ones in few. */
const countWeight = (count: number): number => COUNT_WEIGHTS[Math.min(count, COUNT_WEIGHTS.length - 1)]!;
const COUNT_WEIGHTS = [0.85, 0.9, 2.2, 5, 9, 12];

const finish = (sets: ObjectSets, writer: ProgramWriter, slots: Slots): Draft | undefined => {
  const answer = answerOf(runProgram(sets, writer.steps));
  return answer === undefined ? undefined : { program: writer.steps, slots, answer };
};

const draftReference = (
  sets: ObjectSets,
  type: QuestionType,
  structure: Structure,
  attributes: readonly Attribute[],
  random: Random,
): Draft | undefined => {
  const attribute = attributeOf(type);
  const request = { structure, attributes, avoid: attribute };
  const reference = sampleReference(sets, request, random);
  if (reference === undefined) return undefined;
  const { writer, step, set, slots } = reference;
  const opposite = oppositeOf(writer.steps);
  if (attribute === undefined) {
    writer.step(type, [step]);
    return finish(sets, writer, opposite === undefined ? slots : { ...slots, o1: relationSlot(opposite) });
  }
  if (sizeOf(set) !== 1) return undefined;
  const F = slots['F'] as Noun;
  // Otherwise the relation would be redundant.
  if (structure !== 'plain' && sizeOf(sets.matching(F.filter)) < 2) return undefined;
  writer.step(`query_${attribute}`, [writer.unique(step)]);
  return finish(sets, writer, {
    ...slots,
    q: attributeSlot(attribute, random),
    o1: opposite === undefined ? '' : relationSlot(opposite, random),
  });
};

const group = (filter: Filter, sets: ObjectSets): Noun => ({
  filter,
  objects: sets.matching(filter),
  role: 'target',
});

const draftUnion = (sets: ObjectSets, attributes: readonly Attribute[], random: Random): Draft | undefined => {
  const first = sampleGroup(sets, attributes, random);
  const second = sampleGroup(sets, sampleAttributes(random), random);
  if (first === undefined || second === undefined || sameWords(first, second)) return undefined;
  const writer = new ProgramWriter();
  const a = writer.filter(writer.scene(), first);
  const b = writer.filter(writer.scene(), second);
  writer.step('count', [writer.step('union', [a, b])]);
  return finish(sets, writer, { F: group(first, sets), H: group(second, sets) });
};

const draftComparison = (sets: ObjectSets, type: QuestionType, random: Random): Draft | undefined => {
  const first = sampleGroup(sets, sampleAttributes(random), random);
  const second = sampleGroup(sets, sampleAttributes(random), random);
  if (first === undefined || second === undefined || sameWords(first, second)) return undefined;
  if ((sets.matching(first) | sets.matching(second)) === 0) return undefined;
  const writer = new ProgramWriter();
  const a = writer.step('count', [writer.filter(writer.scene(), first)]);
  const b = writer.step('count', [writer.filter(writer.scene(), second)]);
  writer.step(type, [a, b]);
  return finish(sets, writer, { A: group(first, sets), B: group(second, sets) });
};

const sameWords = (a: Filter, b: Filter): boolean => ATTRIBUTES.every((name) => a[name] === b[name]);

const draftEquality = (sets: ObjectSets, attribute: Attribute, random: Random): Draft | undefined => {
  const first = sampleUnique(sets, random, attribute);
  const second = sampleUnique(sets, random, attribute);
  if (first === undefined || second === undefined || first.index === second.index) return undefined;
  const writer = new ProgramWriter();
  const query = (filter: Filter): number =>
    writer.step(`query_${attribute}`, [writer.unique(writer.filter(writer.scene(), filter))]);
  const a = query(first.filter);
  const b = query(second.filter);
  writer.step(`equal_${attribute}`, [a, b]);
  return finish(sets, writer, {
    A: { filter: first.filter, objects: 1 << first.index, role: 'target' },
    B: { filter: second.filter, objects: 1 << second.index, role: 'target' },
    q: attributeSlot(attribute, random),
  });
};

/** Possible answers of a question type in CLEVR. */
export const answersOf = (type: QuestionType): readonly string[] => {
  const attribute = attributeOf(type);
  if (type === 'count') return Array.from({ length: 11 }, (_, count) => String(count));
  return attribute === undefined || type.startsWith('equal') ? ['yes', 'no'] : VALUES[attribute];
};
