import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MdetrError, messageOf } from '../../errors.ts';
import { decodeImage } from '../../data/images/image.ts';
import { flipImage, type RawImage } from '../../data/images/raw-image.ts';
import { IMAGE_FOLDER } from '../../scenes/dataset/dataset-settings.ts';
import {
  describeScene,
  generateScene,
  makeTexts,
  maskOf,
  mirrorScene,
  Random,
  SPLITS,
  VALUES,
  type Scene,
  type SceneOptions,
  type SceneText,
  type TextKind,
  type TextOptions,
} from '../../scenes/index.ts';
import { hasMaskLosses } from '../../losses/index.ts';
import type { TrainConfig } from '../config/config.ts';
import type { TextStage } from '../config/slices/scenes.ts';
import type { DrawnScenes } from '../config/slices/datasets.ts';
import type { AnswerLabeller } from './answer-labels.ts';
import { answerStepsOf } from '../auxiliary/answer-steps.ts';
import type { Draw, ImageObjects, ImageSample, SampleSource, TextSample } from './sample-source.ts';

/** The attributes that the backbone's helper loss asks for, with their numbers of classes. */
export const objectAttributes = [
  { name: 'shape', classes: VALUES.shape.length },
  { name: 'color', classes: VALUES.color.length },
  { name: 'size', classes: VALUES.size.length },
  { name: 'material', classes: VALUES.material.length },
] as const;

const kinds = ['caption', 'expression', 'question', 'negative'] as const satisfies readonly TextKind[];

/** What decides the pictures of a source. */
export interface SceneImages {
  readonly seed: number;
  readonly start: number;
  readonly images: number;
  readonly options: Required<Pick<SceneOptions, 'split' | 'width' | 'height' | 'minObjects' | 'maxObjects'>> &
    Pick<SceneOptions, 'quality'>;
  /** The picture's file, where there is a folder of them. */
  readonly fileOf?: (index: number) => string;
  readonly isLossless: boolean;
  readonly name: string;
}

