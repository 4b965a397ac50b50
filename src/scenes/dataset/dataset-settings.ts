import { join } from 'node:path';
import { UsageError } from '../../errors.ts';
import {
  booleanRule,
  checkOptions,
  oneOf,
  withoutUndefined,
  type OptionRule,
  type OptionRules,
} from '../../options/check-options.ts';
import { requireInteger } from '../render/require-integer.ts';
import { completeSceneOptions, RENDER_QUALITIES, SCENE_DEFAULTS } from '../render/scene.ts';
import { LANGUAGES, SPLITS, type Language, type SceneSplit } from '../render/splits.ts';
import { TEXT_KINDS, type TextKind } from '../language/texts.ts';

/** All settings that determine the bytes of a dataset. */
export interface DatasetSettings {
  /** Seed of scenes and texts. */
  readonly seed: number;
  /** Number of scenes. */
  readonly images: number;
  /** Index of the first scene. */
  readonly start: number;
  /** Split, which determines attribute combinations and wordings. */
  readonly split: SceneSplit;
  /** Language of the texts of splits with training wording. */
  readonly language: Language;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Minimum number of objects. */
  readonly minObjects: number;
  /** Maximum number of objects. */
  readonly maxObjects: number;
  /** Number of rays and shadow samples; `auto` depends on the image size. */
  readonly quality: keyof typeof RENDER_QUALITIES | 'auto';
  /** Format of the image files. */
  readonly format: 'png' | 'jpg';
  /** Number of texts per image, for each kind. */
  readonly textsPerImage: number;
  /** Kinds of texts. */
  readonly kinds: readonly TextKind[];
  /** Probability that a phrase would be ambiguous without its color word. */
  readonly needsColor: number;
  /** Annotate the anchors of expressions too. */
  readonly anchors: boolean;
}

/** Default settings; only `images` must be given. */
export const DATASET_DEFAULTS = {
  ...SCENE_DEFAULTS,
  language: 'plain',
  seed: 1,
  start: 0,
  quality: 'auto',
  format: 'png',
  textsPerImage: 3,
  kinds: TEXT_KINDS,
  needsColor: 0.25,
  anchors: false,
} as const satisfies Omit<DatasetSettings, 'images'>;

/** Folder of the images. File names in annotation files are relative to it. */
export const IMAGE_FOLDER = 'images';

/** File name of a scene's image. */
export const imageName = ({ split, format }: DatasetSettings, index: number): string =>
  `scene_${split}_${String(index).padStart(6, '0')}.${format}`;

/** Whether a file name is that of a scene's image, complete or in progress. */
export const isImageName = (name: string): boolean => /^scene_[a-z-]+_\d+\.(png|jpg)(\.part)?$/.test(name);

/** Path of a scene's image. */
export const imagePath = (folder: string, settings: DatasetSettings, index: number): string =>
  join(folder, IMAGE_FOLDER, imageName(settings, index));

/** Settings of a call: the number of images, and what differs from the defaults. */
export type GivenSettings = Partial<DatasetSettings> & Pick<DatasetSettings, 'images'>;

const numberRule: OptionRule = { expected: 'a number', accepts: (value) => typeof value === 'number' };

/** Types of the settings; their ranges are checked afterwards. */
const SETTING_RULES: OptionRules<DatasetSettings> = {
  seed: numberRule,
  images: numberRule,
  start: numberRule,
  split: oneOf(...SPLITS),
  language: oneOf(...LANGUAGES),
  width: numberRule,
  height: numberRule,
  minObjects: numberRule,
  maxObjects: numberRule,
  quality: oneOf('auto', ...Object.keys(RENDER_QUALITIES)),
  format: oneOf('png', 'jpg'),
  textsPerImage: numberRule,
  kinds: {
    expected: `a list of ${TEXT_KINDS.join(', ')}`,
    accepts: (value) =>
      Array.isArray(value) && value.every((kind) => (TEXT_KINDS as readonly unknown[]).includes(kind)),
  },
  needsColor: numberRule,
  anchors: booleanRule,
};

/** Settings of a call with the defaults of the others. @throws {UsageError} naming the first one that is unknown or invalid */
export const completeSettings = (where: string, given: GivenSettings): DatasetSettings => {
  if ((given as unknown) === undefined) throw new UsageError(`${where}: the settings are missing; at least { images }`);
  checkOptions(where, given, SETTING_RULES);
  const settings = { ...DATASET_DEFAULTS, ...withoutUndefined(given) } as DatasetSettings;
  checkRanges(settings);
  return settings;
};

const checkRanges = (settings: DatasetSettings): void => {
  const { width, height, minObjects, maxObjects, needsColor } = settings;
  completeSceneOptions({ width, height, minObjects, maxObjects });
  requireInteger('seed', settings.seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('images', settings.images, 1, 100_000_000);
  requireInteger('start', settings.start, 0, Number.MAX_SAFE_INTEGER - settings.images);
  requireInteger('textsPerImage', settings.textsPerImage, 0, 100);
  if (!(needsColor >= 0 && needsColor <= 1))
    throw new UsageError(`needsColor is ${needsColor}: must be between 0 and 1`);
};
