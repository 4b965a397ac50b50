import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MdetrError, messageOf } from '../../errors.ts';
import { readJsonFileSync } from '../../files/json/json-file.ts';
import { decodeImage } from '../../data/images/node/decode-image.ts';
import { flipImage, type RawImage } from '../../data/images/raw-image.ts';
import { IMAGE_FOLDER } from '../../scenes/dataset/dataset-settings.ts';
import {
  describeScene,
  generateScene,
  makeTexts,
  maskOf,
  flipScene,
  SPLITS,
  VALUES,
  type Scene,
  type SceneOptions,
  type SceneText,
  type TextKind,
  type TextOptions,
} from '../../scenes/index.ts';
import { joinExpressions, type JoinedExpressions } from '../../scenes/language/joined-expressions.ts';
import { Random } from '../../random/random.ts';
import type { Tokenizer } from '../../text/index.ts';
import { hasMaskLosses, type LossConfig } from '../../losses/index.ts';
import type { TextStage } from '../config/slices/scenes.ts';
import type { DrawnScenes } from '../config/slices/datasets.ts';
import type { AnswerLabeler } from './answer-labels.ts';
import { answerSlotsOf } from '../auxiliary/answer-slots.ts';
import { answerStepsOf } from '../auxiliary/answer-steps.ts';
import { comparisonsOf, relatedObjectsOf } from '../auxiliary/comparisons.ts';
import type { ImageObjects } from '../auxiliary/auxiliary-batch.ts';
import { OBJECT_ATTRIBUTES } from '../auxiliary/object-attributes.ts';
import { tokenizeSample } from './caption-sample.ts';
import { withContext } from './error-context.ts';
import type { CaptionSample, ImageSample, SampleKey, SampleSource } from './sample-source.ts';
import type { AugmentationConfig, AuxiliaryConfig, SceneTextConfig } from '../config/run-settings.ts';

const KINDS = ['caption', 'expression', 'question', 'negative'] as const satisfies readonly TextKind[];

/** Settings that determine the images of a scene source. */
export interface SceneImages {
  readonly seed: number;
  readonly start: number;
  readonly images: number;
  readonly options: Required<Pick<SceneOptions, 'split' | 'width' | 'height' | 'minObjects' | 'maxObjects'>> &
    Pick<SceneOptions, 'quality'>;
  /** Path of an image, for scenes in a folder. */
  readonly fileOf?: (index: number) => string;
  readonly isLossless: boolean;
  readonly name: string;
}

/** Version of `dataset.json` that this release writes and reads. */
const FOLDER_VERSION = 1;

const folderSchema = z.object({
  format_version: z.number().default(FOLDER_VERSION),
  seed: z.number(),
  start: z.number(),
  images: z.number(),
  split: z.enum(SPLITS),
  width: z.number(),
  height: z.number(),
  minObjects: z.number(),
  maxObjects: z.number(),
  quality: z.enum(['auto', 'fast', 'fine']),
  format: z.enum(['png', 'jpg']),
});

/** Settings of a folder that `mdetr scenes` wrote. */
const imagesOfFolder = (folder: string): SceneImages => {
  const path = join(folder, 'dataset.json');
  let settings: z.infer<typeof folderSchema>;
  try {
    settings = folderSchema.parse(readJsonFileSync(path));
  } catch (error) {
    throw new MdetrError(
      `${folder}: is not a folder of scenes (${messageOf(error).split('\n')[0]!}); make one with mdetr scenes`,
      { cause: error },
    );
  }
  const { seed, start, images, quality, format, format_version: version, ...options } = settings;
  if (version > FOLDER_VERSION)
    throw new MdetrError(
      `${path}: has version ${version}; this release reads folders of scenes up to version ${FOLDER_VERSION}. Update mdetr.`,
    );
  return {
    seed,
    start,
    images,
    name: folder,
    isLossless: format === 'png',
    options: { ...options, quality: quality === 'auto' ? undefined : quality },
    fileOf: (index) => join(folder, IMAGE_FOLDER, `scene_${options.split}_${String(index).padStart(6, '0')}.${format}`),
  };
};

const imagesToRender = ({ seed, start, images, split, width, height, ...rest }: DrawnScenes): SceneImages => ({
  seed,
  start,
  images,
  isLossless: true,
  name: `scenes of seed ${seed}`,
  options: { split, width, height, minObjects: rest.min_objects, maxObjects: rest.max_objects },
});

/**
 * Settings of the scenes of a folder, or of scenes to be rendered.
 *
 * @throws {MdetrError} for a folder without scenes
 */
export const sceneImages = (from: string | DrawnScenes): SceneImages =>
  typeof from === 'string' ? imagesOfFolder(from) : imagesToRender(from);

/** Generated scenes whose captions are made anew every epoch. */
export class SceneSource implements SampleSource {
  readonly length: number;
  private readonly images: SceneImages;

  /** @param from a folder of scenes, or which scenes to render */
  constructor(
    from: string | DrawnScenes,
    private readonly config: LossConfig & SceneTextConfig & AugmentationConfig & AuxiliaryConfig,
    private readonly labels: AnswerLabeler | undefined,
  ) {
    this.images = sceneImages(from);
    this.length = this.images.images;
  }

  sizeOf(): { readonly width: number; readonly height: number } {
    return this.images.options;
  }

