import type { Attribute } from '../render/attributes.ts';
import type { Program } from './program.ts';
import type { Sentence } from './sentence.ts';
import type { Language, Wording } from '../render/splits.ts';

/** Fields of all texts. */
export interface AnyText extends Sentence {
  readonly wording: Wording;
  /** Pattern that the text was generated from, its choices made. */
  readonly pattern: string;
}

/** A caption that mentions objects and groups. Every phrase refers to exactly the objects it lists. */
export interface CaptionText extends AnyText {
  readonly kind: 'caption';
}

/** A caption with at least one phrase that refers to absent objects. */
export interface NegativeText extends AnyText {
  readonly kind: 'negative';
}

export const EXPRESSION_TYPES = ['attributes', 'relation', 'two relations', 'superlative', 'same'] as const;
export type ExpressionType = (typeof EXPRESSION_TYPES)[number];

/** A referring expression: exactly one object matches it. Its phrase has the role `target`. */
export interface ExpressionText extends AnyText {
  readonly kind: 'expression';
  readonly type: ExpressionType;
  /** Index of the object it refers to. */
  readonly target: number;
  /** Whether the target's noun alone (cube, thing) matches several objects of the scene. */
  readonly headFitsSeveral: boolean;
  /** Program whose value is the target. */
  readonly program: Program;
}

export const QUESTION_TYPES = [
  'exist',
  'count',
  'equal_integer',
  'less_than',
  'greater_than',
  'query_size',
  'query_color',
  'query_material',
  'query_shape',
  'equal_size',
  'equal_color',
  'equal_material',
  'equal_shape',
] as const;
export type QuestionType = (typeof QUESTION_TYPES)[number];

/** A question with its answer and program. */
export interface QuestionText extends AnyText {
  readonly kind: 'question';
  readonly type: QuestionType;
  /** Structure of the reference to the queried objects. */
  readonly structure: string;
  readonly answer: string;
  readonly program: Program;
  /** Index of the combination of type and structure, equal for all wordings. */
  readonly family: number;
}

/** A generated text about a scene: a caption, an expression or a question. */
export type SceneText = CaptionText | NegativeText | ExpressionText | QuestionText;
export const TEXT_KINDS = ['caption', 'expression', 'question', 'negative'] as const;
export type TextKind = (typeof TEXT_KINDS)[number];

/** Options of `makeTexts`. */
export interface TextOptions {
  /** Default: the wording of the scene's split in `language`. */
  readonly wording?: Wording;
  /** Language of the splits with training wording. Default `plain`. */
  readonly language?: Language;
  /** Wide language: probability that a word of five letters or more is misspelled. Default 0.015. */
  readonly typos?: number | undefined;
  /** Minimum number of phrases of a caption. Default 1. */
  readonly minPhrases?: number;
  /** Maximum number of phrases of a caption, up to 4. Default 4. */
  readonly maxPhrases?: number;
  /** Probability that a phrase of a caption refers to a group. Default 0.25. */
  readonly groups?: number;
  /**
   * Probability per attribute that a phrase (of captions, and of expressions by attributes) would match other objects
   * without the attribute's word, if the scene has such objects. Default 0. With `{ color: 0.5 }` models cannot rely on
   * shape and size alone.
   */
  readonly needs?: Partial<Readonly<Record<Attribute, number>>>;
  /** Types of expressions. Default: all. */
  readonly expressionTypes?: readonly ExpressionType[];
  /** Types of questions. Default: all. */
  readonly questionTypes?: readonly QuestionType[];
}
