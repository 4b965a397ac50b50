import { join } from 'node:path';
import { UsageError } from '../../errors.ts';
import { requireWhole } from '../render/require-integer.ts';
import { completeSceneOptions, RENDER_QUALITIES, SCENE_DEFAULTS } from '../render/scene.ts';
import { SPLITS, type SceneSplit } from '../render/splits.ts';
import { TEXT_KINDS, type TextKind } from '../language/texts.ts';

/** Everything that decides the bytes of a data set. */
export interface DatasetSettings {
  readonly seed: number;
  /** Number of scenes, the first of which has index `start`. */
  readonly images: number;
  readonly start: number;
  readonly split: SceneSplit;
  readonly width: number;
  readonly height: number;
  readonly minObjects: number;
  readonly maxObjects: number;
  readonly quality: keyof typeof RENDER_QUALITIES | 'auto';
  readonly format: 'png' | 'jpg';
  /** Of each kind. */
  readonly textsPerImage: number;
  readonly kinds: readonly TextKind[];
  /** Chance that a phrase needs its colour word. */
  readonly needsColor: number;
  /** Annotate the anchors of expressions too. */
  readonly anchors: boolean;
}

export const DATASET_DEFAULTS = {
  ...SCENE_DEFAULTS,
  seed: 1,
  start: 0,
  quality: 'auto',
  format: 'png',
  textsPerImage: 3,
  kinds: TEXT_KINDS,
  needsColor: 0.25,
  anchors: false,
} as const satisfies Omit<DatasetSettings, 'images'>;

/** The images folder, where names in annotation files start. */
export const IMAGE_FOLDER = 'images';

export const imageName = ({ split, format }: DatasetSettings, index: number): string =>
  `scene_${split}_${String(index).padStart(6, '0')}.${format}`;

export const isImageName = (name: string): boolean => /^scene_[a-z-]+_\d+\.(png|jpg)(\.part)?$/.test(name);

export const imagePath = (folder: string, settings: DatasetSettings, index: number): string =>
  join(folder, IMAGE_FOLDER, imageName(settings, index));

/** @throws UsageError before anything is written. */
export const checkSettings = (settings: DatasetSettings): void => {
  const { width, height, minObjects, maxObjects, split, needsColor } = settings;
  completeSceneOptions({ width, height, minObjects, maxObjects });
  requireWhole('seed', settings.seed, 0, Number.MAX_SAFE_INTEGER);
  requireWhole('images', settings.images, 1, 100_000_000);
  requireWhole('start', settings.start, 0, Number.MAX_SAFE_INTEGER - settings.images);
  requireWhole('textsPerImage', settings.textsPerImage, 0, 100);
  if (!(needsColor >= 0 && needsColor <= 1))
    throw new UsageError(`needsColor is ${needsColor}: it must be from 0 to 1`);
  if (!SPLITS.includes(split)) throw new UsageError(`split is "${split}": choose from ${SPLITS.join(', ')}`);
};
