import type { CodePointSpan } from '../../text/spans/span.ts';
import { type Alignment, alignProgram } from './phrase-alignment.ts';
import { isSet, phraseAt, type ProgramStep } from './program-phrases.ts';
import { mentionsOf, nounSpans, type TextMention } from './question-mentions.ts';

/** The part of a scene that programs use. */
export interface ProgramScene {
  readonly objects: readonly Readonly<Record<'size' | 'color' | 'material' | 'shape', string>>[];
  /** For every direction and object, the indices of the objects on that side of it. */
  readonly relationships: Readonly<Record<string, readonly (readonly number[])[]>>;
}

/** An object that a text mentions, with the words that refer to it. */
export interface MentionedObject {
  /** Index in `ProgramScene.objects`. */
  readonly object: number;
  /** One span per word or relation, from left to right. */
  readonly spans: readonly CodePointSpan[];
  /** Whether the program returns the object. */
  readonly isFinal: boolean;
}

export interface MentionedObjects {
  readonly objects: readonly MentionedObject[];
  /** Whether an object is mentioned more than once; the "medium" files leave out such texts. */
  readonly repeats: boolean;
  /** Undefined if the program returns a set of objects. */
  readonly answer: string | undefined;
}

/** Reason why a program and its text cannot be used. */
export class ProgramError extends Error {}

/** Value of a step: indices of objects, or an answer. */
type Value = readonly number[] | string;

/**
 * Executes a program and collects the objects that its text mentions, in program order: results of `unique` steps,
 * objects that are counted or tested for existence and, for programs that return a set (CLEVR-Ref+), the objects of the
 * set and the candidates of an ordinal. Their spans are the words of the noun phrase, of its relation, and of the phrase
 * it is filtered from.
 * @throws {ProgramError} if the program cannot be executed or its phrases are not in the text
 */
export const objectsOfProgram = (
  scene: ProgramScene,
  program: readonly ProgramStep[],
  text: string,
): MentionedObjects => {
  checkInputs(program);
  const mentions = mentionsOf(text);
  const alignment = alignProgram(program, mentions);
  if (alignment === undefined) throw new ProgramError('phrases that are not in the text');
  const words = new PhraseWords(program, alignment, mentions, text);
  const values: Value[] = [];
  const found: { readonly object: number; readonly spans: readonly CodePointSpan[] }[] = [];
  let repeats = false;
  const mention = (objects: readonly number[], spansOf: (object: number) => readonly CodePointSpan[]): void => {
    const before = new Set(found.map(({ object }) => object));
    for (const object of objects) {
      repeats ||= before.has(object);
      found.push({ object, spans: spansOf(object) });
    }
  };
  for (const [index, step] of program.entries()) {
    const value = valueOf(scene, step, values);
    values.push(value);
    const top = step.inputs[0]!;
    const spansOfInput = words.byObject(top, step.function, values);
    if (step.function === 'unique') mention(value as readonly number[], spansOfInput);
    else if (step.function === 'count' || step.function === 'exist')
      mention(values[top] as readonly number[], spansOfInput);
    else if (step.function === 'filter_ordinal')
      mention(values[top] as readonly number[], () => words.ofCandidates(phraseTop(program, index)));
    else if (step.function === 'union') {
      const [first, second] = step.inputs.map((input) => values[input] as readonly number[]);
      repeats ||= first!.some((object) => second!.includes(object));
    }
  }
  const last = program.length - 1;
  const final = isSet(program[last]!.function) ? (values[last] as readonly number[]) : [];
  mention(final, words.byObject(last, 'end', values));

  const spans = new Map<number, Map<string, CodePointSpan>>();
  for (const { object, spans: own } of found) {
    const known = spans.get(object) ?? new Map<string, CodePointSpan>();
    for (const span of own) known.set(span.join(), span);
    spans.set(object, known);
  }
  return {
    objects: [...spans].map(([object, own]) => ({
      object,
      spans: [...own.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]),
      isFinal: final.includes(object),
    })),
    repeats,
    answer: typeof values[last] === 'string' ? values[last] : undefined,
  };
};

const checkInputs = (program: readonly ProgramStep[]): void => {
  if (program.length === 0) throw new ProgramError('programs without steps');
  program.forEach(({ inputs }, index) => {
    if (inputs.some((input) => input < 0 || input >= index))
      throw new ProgramError('programs whose steps do not refer to earlier ones');
  });
};

/** Last step of the chain of filters that contains step `index`. */
const phraseTop = (program: readonly ProgramStep[], index: number): number => {
  let top = index;
  while (program[top + 1]?.function.startsWith('filter_') === true && program[top + 1]!.inputs[0] === top) top++;
  return top;
};

/** Looks up the spans of a program's phrases. */
class PhraseWords {
  constructor(
    private readonly program: readonly ProgramStep[],
    private readonly alignment: Alignment,
    private readonly mentions: readonly TextMention[],
    private readonly text: string,
  ) {}

  /** Spans of each object in the set of step `top`. For sets joined by "or", an object has the words of its own side. */
  byObject(top: number, consumer: string, values: readonly Value[]): (object: number) => readonly CodePointSpan[] {
    if (!['unique', 'count', 'exist', 'end'].includes(consumer)) return () => [];
    const { base } = phraseAt(this.program, top, consumer);
    const own = [...this.ofPhrase(top, consumer), ...this.ofOthers(base, top, consumer)];
    if (this.program[base]!.function !== 'union') return () => own;
    const sides = this.program[base]!.inputs;
    return (object) => [
      ...own,
      ...sides.flatMap((side) =>
        (values[side] as readonly number[]).includes(object) ? this.ofPhrase(side, 'union') : [],
      ),
    ];
  }

