import type { Directions } from '../render/camera.ts';
import type { ProgramStep } from '../language/program.ts';
import type { Relationships } from '../render/relations.ts';
import type { Scene } from '../render/scene.ts';
import type { QuestionText } from '../language/texts.ts';

/** An entry of CLEVR's `scenes.json`, extended by the visible box and the visible fraction of each object. */
export interface ClevrScene {
  readonly split: string;
  readonly image_index: number;
  readonly image_filename: string;
  readonly objects: readonly {
    readonly shape: string;
    readonly size: string;
    readonly material: string;
    readonly color: string;
    readonly '3d_coords': readonly number[];
    readonly rotation: number;
    readonly pixel_coords: readonly number[];
    /** Bounds of the visible pixels: x, y, width, height. */
    readonly bbox: readonly number[];
    readonly visible_fraction: number;
  }[];
  readonly relationships: Relationships;
  readonly directions: Readonly<Record<string, readonly number[]>>;
}

/** An entry of CLEVR's `questions.json`. */
export interface ClevrQuestion {
  readonly split: string;
  readonly image_index: number;
  readonly image_filename: string;
  readonly question_index: number;
  readonly question_family_index: number;
  readonly question: string;
  /** Correct answer. */
  readonly answer: string;
  readonly program: readonly ProgramStep[];
}

/** Converts a scene to CLEVR's format. */
export const clevrScene = (scene: Scene, fileName: string): ClevrScene => ({
  split: scene.split,
  image_index: scene.index,
  image_filename: fileName,
  objects: scene.objects.map((object) => {
    const [x, y, depth] = object.pixelCoords;
    const [x0, y0, x1, y1] = object.box;
    return {
      shape: object.shape,
      size: object.size,
      material: object.material,
      color: object.color,
      '3d_coords': object.position.map(rounded),
      rotation: rounded(object.rotation),
      pixel_coords: [Math.round(x), Math.round(y), rounded(depth)],
      bbox: [x0, y0, x1 - x0, y1 - y0],
      visible_fraction: rounded(object.visibleFraction),
    };
  }),
  relationships: scene.relationships,
  directions: Object.fromEntries(
    (Object.keys(scene.directions) as (keyof Directions)[]).map((name) => [name, scene.directions[name].map(rounded)]),
  ),
});

/** Converts a question to CLEVR's format. */
export const clevrQuestion = (
  { text, family, answer, program }: Pick<QuestionText, 'text' | 'family' | 'answer' | 'program'>,
  { split, image_index, image_filename }: ClevrScene,
  questionIndex: number,
): ClevrQuestion => ({
  split,
  image_index,
  image_filename,
  question_index: questionIndex,
  question_family_index: family,
  question: text,
  answer,
  program,
});

/** Rounds to six decimals, and −0 to 0. */
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6 + 0;
