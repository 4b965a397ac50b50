import type { NounMention, RelationMention, TextMention } from './question-mentions.ts';
import { phrasesOf, type ProgramPhrase, type ProgramStep, relationsOf } from './program-phrases.ts';

/** Assignment of a program's phrases and relations to the words of its text. */
export interface Alignment {
  /** Noun phrases by the top step of the program's phrase. */
  readonly nouns: ReadonlyMap<number, NounMention>;
  /** Relation words by the index of the relate step. */
  readonly relations: ReadonlyMap<number, RelationMention>;
}

/**
 * Finds the noun phrase of the text for every phrase of the program, and the words of every relation. A noun phrase
 * matches if it names the same attributes; the words of a relation follow the phrase they restrict and precede the phrase
 * they refer to ("the cube left of the ball") or "it" ("There is a ball; … left of it"). Of several alignments the
 * leftmost is returned; they differ only in words for the same objects.
 * @returns undefined if there is no alignment
 */
export const alignProgram = (
  program: readonly ProgramStep[],
  mentions: readonly TextMention[],
): Alignment | undefined => {
  const phrases = [...phrasesOf(program).values()];
  const named = phrases.filter(({ isNamed }) => isNamed);
  // What is filtered last comes first in most texts, so trying in that order finds the usual alignment first.
  const order = named.toReversed();
  const nouns = new Map<number, NounMention>();
  const taken = new Set<NounMention>();
  const all = mentions.filter((mention): mention is NounMention => mention.kind === 'noun');

  const search = (k: number): Alignment | undefined => {
    if (k === order.length) {
      const relations = alignRelations(program, phrases, nouns, mentions);
      return relations && inOrder(program, nouns) ? { nouns: new Map(nouns), relations } : undefined;
    }
    const phrase = order[k]!;
    for (const noun of all) {
      if (taken.has(noun) || !namesSame(noun, phrase)) continue;
      taken.add(noun);
      nouns.set(phrase.top, noun);
      const found = search(k + 1);
      if (found !== undefined) return found;
      taken.delete(noun);
      nouns.delete(phrase.top);
    }
    return undefined;
  };
  return search(0);
};

const namesSame = (noun: NounMention, phrase: ProgramPhrase): boolean => {
  const names = ['size', 'color', 'material', 'shape'] as const;
  return (
    names.every((name) => noun.attributes[name] === phrase.attributes[name]) &&
    noun.choices.length === phrase.choices.length &&
    phrase.choices.every((choice) => noun.choices.includes(choice))
  );
};

/** Words of every relation by step; undefined if a relation has none in the right position. */
const alignRelations = (
  program: readonly ProgramStep[],
  phrases: readonly ProgramPhrase[],
  nouns: ReadonlyMap<number, NounMention>,
  mentions: readonly TextMention[],
): ReadonlyMap<number, RelationMention> | undefined => {
  const aligned = new Map<number, RelationMention>();
  for (const phrase of phrases) {
    const own = nouns.get(phrase.top);
    if (own === undefined) continue;
    const steps = relationsOf(program, phrase);
    const at = mentions.indexOf(own) + 1;
    // The first relation follows its noun phrase directly, a second one joined to it may follow anywhere after that.
    const next = mentions.slice(at).find(({ kind }) => kind === 'noun' || kind === 'relation');
    if (steps.length > 0 && next?.kind !== 'relation') return undefined;
    const following = steps.length === 1 ? [next!] : mentions.slice(at);
    for (const step of steps) {
      const { values, inputs } = program[step]!;
      const target = nouns.get(program[inputs[0]!]!.inputs[0]!);
      const words = following.find(
        (mention): mention is RelationMention =>
          mention.kind === 'relation' &&
          mention.direction === values[0] &&
          ![...aligned.values()].includes(mention) &&
          leadsTo(mention, target, mentions),
      );
      if (words === undefined) return undefined;
      aligned.set(step, words);
    }
  }
  return aligned;
};

/** Whether a relation refers to `target`: the target follows it, or "it" follows and the target precedes the semicolon. */
const leadsTo = (
  relation: RelationMention,
  target: NounMention | undefined,
  mentions: readonly TextMention[],
): boolean => {
  const at = mentions.indexOf(relation);
  const next = mentions[at + 1];
  if (target === undefined || next === undefined) return false;
  if (next.kind === 'noun') return next === target;
  if (next.kind !== 'it') return false;
  const before = mentions.slice(0, at);
  const semicolon = before.findLastIndex(({ kind }) => kind === 'semicolon');
  // "It" is the first object mentioned: "There is a cube behind the ball; …".
  return before.slice(0, Math.max(semicolon, 0)).find(({ kind }) => kind === 'noun') === target;
};

/** Whether a comparison mentions its operands in program order: all nouns of the first, then all of the second. */
const inOrder = (program: readonly ProgramStep[], nouns: ReadonlyMap<number, NounMention>): boolean => {
  const last = program.at(-1)!;
  if (last.inputs.length !== 2 || !/^(?:equal_|less_than|greater_than)/.test(last.function)) return true;
  const [first, second] = last.inputs.map((input) => nounsBelow(program, input, nouns));
  return Math.max(...first!.map(({ end }) => end)) <= Math.min(...second!.map(({ begin }) => begin));
};

const nounsBelow = (
  program: readonly ProgramStep[],
  step: number,
  nouns: ReadonlyMap<number, NounMention>,
): NounMention[] => {
  const own = nouns.get(step);
  const below = program[step]!.inputs.flatMap((input) => nounsBelow(program, input, nouns));
  return own === undefined ? below : [own, ...below];
};