  /** Spans of the candidates of an ordinal: the phrase without "first one of the" and "from left". */
  ofCandidates(top: number): readonly CodePointSpan[] {
    const noun = this.alignment.nouns.get(top);
    const { base } = phraseAt(this.program, top, 'end');
    const relation = this.alignment.relations.get(base);
    return [
      ...(noun === undefined ? [] : nounSpans(noun, { withOrdinal: false })),
      ...(relation === undefined ? [] : [[relation.begin, relation.end] as const]),
    ];
  }

  private ofPhrase(top: number, consumer: string): CodePointSpan[] {
    const { base, attributes } = phraseAt(this.program, top, consumer);
    const { function: origin, inputs } = this.program[base]!;
    const noun = this.alignment.nouns.get(top);
    // "red things that are either …": "things" belongs to the template and refers to nothing.
    const withNoun = origin !== 'union' || attributes.shape !== undefined;
    const own = noun === undefined ? [] : nounSpans(noun, { withNoun });
    const relation = this.alignment.relations.get(base);
    if (relation !== undefined) own.push([relation.begin, relation.end]);
    if (origin === 'intersect') own.push(...inputs.flatMap((input) => this.ofPhrase(input, 'intersect')));
    if (origin.startsWith('same_')) own.push(...this.ofSame(origin.slice('same_'.length)));
    return own;
  }

  private ofSame(attribute: string): CodePointSpan[] {
    const same = this.mentions.find((mention) => mention.kind === 'same' && mention.attribute === attribute);
    return same === undefined ? [] : [[same.begin, same.end]];
  }

  /** Span of "anything else" or "other things" at the beginning, for sets that have no phrase of their own. */
  private ofOthers(base: number, top: number, consumer: string): CodePointSpan[] {
    if (!this.program[base]!.function.startsWith('same_') || top !== base || consumer === 'unique') return [];
    const match =
      /^(?:(?:is|are) there )?((?:anything else|any other thing)s?) that/di.exec(this.text) ??
      /^(?:how many|what number of) (other (?:thing|object)s?)/di.exec(this.text);
    return match === null ? [] : [match.indices![1]!];
  }
}

const valueOf = (
  scene: ProgramScene,
  { function: name, inputs, values: parameters, output }: ProgramStep,
  values: readonly Value[],
): Value => {
  const set = (k = 0): readonly number[] => {
    const value = inputs[k] === undefined ? undefined : values[inputs[k]];
    if (typeof value !== 'object') throw new ProgramError(`programs whose step ${name} lacks objects`);
    return value;
  };
  const one = (): number => {
    const objects = set();
    if (objects.length !== 1) throw new ProgramError(`programs whose step ${name} has no single object`);
    return objects[0]!;
  };
  const answer = (isTrue: boolean): string => (isTrue ? 'yes' : 'no');
  const attributeOf = (prefix: string): 'size' => {
    const attribute = name.slice(prefix.length);
    if (!['size', 'color', 'material', 'shape'].includes(attribute))
      throw new ProgramError(`programs with a step ${name}`);
    return attribute as 'size';
  };
  const operand = (k: number): Value | undefined => (inputs[k] === undefined ? undefined : values[inputs[k]]);
  switch (name) {
    case 'scene':
      return [...scene.objects.keys()];
    case 'unique':
      return [one()];
    case 'relate': {
      const related = scene.relationships[parameters[0] ?? '']?.[one()];
      if (related === undefined) throw new ProgramError('programs with a relation that the scene lacks');
      return [...related].sort((a, b) => a - b);
    }
    case 'union':
      return [...scene.objects.keys()].filter((object) => set(0).includes(object) || set(1).includes(object));
    case 'intersect':
      return set(0).filter((object) => set(1).includes(object));
    case 'count':
      return String(set().length);
    case 'exist':
      return answer(set().length > 0);
    case 'less_than':
      return answer(Number(operand(0)) < Number(operand(1)));
    case 'greater_than':
      return answer(Number(operand(0)) > Number(operand(1)));
    case 'filter_visible':
    case 'filter_ordinal':
      // Visibility depends on masks, so the result stored in the file is used.
      if (output?.every((object) => object >= 0 && object < scene.objects.length) !== true)
        throw new ProgramError(`programs whose step ${name} has no objects of the scene as _output`);
      return output;
    default:
  }
  if (name.startsWith('filter_')) {
    const attribute = attributeOf('filter_');
    return set().filter((object) => scene.objects[object]![attribute] === parameters[0]);
  }
  if (name.startsWith('same_')) {
    const attribute = attributeOf('same_');
    const subject = one();
    return [...scene.objects.keys()].filter(
      (object) => object !== subject && scene.objects[object]![attribute] === scene.objects[subject]![attribute],
    );
  }
  if (name.startsWith('query_')) return scene.objects[one()]![attributeOf('query_')];
  if (name.startsWith('equal_')) return answer(operand(0) !== undefined && operand(0) === operand(1));
  throw new ProgramError(`programs with a step ${name}`);
};
