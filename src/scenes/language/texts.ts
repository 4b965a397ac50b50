import type { Attribute } from '../render/attributes.ts';
import type { Program } from './program.ts';
import type { Sentence } from './sentence.ts';
import type { Language, Wording } from '../render/splits.ts';

/** Fields of all texts. */
export interface AnyText extends Sentence {
  /** Set of patterns that the text is made from. */
  readonly wording: Wording;
  /** Pattern that the text was generated from, its choices made. */
  readonly pattern: string;
}

/** A caption that mentions objects and groups. Every phrase refers to exactly the objects it lists. */
export interface CaptionText extends AnyText {
  /** Kind of text. */
  readonly kind: 'caption';
}

/** A caption with at least one phrase that refers to absent objects. */
export interface NegativeText extends AnyText {
  /** Kind of text. */
  readonly kind: 'negative';
}

/** Types of referring expressions. */
export const EXPRESSION_TYPES = ['attributes', 'relation', 'two relations', 'superlative', 'same'] as const;
/** Type of a referring expression. */
export type ExpressionType = (typeof EXPRESSION_TYPES)[number];

/** A referring expression: exactly one object matches it. Its phrase has the role `target`. */
export interface ExpressionText extends AnyText {
  /** Kind of text. */
  readonly kind: 'expression';
  /** Way in which it singles out its object. */
  readonly type: ExpressionType;
  /** Index of the object it refers to. */
  readonly target: number;
  /** Whether the target's noun alone (cube, thing) matches several objects of the scene. */
  readonly headFitsSeveral: boolean;
  /** Program whose value is the target. */
  readonly program: Program;
}

/** Types of questions, as in CLEVR. */
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
/** Type of a question. */
export type QuestionType = (typeof QUESTION_TYPES)[number];

/** A question with its answer and program. */
export interface QuestionText extends AnyText {
  /** Kind of text. */
  readonly kind: 'question';
  /** Type of the question. */
  readonly type: QuestionType;
  /** Structure of the reference to the queried objects. */
  readonly structure: string;
  /** Correct answer. */
  readonly answer: string;
  /** Program whose value is the answer. */
  readonly program: Program;
  /** Index of the combination of type and structure, equal for all wordings. */
  readonly family: number;
}

/** A generated text about a scene: a caption, an expression or a question. */
export type SceneText = CaptionText | NegativeText | ExpressionText | QuestionText;
/** Kinds of texts. */
export const TEXT_KINDS = ['caption', 'expression', 'question', 'negative'] as const;
/** Kind of text. */
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
