/** Procedural CLEVR-format scenes: pictures, masks, boxes, and texts of every task, from a seed and a number. */
export {
  ATTRIBUTES,
  COLORS,
  MATERIALS,
  SHAPES,
  SIZES,
  VALUES,
  type Attribute,
  type ObjectAttributes,
} from './attributes.ts';
export { DATASET_DEFAULTS, type DatasetSettings } from './dataset-settings.ts';
export { writeDataset, type DatasetRun, type DatasetSummary } from './dataset.ts';
export { makeTexts } from './make-texts.ts';
export { maskOf, maskRuns } from './masks.ts';
export { ObjectSets } from './object-sets.ts';
export { answerOf, runProgram, type Program, type ProgramStep } from './program.ts';
export { answersOf } from './questions.ts';
export { Random } from './random.ts';
export { RELATIONS, type Relation, type Relationships } from './relations.ts';
export {
  describeScene,
  generateScene,
  mirrorScene,
  type RenderedScene,
  type Scene,
  type SceneObject,
  type SceneOptions,
  type SeenObject,
  type TextScene,
} from './scene.ts';
export type { Phrase } from './sentence.ts';
export { combinationsWithheld, SPLITS, WORDINGS, wordingOf, type SceneSplit, type Wording } from './splits.ts';
export {
  EXPRESSION_TYPES,
  QUESTION_TYPES,
  TEXT_KINDS,
  type CaptionText,
  type ExpressionText,
  type NegativeText,
  type QuestionText,
  type SceneText,
  type TextKind,
  type TextOptions,
} from './texts.ts';
export type { Box } from './visibility.ts';
export { SCENE_VOCABULARY, wordsOf } from './vocabulary.ts';