const folderSchema = z.object({
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

/** The pictures of a folder that `mdetr scenes` wrote. Throws `MdetrError` when it is none. */
const imagesOfFolder = (folder: string): SceneImages => {
  const path = join(folder, 'dataset.json');
  let settings: z.infer<typeof folderSchema>;
  try {
    settings = folderSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new MdetrError(
      `${folder}: no folder of scenes (${path}: ${messageOf(error).split('\n')[0]!}); make one with mdetr scenes`,
      {
        cause: error,
      },
    );
  }
  const { seed, start, images, quality, format, ...options } = settings;
  return {
    ...{ seed, start, images, name: folder, isLossless: format === 'png' },
    options: { ...options, ...(quality === 'auto' ? {} : { quality }) },
    fileOf: (index) => join(folder, IMAGE_FOLDER, `scene_${options.split}_${String(index).padStart(6, '0')}.${format}`),
  };
};

const imagesToDraw = ({ seed, start, images, split, width, height, ...rest }: DrawnScenes): SceneImages => ({
  ...{ seed, start, images, isLossless: true, name: `scenes of seed ${seed}` },
  options: { split, width, height, minObjects: rest.min_objects, maxObjects: rest.max_objects },
});

/** The pictures of a folder, or of scenes to be drawn. Throws `MdetrError` for a folder that is none of scenes. */
export const sceneImages = (from: string | DrawnScenes): SceneImages =>
  typeof from === 'string' ? imagesOfFolder(from) : imagesToDraw(from);

/** Scenes with texts that are made anew for every epoch. */
export class SceneSource implements SampleSource {
  readonly length: number;
  private readonly images: SceneImages;

  /** @param from a folder, or what to draw */
  constructor(
    from: string | DrawnScenes,
    private readonly config: TrainConfig,
    private readonly labels: AnswerLabeller | undefined,
  ) {
    this.images = sceneImages(from);
    this.length = this.images.images;
  }

  sizeOf(): { readonly width: number; readonly height: number } {
    return this.images.options;
  }

  async get(row: number, draw: Draw): Promise<ImageSample> {
    const { seed, start, name } = this.images;
    const index = start + row;
    const random = Random.of(draw.seed, draw.epoch, seed, index, 'training');
    const isMirrored = random.chance(this.config.horizontal_flip_prob);
    const plain = describeScene(seed, index, this.images.options);
    const scene = isMirrored ? mirrorScene(plain) : plain;
    const image = await this.image(index);
    const stage = this.stageAt(draw.pairsBefore);
    const texts = Array.from({ length: this.config.texts_per_image }, () => makeText(scene, stage, random));
    const samples = texts.map((text) => this.sampleOf(scene, text));
    return {
      id: `${name}, scene ${index}`,
      image: isMirrored ? flipImage(image) : image,
      texts: samples.map(({ sample }) => sample),
      objects: objectsOf(
        scene,
        samples.map(({ objects }) => objects),
      ),
    };
  }

  close(): void {
    // Nothing is kept open.
  }

  /** The picture's file; drawn again where the folder still lacks it and the result is the same. */
  private async image(index: number): Promise<RawImage> {
    const { fileOf, isLossless, seed, options } = this.images;
    const path = fileOf?.(index);
    if (path !== undefined && (!isLossless || existsSync(path))) return decodeImage(path, { orient: false });
    return generateScene(seed, index, options).image;
  }

  private stageAt(pairs: number): TextStage {
    return (
      this.config.texts.find(({ until_pairs: until }) => until === undefined || pairs < until) ??
      this.config.texts.at(-1)!
    );
  }

  private sampleOf(scene: Scene, text: SceneText): { sample: TextSample; objects: readonly number[] } {
    const { width, height } = scene;
    const objects = scene.objects
      .map((_, i) => i)
      .filter((i) => text.phrases.some((phrase) => phrase.objects.includes(i)));
    const phrasesOf = (i: number) => text.phrases.filter((phrase) => phrase.objects.includes(i));
    const sample: TextSample = {
      caption: text.text,
      boxesCxcywh: Float32Array.from(
        objects.flatMap((i) => {
          const [x0, y0, x1, y1] = scene.objects[i]!.box;
          return [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height];
        }),
      ),
      tokensPositive: objects.map((i) => phrasesOf(i).map(({ start, end }) => [start, end] as const)),
      // Anchors only tell where to look; all else is what the text is about.
      isFinal: objects.map((i) => Number(phrasesOf(i).some(({ role }) => role !== 'anchor'))),
      ...(!hasMaskLosses(this.config) ? {} : { masks: { data: joinMasks(scene, objects), width, height } }),
      ...(this.labels === undefined
        ? {}
        : { answers: this.labels(text.kind === 'question' ? { answer: text.answer } : undefined) }),
      ...(this.config.answer_auxiliary_loss > 0 && text.kind === 'question'
        ? {
            answerSteps: answerStepsOf(scene, text.program),
            answerObjects: objects.filter((i) => phrasesOf(i).some(({ role }) => role === 'target')),
          }
        : {}),
    };
    return { sample, objects };
  }
}

/** A text of the stage's mixture; where the scene has nothing to say of the drawn kind, another draw. */
const makeText = (scene: Scene, stage: TextStage, random: Random): SceneText => {
  const options: TextOptions = {
    minPhrases: stage.min_phrases,
    maxPhrases: stage.max_phrases,
    groups: stage.groups,
    needs: { color: stage.needs_color, material: stage.needs_material },
    ...(stage.expression_types && { expressionTypes: stage.expression_types }),
    ...(stage.question_types && { questionTypes: stage.question_types }),
  };
  for (let tries = 0; tries < 100; tries++) {
    const kind = random.pickWeighted(
      kinds,
      kinds.map((name) => stage[name]),
    );
    const [text] = makeTexts(scene, kind, random, options);
    if (text !== undefined) return text;
  }
  throw new MdetrError('a scene of which no text of the asked kinds can be made: allow captions too');
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
      objectAttributes.map(({ name }) => (VALUES[name] as readonly string[]).indexOf(object[name])),
    ),
  ),
  objectOfBox,
});
