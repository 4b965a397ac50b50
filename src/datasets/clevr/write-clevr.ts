import { existsSync } from 'node:fs';
import { MdetrError } from '../../errors.ts';
import { type NewAnnotation, type RowIds, writeAnnotations } from '../preparation/annotation-writer.ts';
import { BadRowError, BadRows } from '../source/bad-rows.ts';
import { JsonDictionary } from '../source/json-dictionary.ts';
import { readJsonLists } from '../source/json-entries.ts';
import { megabyteProgress } from '../preparation/megabyte-progress.ts';
import type { PreparationOption, PreparationRequest, PreparedFile } from '../preparation/preparation.ts';
import type { Remarks } from '../preparation/remarks.ts';
import { sourcePath } from '../source/source-files.ts';
import { boxesByCamera } from './camera-boxes.ts';
import { AnnotatedBoxes, hasBoxes, type ObjectRegions, regionsInScene } from './object-boxes.ts';
import { ProgramError, objectsOfProgram, type MentionedObjects } from './program-objects.ts';
import { ClevrScenes, type ClevrSourceScene } from './scene-source.ts';
import type { ClevrText } from './text-source.ts';

/** Option `--boxes` of the preparations of CLEVR. */
export const BOXES_OPTION: PreparationOption = {
  name: 'boxes',
  value: 'source',
  description:
    'source of the boxes: the scenes, the annotations of Referring Relationships, or the camera (boxes of full objects, ' +
    'occluded parts included); auto takes the first that is available',
  choices: ['auto', 'scenes', 'annotations', 'camera'],
  default: 'auto',
};

/** Option `--image-size` of the preparations of CLEVR. */
export const SIZE_OPTION: PreparationOption = {
  name: 'image-size',
  value: 'pixels',
  description: 'width and height of all images',
  default: '480x320',
};

/** Input and output of the conversion of one split. */
export interface ClevrTask {
  /** Path of the file of questions or expressions. */
  readonly texts: string;
  /** Path of the file of scenes. */
  readonly scenes: string;
  /** Key of the list in the file of texts. */
  readonly list: string;
  readonly read: (value: unknown, location: string) => ClevrText;
  /** Name of the output file. */
  readonly name: string;
  readonly datasetName: string;
  /** Paths of the files of Referring Relationships for this split, which need not exist. */
  readonly annotatedBoxes: { readonly boxes: string; readonly categories: string };
  /** Leave out texts that mention an object twice. */
  readonly medium: boolean;
  /** Write `isfinal`: whether the expression refers to the object. */
  readonly withFinal: boolean;
}

type Size = readonly [width: number, height: number];

/** Parses the value of `--image-size`. @throws {MdetrError} if it is not WIDTHxHEIGHT */
const imageSize = (text: string): Size => {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (match === null || Number(match[1]) === 0 || Number(match[2]) === 0)
    throw new MdetrError(`--image-size ${text}: write WIDTHxHEIGHT in pixels, as in 480x320`);
  return [Number(match[1]), Number(match[2])];
};

/**
 * Writes rows of texts with programs: every mentioned object with its box and its words.
 * @throws {MdetrError} naming file and entry of the first value that cannot be used
 */
export const writeWithObjects = async (
  request: PreparationRequest,
  task: ClevrTask,
  ids: RowIds,
  leftOut: Remarks,
): Promise<PreparedFile> => {
  const { out, options, progress } = request;
  const badRows = new BadRows(request.onBadRow, leftOut);
  const size = imageSize(options['image-size']!);
  const scenes = new ClevrScenes(task.scenes, badRows, {
    onProgress: megabyteProgress(`reading ${task.scenes}, MB`, progress),
  });
  const regionSource = new RegionSource(request, task, size);
  try {
    regionSource.open(scenes.first);
    return await writeAnnotations(out, task.name, ids, async (writer) => {
      const onProgress = megabyteProgress(`${task.name}, reading ${task.texts}, MB`, progress);
      let count = 0;
      for (const { location, value } of readJsonLists(task.texts, [task.list], { onProgress })) {
        await badRows.attemptWrite(async () => {
          const at = `${task.texts}: ${location}`;
          const text = task.read(value, at);
          const index = text.index ?? count;
          count++;
          const scene = scenes.of(text.imageIndex);
          if (scene === undefined) {
            leftOut.add('texts about images without a scene', `${task.name} ${index}`);
            return;
          }
          if (text.program === undefined)
            throw new BadRowError(
              `${at}, field program: missing; boxes need programs, which test questions do not have`,
            );
          const found = foundObjects(scene, text, task);
          const regions = typeof found === 'string' ? found : regionSource.of(scene);
          if (typeof found === 'string' || typeof regions === 'string') {
            leftOut.add(typeof found === 'string' ? found : (regions as string), `${task.name} ${index}`);
            return;
          }
          const annotations = found.objects.map(({ object, spans, isFinal }): NewAnnotation => {
            const { bbox, segmentation } = regions[object]!;
            return {
              area: bbox[2] * bbox[3],
              iscrowd: 0,
              category_id: 1,
              bbox,
              tokens: spans,
              isfinal: task.withFinal ? Number(isFinal) : undefined,
              segmentation,
            };
          });
          const image = {
            file_name: scene.image_filename,
            height: size[1],
            width: size[0],
            original_id: text.imageIndex,
            caption: text.text,
            dataset_name: task.datasetName,
            answer: text.answer,
            questionId: text.answer === undefined ? undefined : index,
          };
          await writer.write(image, annotations, at);
        });
      }
      return undefined;
    });
  } finally {
    scenes.close();
    regionSource.close();
  }
};

