import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MdetrError } from '../../errors.ts';
import { type NewAnnotation, type RowIds, writeAnnotations } from '../annotation-writer.ts';
import { megabyteSteps } from '../coco-instances.ts';
import { JsonDictionary } from '../json-dictionary.ts';
import { readJsonLists } from '../json-entries.ts';
import type { PreparationOption, PreparationRequest, PreparedFile } from '../preparation.ts';
import type { Remarks } from '../remarks.ts';
import { sourcePath } from '../source-files.ts';
import { boxesByCamera } from './camera-boxes.ts';
import { AnnotatedBoxes, hasBoxes, type ObjectPlaces, placesInScene } from './object-boxes.ts';
import { ProgramError, objectsOfProgram, type MentionedObjects } from './program-objects.ts';
import { ClevrScenes, type ClevrSourceScene } from './scene-source.ts';
import type { ClevrText } from './text-source.ts';

export const BOXES_OPTION: PreparationOption = {
  name: 'boxes',
  value: 'source',
  description:
    'where boxes are from: the scenes themselves, the annotations of Referring Relationships, or the camera, ' +
    'which sees whole objects; auto takes the first that is there',
  choices: ['auto', 'scenes', 'annotations', 'camera'],
  default: 'auto',
};

export const SIZE_OPTION: PreparationOption = {
  name: 'image-size',
  value: 'pixels',
  description: 'width and height of all images',
  default: '480x320',
};

/** Which texts of which scenes become which file. */
export interface ClevrJob {
  readonly texts: string;
  readonly scenes: string;
  /** The list in the file of texts. */
  readonly list: string;
  readonly read: (value: unknown, place: string) => ClevrText;
  readonly name: string;
  readonly datasetName: string;
  /** Files of Referring Relationships for this split, where they would be. */
  readonly annotatedBoxes: { readonly boxes: string; readonly categories: string };
  /** Texts that speak of no object twice only. */
  readonly medium: boolean;
  /** Mark which objects the expression means in the end. */
  readonly withFinal: boolean;
}

type Size = readonly [width: number, height: number];

export const imageSize = (text: string): Size => {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  if (match === null || Number(match[1]) === 0 || Number(match[2]) === 0)
    throw new MdetrError(`--image-size ${text}: write WIDTHxHEIGHT in pixels, as in 480x320`);
  return [Number(match[1]), Number(match[2])];
};

/** Writes the rows of texts with programs: every object that the text speaks of with its box and its words. */
export const writeWithObjects = async (
  request: PreparationRequest,
  job: ClevrJob,
  ids: RowIds,
  leftOut: Remarks,
): Promise<PreparedFile> => {
  const { out, options, progress } = request;
  refuseOverwriting(job.texts, out, job.name);
  const size = imageSize(options['image-size']!);
  const scenes = new ClevrScenes(job.scenes, { onProgress: megabyteSteps(`reading ${job.scenes}, MB`, progress) });
  const placer = new ObjectPlacer(request, job, size);
  try {
    placer.open(scenes.first);
    return await writeAnnotations(out, job.name, ids, async (writer) => {
      const onProgress = megabyteSteps(`${job.name}, reading ${job.texts}, MB`, progress);
      let number = 0;
      for (const { place, value } of readJsonLists(job.texts, [job.list], { onProgress })) {
        const at = `${job.texts}: ${place}`;
        const text = job.read(value, at);
        const index = text.index ?? number;
        number++;
        const scene = scenes.of(text.imageIndex);
        if (scene === undefined) {
          leftOut.add('texts about images without a scene', `${job.name} ${index}`);
          continue;
        }
        if (text.program === undefined)
          throw new MdetrError(`${at}, field program: missing; test questions have none and get no boxes`);
        const found = foundObjects(scene, text, job);
        const places = typeof found === 'string' ? found : placer.of(scene);
        if (typeof found === 'string' || typeof places === 'string') {
          leftOut.add(typeof found === 'string' ? found : (places as string), `${job.name} ${index}`);
          continue;
        }
        const annotations = found.objects.map(({ object, spans, isFinal }): NewAnnotation => {
          const { bbox, segmentation } = places[object]!;
          return {
            area: bbox[2] * bbox[3],
            iscrowd: 0,
            category_id: 1,
            bbox,
            tokens: spans,
            ...(job.withFinal && { isfinal: isFinal ? 1 : 0 }),
            ...(segmentation !== undefined && { segmentation }),
          };
        });
        const image = {
          file_name: scene.image_filename,
          height: size[1],
          width: size[0],
          original_id: text.imageIndex,
          caption: text.text,
          dataset_name: job.datasetName,
          ...(text.answer !== undefined && { answer: text.answer, questionId: index }),
        };
        await writer.write(image, annotations, at);
      }
      return undefined;
    });
  } finally {
    scenes.close();
    placer.close();
  }
};

