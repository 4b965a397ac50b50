import type { Attribute } from '../render/attributes.ts';
import type { Program } from './program.ts';
import type { Sentence } from './sentence.ts';
import type { Wording } from '../render/splits.ts';

/** What all texts have in common. */
interface AnyText extends Sentence {
  readonly wording: Wording;
  /** The pattern that it was made from, for bookkeeping. */
  readonly pattern: string;
}

/** Names objects and groups; every phrase means exactly the objects that it lists. */
export interface CaptionText extends AnyText {
  readonly kind: 'caption';
}

/** A caption some or all of whose phrases speak of something that is not there. */
export interface NegativeText extends AnyText {
  readonly kind: 'negative';
}

export const EXPRESSION_TYPES = ['attributes', 'relation', 'two relations', 'superlative', 'same'] as const;
export type ExpressionType = (typeof EXPRESSION_TYPES)[number];

/** Refers to exactly one object, the phrase with role `target`. */
export interface ExpressionText extends AnyText {
  readonly kind: 'expression';
  readonly type: ExpressionType;
  readonly target: number;
  /** The target's noun alone (cube, thing) fits several objects of the scene. */
  readonly headFitsSeveral: boolean;
  /** Ends in the target. */
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

export interface QuestionText extends AnyText {
  readonly kind: 'question';
  readonly type: QuestionType;
  /** How the objects are singled out. */
  readonly structure: string;
  readonly answer: string;
  readonly program: Program;
  /** A number of the question's type and structure, the same for all wordings. */
  readonly family: number;
}

export type SceneText = CaptionText | NegativeText | ExpressionText | QuestionText;
export const TEXT_KINDS = ['caption', 'expression', 'question', 'negative'] as const;
export type TextKind = (typeof TEXT_KINDS)[number];

export interface TextOptions {
  /** The wording of the scene's split unless told. */
  readonly wording?: Wording;
  /** Phrases of a caption, 1 to 4 unless told. */
  readonly minPhrases?: number;
  readonly maxPhrases?: number;
  /** Chance that a phrase of a caption means a group, 0.25 unless told. */
  readonly groups?: number;
  /**
   * Chance that a phrase of a caption or an expression by attributes must need this attribute, that is would fit other
   * objects without the word; where the scene has such objects. 0 unless told: `{ color: 0.5 }` breaks the habit of
   * going by shape and size.
   */
  readonly needs?: Partial<Readonly<Record<Attribute, number>>>;
  readonly expressionTypes?: readonly ExpressionType[];
  readonly questionTypes?: readonly QuestionType[];
}
