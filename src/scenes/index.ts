/** Procedural scenes in CLEVR's format: images, masks, boxes and texts for every task, from a seed and an index. */
export {
  ATTRIBUTES,
  COLORS,
  MATERIALS,
  SHAPES,
  SIZES,
  VALUES,
  type Attribute,
  type Color,
  type Material,
  type ObjectAttributes,
  type Shape,
  type Size,
} from './render/attributes.ts';
export { DATASET_DEFAULTS, type DatasetSettings, type GivenSettings } from './dataset/dataset-settings.ts';
export { writeDataset, type DatasetSummary, type WriteDatasetOptions } from './dataset/dataset.ts';
export type { AnnotationFile } from './dataset/dataset-item.ts';
export { makeTexts, type TextOfKind } from './language/make-texts.ts';
export { maskOf, maskRuns, type InstanceImage } from './render/object-masks.ts';
export { ObjectSets, type Filter, type ObjectSet } from './language/object-sets.ts';
export { answerOf, runProgram, type Program, type ProgramStep, type ProgramValue } from './language/program.ts';
export { answersOf } from './language/questions.ts';
export { Random } from '../random/random.ts';
export type { Camera, Directions, Vector } from './render/camera.ts';
export { RELATIONS, type Relation, type Relationships } from './render/relations.ts';
export {
  describeScene,
  generateScene,
  RENDER_QUALITIES,
  flipScene,
  type RenderedScene,
  type Scene,
  type SceneObject,
  type SceneOptions,
  type SeenObject,
  type TextScene,
} from './render/scene.ts';
export type { Phrase, Sentence } from './language/sentence.ts';
export {
  combinationsWithheld,
  LANGUAGES,
  SPLITS,
  WORDINGS,
  wordingOf,
  type Language,
  type SceneSplit,
  type Wording,
} from './render/splits.ts';
export {
  EXPRESSION_TYPES,
  QUESTION_TYPES,
  TEXT_KINDS,
  type AnyText,
  type CaptionText,
  type ExpressionText,
  type ExpressionType,
  type NegativeText,
  type QuestionText,
  type QuestionType,
  type SceneText,
  type TextKind,
  type TextOptions,
} from './language/texts.ts';
export type { PlacedObject } from './render/solids.ts';
export type { Box } from './render/visibility.ts';
export { SCENE_VOCABULARY, WIDE_SCENE_VOCABULARY, wordsOf } from './language/vocabulary.ts';