/** Writes questions, and answers where there are any, without boxes: what is read for answering alone. */
export const writeQuestionsOnly = async (
  { out, options, progress }: PreparationRequest,
  { texts, list, read, name, datasetName }: Pick<ClevrJob, 'texts' | 'list' | 'read' | 'name' | 'datasetName'>,
  ids: RowIds,
): Promise<PreparedFile> => {
  refuseOverwriting(texts, out, name);
  const [width, height] = imageSize(options['image-size']!);
  return writeAnnotations(out, name, ids, async (writer) => {
    const onProgress = megabyteSteps(`${name}, reading ${texts}, MB`, progress);
    let number = 0;
    for (const { place, value } of readJsonLists(texts, [list], { onProgress })) {
      const { text, answer, index, imageIndex, imageFileName } = read(value, `${texts}: ${place}`);
      const image = {
        file_name: imageFileName!,
        height,
        width,
        original_id: imageIndex,
        caption: text,
        dataset_name: datasetName,
        ...(answer !== undefined && { answer }),
        questionId: index ?? number,
      };
      number++;
      await writer.write(image, [], `${texts}: ${place}`);
    }
    return undefined;
  });
};

/** CLEVR's files of questions and those made of them have one name. */
const refuseOverwriting = (source: string, folder: string, name: string): void => {
  if (resolve(source) === resolve(folder, name))
    throw new MdetrError(`${source}: would be overwritten by the file made of it; name another folder with --out`);
};

const foundObjects = (
  scene: ClevrSourceScene,
  { text, program, answer }: ClevrText,
  job: ClevrJob,
): MentionedObjects | string => {
  let found: MentionedObjects;
  try {
    found = objectsOfProgram(scene, program!, text);
  } catch (error) {
    if (error instanceof ProgramError) return error.message;
    throw error;
  }
  if (answer !== undefined && found.answer !== answer) return 'programs that give another answer';
  if (job.medium && found.repeats) return 'texts that speak of an object twice (not in medium)';
  if (job.withFinal && found.objects.every(({ isFinal }) => !isFinal)) return 'expressions that mean no object';
  return found;
};

/** Boxes of scenes, from whichever source is asked for or there. */
class ObjectPlacer {
  private annotated: AnnotatedBoxes | undefined;
  private dictionary: JsonDictionary | undefined;
  private source = 'scenes';
  private latest: { readonly scene: ClevrSourceScene; readonly places: ObjectPlaces } | undefined;

  constructor(
    private readonly request: PreparationRequest,
    private readonly job: ClevrJob,
    private readonly size: Size,
  ) {}

  /** Chooses the source by the first scene. */
  open(first: ClevrSourceScene | undefined): void {
    const asked = this.request.options['boxes'] ?? 'auto';
    const { boxes, categories } = this.job.annotatedBoxes;
    const inScenes = first === undefined || hasBoxes(first);
    const areThere = existsSync(boxes) && existsSync(categories);
    this.source = asked !== 'auto' ? asked : inScenes ? 'scenes' : areThere ? 'annotations' : 'none';
    if (this.source === 'none')
      throw new MdetrError(
        `${this.job.scenes}: the scenes have no boxes, and ${boxes} and ${categories} are not there. They come with ` +
          `Referring Relationships (https://github.com/StanfordVL/ReferringRelationships); --boxes camera does without`,
      );
    if (this.source !== 'annotations') return;
    const onProgress = megabyteSteps(`reading ${boxes}, MB`, this.request.progress);
    this.dictionary = new JsonDictionary(boxes, { onProgress });
    this.annotated = new AnnotatedBoxes(this.dictionary, categories);
  }

  of(scene: ClevrSourceScene): ObjectPlaces {
    if (this.latest?.scene !== scene) this.latest = { scene, places: this.placesOf(scene) };
    return this.latest.places;
  }

  private placesOf(scene: ClevrSourceScene): ObjectPlaces {
    if (this.annotated !== undefined) return this.annotated.of(scene);
    if (this.source === 'scenes') return placesInScene(scene, ...this.size);
    const boxes = boxesByCamera(scene, ...this.size);
    return boxes?.map((bbox) => ({ bbox })) ?? 'scenes whose objects do not tell the camera';
  }

  close(): void {
    this.dictionary?.close();
  }
}

/** Where a split's boxes of Referring Relationships would be; it calls CLEVR's validation split "test". */
export const annotatedBoxesOf = (from: string, split: string): ClevrJob['annotatedBoxes'] => {
  const name = `annotations_${split === 'train' ? 'train' : 'test'}.json`;
  return {
    boxes: sourcePath(from, { path: `boxes/${name}`, or: [name] }),
    categories: sourcePath(from, { path: 'boxes/cat2obj.json', or: ['cat2obj.json'] }),
  };
};