/**
 * Writes questions with their answers, if known, and without boxes, for question answering only.
 * @throws {MdetrError} naming file and entry of the first value that cannot be used
 */
export const writeQuestionsOnly = async (
  { out, options, progress, onBadRow }: PreparationRequest,
  { texts, list, read, name, datasetName }: Pick<ClevrTask, 'texts' | 'list' | 'read' | 'name' | 'datasetName'>,
  ids: RowIds,
  leftOut: Remarks,
): Promise<PreparedFile> => {
  const badRows = new BadRows(onBadRow, leftOut);
  const [width, height] = imageSize(options['image-size']!);
  return writeAnnotations(out, name, ids, async (writer) => {
    const onProgress = megabyteProgress(`${name}, reading ${texts}, MB`, progress);
    let count = 0;
    for (const { location, value } of readJsonLists(texts, [list], { onProgress })) {
      await badRows.attemptWrite(async () => {
        const { text, answer, index, imageIndex, imageFileName } = read(value, `${texts}: ${location}`);
        const image = {
          file_name: imageFileName!,
          height,
          width,
          original_id: imageIndex,
          caption: text,
          dataset_name: datasetName,
          answer,
          questionId: index ?? count,
        };
        count++;
        await writer.write(image, [], `${texts}: ${location}`);
      });
    }
    return undefined;
  });
};

const foundObjects = (
  scene: ClevrSourceScene,
  { text, program, answer }: ClevrText,
  task: ClevrTask,
): MentionedObjects | string => {
  let found: MentionedObjects;
  try {
    found = objectsOfProgram(scene, program!, text);
  } catch (error) {
    if (error instanceof ProgramError) return error.message;
    throw error;
  }
  if (answer !== undefined && found.answer !== answer) return 'programs that return another answer';
  if (task.medium && found.repeats) return 'texts that mention an object twice (not in medium)';
  if (task.withFinal && found.objects.every(({ isFinal }) => !isFinal)) return 'expressions that refer to no object';
  return found;
};

/** Boxes of scenes from the requested source, or the first available one. */
class RegionSource {
  private annotated: AnnotatedBoxes | undefined;
  private dictionary: JsonDictionary | undefined;
  private source = 'scenes';
  private latest: { readonly scene: ClevrSourceScene; readonly regions: ObjectRegions } | undefined;

  constructor(
    private readonly request: PreparationRequest,
    private readonly task: ClevrTask,
    private readonly size: Size,
  ) {}

  /** Chooses the source by looking at the first scene. @throws {MdetrError} if no source is available */
  open(first: ClevrSourceScene | undefined): void {
    const asked = this.request.options['boxes'] ?? 'auto';
    const { boxes, categories } = this.task.annotatedBoxes;
    const inScenes = first === undefined || hasBoxes(first);
    const areAnnotated = existsSync(boxes) && existsSync(categories);
    this.source = asked !== 'auto' ? asked : inScenes ? 'scenes' : areAnnotated ? 'annotations' : 'none';
    if (this.source === 'none')
      throw new MdetrError(
        `${this.task.scenes}: the scenes have no boxes, and ${boxes} and ${categories} do not exist. They come with ` +
          `Referring Relationships (https://github.com/StanfordVL/ReferringRelationships); --boxes camera does not need them`,
      );
    if (this.source !== 'annotations') return;
    const onProgress = megabyteProgress(`reading ${boxes}, MB`, this.request.progress);
    this.dictionary = new JsonDictionary(boxes, { onProgress });
    this.annotated = new AnnotatedBoxes(this.dictionary, categories);
  }

  of(scene: ClevrSourceScene): ObjectRegions {
    if (this.latest?.scene !== scene) this.latest = { scene, regions: this.regionsOf(scene) };
    return this.latest.regions;
  }

  private regionsOf(scene: ClevrSourceScene): ObjectRegions {
    if (this.annotated !== undefined) return this.annotated.of(scene);
    if (this.source === 'scenes') return regionsInScene(scene, ...this.size);
    const boxes = boxesByCamera(scene, ...this.size);
    return boxes?.map((bbox) => ({ bbox })) ?? 'scenes whose objects do not determine the camera';
  }

  close(): void {
    this.dictionary?.close();
  }
}

/** Paths of a split's boxes in Referring Relationships, which names CLEVR's validation split "test". */
export const annotatedBoxesOf = (from: string, split: string): ClevrTask['annotatedBoxes'] => {
  const name = `annotations_${split === 'train' ? 'train' : 'test'}.json`;
  return {
    boxes: sourcePath(from, { path: `boxes/${name}`, or: [name] }),
    categories: sourcePath(from, { path: 'boxes/cat2obj.json', or: ['cat2obj.json'] }),
  };
};