  async get(row: number, key: SampleKey, tokenizer: Tokenizer): Promise<ImageSample> {
    const { seed, start, name } = this.images;
    const index = start + row;
    const id = `${name}, scene ${index}`;
    const random = Random.of(key.seed, key.epoch, seed, index, 'training');
    const isFlipped = random.chance(this.config.horizontal_flip_prob);
    const original = describeScene(seed, index, this.images.options);
    const scene = isFlipped ? flipScene(original) : original;
    const image = await this.image(index);
    const stage = this.stageAt(key.pairsBefore);
    const texts = Array.from({ length: this.config.texts_per_image }, () => makeText(scene, stage, random));
    const mentioned = texts.map(({ phrases }) =>
      scene.objects.map((_, i) => i).filter((i) => phrases.some((phrase) => phrase.objects.includes(i))),
    );
    return {
      id,
      image: isFlipped ? flipImage(image) : image,
      captions: texts.map((text, i) => withContext(id, () => this.sampleOf(scene, text, mentioned[i]!, tokenizer))),
      objects: {
        ...objectsOf(scene, mentioned),
        related: this.config.relation_auxiliary_loss > 0 ? relatedObjectsOf(scene) : undefined,
      },
    };
  }

  close(): void {
    // Nothing is kept open.
  }

  /** The image from its file; rendered again where the folder lacks it and the format is lossless. */
  private async image(index: number): Promise<RawImage> {
    const { fileOf, isLossless, seed, options } = this.images;
    const path = fileOf?.(index);
    if (path !== undefined && (!isLossless || existsSync(path))) return decodeImage(path, { orientation: 'stored' });
    return generateScene(seed, index, options).image;
  }

  private stageAt(pairs: number): TextStage {
    return (
      this.config.texts.find(({ until_pairs: until }) => until === undefined || pairs < until) ??
      this.config.texts.at(-1)!
    );
  }

  /** @param objects indices of the objects that the text mentions, one box for each */
  private sampleOf(scene: Scene, text: TrainingText, objects: readonly number[], tokenizer: Tokenizer): CaptionSample {
    const { width, height } = scene;
    const phrasesOf = (i: number) => text.phrases.filter((phrase) => phrase.objects.includes(i));
    const isQuestion = text.kind === 'question';
    const isTraced = isQuestion && this.config.answer_auxiliary_loss + this.config.object_auxiliary_loss > 0;
    const isRelated = this.config.relation_auxiliary_loss > 0;
    const programs = 'programs' in text ? text.programs : 'program' in text ? [text.program] : undefined;
    const fields = {
      caption: text.text,
      boxesCxcywh: Float32Array.from(
        objects.flatMap((i) => {
          const [x0, y0, x1, y1] = scene.objects[i]!.box;
          return [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height];
        }),
      ),
      tokensPositive: objects.map((i) => phrasesOf(i).map(({ start, end }) => [start, end] as const)),
      // Landmarks only say where to look; all other objects are what the caption refers to.
      isFinal: objects.map((i) => Number(phrasesOf(i).some(({ role }) => role !== 'anchor'))),
      masks: hasMaskLosses(this.config) ? { data: joinMasks(scene, objects), width, height } : undefined,
      answers: this.labels?.(isQuestion ? { answer: text.answer } : undefined),
      answerSteps: isTraced ? answerStepsOf(scene, text.program) : undefined,
      comparisons: isRelated && programs !== undefined ? comparisonsOf(scene, programs) : undefined,
      answerSlots: isTraced ? answerSlotsOf(scene, text.program) : undefined,
    };
    return tokenizeSample(fields, tokenizer);
  }
}

type TrainingText = SceneText | JoinedExpressions;

/** A caption of the stage's mixture. Kinds are chosen again while the scene has no caption of the chosen kind. */
const makeText = (scene: Scene, stage: TextStage, random: Random): TrainingText => {
  const options: TextOptions = {
    language: stage.plain_fraction > 0 && random.chance(stage.plain_fraction) ? 'plain' : stage.language,
    minPhrases: stage.min_phrases,
    maxPhrases: stage.max_phrases,
    groups: stage.groups,
    needs: { color: stage.needs_color, material: stage.needs_material },
    expressionTypes: stage.expression_types,
    questionTypes: stage.question_types,
  };
  for (let tries = 0; tries < 100; tries++) {
    const kind = random.pickWeighted(
      KINDS,
      KINDS.map((name) => stage[name]),
    );
    const joins = kind === 'expression' && stage.joined_expressions > 1;
    const text = joins
      ? joinExpressions(scene, random.integer(1, stage.joined_expressions), random, options)
      : makeTexts(scene, kind, random, options)[0];
    if (text !== undefined) return text;
  }
  throw new MdetrError('a scene has no text of the kinds that the stage allows: allow captions too');
};

const joinMasks = (scene: Scene, objects: readonly number[]): Uint8Array => {
  const area = scene.width * scene.height;
  const joined = new Uint8Array(objects.length * area);
  objects.forEach((object, position) => joined.set(maskOf(scene, object), position * area));
  return joined;
};

const objectsOf = (scene: Scene, objectOfBox: readonly (readonly number[])[]): ImageObjects => ({
  instances: scene.instances,
  boxesXyxy: Float32Array.from(
    scene.objects.flatMap(({ box }) => box.map((value, side) => value / (side % 2 === 0 ? scene.width : scene.height))),
  ),
  attributes: Int32Array.from(
    scene.objects.flatMap((object) =>
      OBJECT_ATTRIBUTES.map(({ name }) => (VALUES[name] as readonly string[]).indexOf(object[name])),
    ),
  ),
  objectOfBox,
});
