import { rename, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import sharp from 'sharp';
import type { RawImage } from '../../data/images/raw-image.ts';
import { annotationRow, type NewRow } from './annotation-rows.ts';
import { clevrScene, type ClevrScene } from './clevr-format.ts';
import { imageName, imagePath, type DatasetSettings } from './dataset-settings.ts';
import { guard } from '../../files/growing-file.ts';
import { makeTexts } from '../language/make-texts.ts';
import { Random } from '../../random/random.ts';
import { describeScene, generateScene, type Scene, type SceneOptions } from '../render/scene.ts';
import type { QuestionText, SceneText } from '../language/texts.ts';

/** Entries that one scene adds to the files of a dataset. */
export interface DatasetItem {
  readonly index: number;
  readonly scene: ClevrScene;
  readonly questions: readonly Pick<QuestionText, 'text' | 'family' | 'answer' | 'program'>[];
  readonly rows: Readonly<Record<AnnotationFile, readonly NewRow[]>>;
}

/** Names of the annotation files, without extension. */
export const ANNOTATION_FILES: readonly AnnotationFile[] = [
  'captions',
  'refexps',
  'refexp_masks',
  'questions',
  'negatives',
];

/** Name of an annotation file of a scene dataset, without extension. */
export type AnnotationFile = 'captions' | 'refexps' | 'refexp_masks' | 'questions' | 'negatives';

/**
 * Writes the image of a scene, unless an earlier run has written it, and returns its entries.
 * @throws {MdetrError} if the image cannot be written
 */
export const makeDatasetItem = async (
  folder: string,
  settings: DatasetSettings,
  index: number,
): Promise<DatasetItem> => {
  const { seed, split, width, height, minObjects, maxObjects, quality } = settings;
  const options: SceneOptions = {
    split,
    width,
    height,
    minObjects,
    maxObjects,
    quality: quality === 'auto' ? undefined : quality,
  };
  const path = imagePath(folder, settings, index);
  let scene: Scene;
  if (existsSync(path)) {
    scene = describeScene(seed, index, options);
  } else {
    const rendered = generateScene(seed, index, options);
    const bytes = await encodeImage(rendered.image, settings.format);
    await guard(path, async () => {
      await writeFile(`${path}.part`, bytes);
      await rename(`${path}.part`, path);
    });
    scene = rendered;
  }
  const name = imageName(settings, index);
  const { language } = settings;
  const textOptions = { count: settings.textsPerImage, needs: { color: settings.needsColor }, language };
  const texts = <K extends SceneText['kind']>(kind: K) =>
    settings.kinds.includes(kind) ? makeTexts(scene, kind, Random.of(seed, index, kind), textOptions) : [];
  const questions = texts('question');
  const expressions = texts('expression');
  const { anchors } = settings;
  return {
    index,
    scene: clevrScene(scene, name),
    questions: questions.map(({ text, family, answer, program }) => ({ text, family, answer, program })),
    rows: {
      captions: texts('caption').map((text) => annotationRow(scene, text, name)),
      refexps: expressions.map((text) => annotationRow(scene, text, name, { anchors })),
      refexp_masks: expressions.map((text) => annotationRow(scene, text, name, { anchors, masks: true })),
      questions: questions.map((text) => annotationRow(scene, text, name)),
      negatives: texts('negative').map((text) => annotationRow(scene, text, name)),
    },
  };
};

/** Encodes with fixed settings, so that equal pixels give equal bytes with the same version of libvips. */
const encodeImage = ({ data, width, height }: RawImage, format: 'png' | 'jpg'): Promise<Buffer> => {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return format === 'png'
    ? image.png({ compressionLevel: 6, adaptiveFiltering: false, palette: false }).toBuffer()
    : image.jpeg({ quality: 92, chromaSubsampling: '4:4:4', mozjpeg: false }).toBuffer();
};
