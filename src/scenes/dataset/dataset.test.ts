import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CocoAnnotation, type CocoImage } from '../../data/format/coco-format.ts';
import { isUsable, problemsOfRow } from '../../data/format/row-checks.ts';
import { targetFromRow } from '../../data/format/row-target.ts';
import { maskArea, maskBoundsXywh } from '../../geometry/run-lengths.ts';
import type { ClevrQuestion, ClevrScene } from './clevr-format.ts';
import { ANNOTATION_FILES, type AnnotationFile } from './dataset-item.ts';
import { writeDataset } from './dataset.ts';
import { DATASET_DEFAULTS, type DatasetSettings } from './dataset-settings.ts';
import { generateScene } from '../render/scene.ts';

const settings: DatasetSettings = { ...DATASET_DEFAULTS, images: 12, start: 5, width: 96, height: 64 };

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'scenes-'));
  await writeDataset(join(root, 'one'), settings, { threads: 1 });
}, 60_000);
afterAll(() => rm(root, { recursive: true, force: true }));

const filesOf = async (folder: string): Promise<Map<string, Buffer>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(files.sort().map(async (path) => [path.slice(folder.length), await readFile(path)] as const)),
  );
};

interface AnnotationsJson {
  images: CocoImage[];
  annotations: CocoAnnotation[];
  categories: unknown[];
}
const json = async <T>(...path: string[]): Promise<T> =>
  JSON.parse(await readFile(join(root, 'one', ...path), 'utf8')) as T;
const annotationsOf = (name: AnnotationFile) => json<AnnotationsJson>('annotations', `${name}.json`);

describe('a dataset of scenes', () => {
  it('has the same bytes with one and with two threads', async () => {
    const done: number[] = [];
    await writeDataset(join(root, 'two'), settings, { threads: 2, onProgress: (count) => done.push(count) });
    expect(await filesOf(join(root, 'two'))).toEqual(await filesOf(join(root, 'one')));
    expect(done).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  }, 60_000);

  it('has images with the pixels of the generator', async () => {
    const path = join(root, 'one', 'images', 'scene_standard_000009.png');
    const { data } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    expect(new Uint8Array(data)).toEqual(generateScene(1, 9, { width: 96, height: 64 }).image.data);
  });

  it('has CLEVR’s scenes and questions', async () => {
    const { scenes } = await json<{ scenes: ClevrScene[] }>('scenes.json');
    expect(scenes.map(({ image_index }) => image_index)).toEqual(Array.from({ length: 12 }, (_, i) => i + 5));
    const { questions } = await json<{ questions: ClevrQuestion[] }>('questions.json');
    expect(questions).toHaveLength(36);
    expect(questions.map(({ question_index }) => question_index)).toEqual(questions.map((_, i) => i));
    for (const { program, image_filename, image_index } of questions) {
      expect(scenes[image_index - 5]!.image_filename).toBe(image_filename);
      program.forEach(({ inputs }, at) => expect(inputs.every((input) => input < at)).toBe(true));
    }
    const { objects, directions, relationships } = scenes[0]!;
    expect(Object.keys(relationships)).toEqual(['left', 'right', 'front', 'behind']);
    expect(Object.keys(directions).sort()).toEqual(['above', 'behind', 'below', 'front', 'left', 'right']);
    expect(objects[0]!['3d_coords']).toHaveLength(3);
  });

  it.each(ANNOTATION_FILES)('%s are valid rows of the official format', async (name) => {
    const { images, annotations, categories } = await annotationsOf(name);
    expect(images).toHaveLength(36);
    expect(images.map(({ id }) => id)).toEqual(images.map((_, i) => i + 1));
    expect(annotations.map(({ id }) => id)).toEqual(annotations.map((_, i) => i + 1));
    expect(categories).toHaveLength(1);
    for (const image of images) {
      const row = { image, annotations: annotations.filter(({ image_id }) => image_id === image.id) };
      const problems = problemsOfRow(row);
      expect(problems).toEqual([]);
      if (!isUsable(row, problems)) throw new Error('not usable');
      const target = targetFromRow(row, [64, 96], { masks: name === 'refexp_masks' });
      target.masks?.forEach((mask, i) => {
        expect(maskBoundsXywh(mask)).toEqual([...row.annotations[i]!.bbox]);
        expect(maskArea(mask)).toBe(row.annotations[i]!.area);
      });
      if (name === 'captions') expect(image.tokens_negative).toEqual([]);
      if (name === 'captions') expect(image.tokens_positive_eval!.length).toBeGreaterThan(0);
      if (name === 'negatives') expect(image.tokens_negative!.length).toBeGreaterThan(0);
      if (name.startsWith('refexp')) expect(row.annotations.map(({ isfinal }) => isfinal)).toEqual([1]);
      if (name === 'questions') expect(typeof image['answer']).toBe('string');
    }
  });

  it('resumes an interrupted run without rendering finished images again, and leaves no incomplete file', async () => {
    const folder = join(root, 'stopped');
    const stop = new AbortController();
    const run = writeDataset(folder, settings, {
      threads: 2,
      signal: stop.signal,
      onProgress: (done) => done === 3 && stop.abort(),
    });
    await expect(run).rejects.toThrow(/stopped/);
    const names = [...(await filesOf(folder)).keys()];
    expect(names.filter((name) => !/(\.png|dataset\.json)$/.test(name))).toEqual([]);
    const first = join(folder, 'images', 'scene_standard_000005.png');
    const { mtimeMs } = await stat(first);
    await writeDataset(folder, settings, { threads: 1 });
    expect((await stat(first)).mtimeMs).toBe(mtimeMs);
    expect(await filesOf(folder)).toEqual(await filesOf(join(root, 'one')));
  }, 60_000);

  it('names settings that are missing, unknown or of another type', async () => {
    const call = (...args: unknown[]): Promise<unknown> =>
      (writeDataset as (...all: unknown[]) => Promise<unknown>)(join(root, 'none'), ...args);
    await expect(call()).rejects.toThrow('writeDataset: the settings are missing');
    await expect(call(null)).rejects.toThrow('writeDataset: options must be an object, not null');
    await expect(call({ images: '3' })).rejects.toThrow('writeDataset: images must be a number, not "3"');
    await expect(call({ images: 1, imges: 1 })).rejects.toThrow('did you mean "images"?');
    await expect(call({ images: 1, kinds: 'caption' })).rejects.toThrow('kinds must be a list of');
  });

  it('rejects a folder with other settings or other files, unless overwriting scenes is allowed', async () => {
    const other = { ...settings, images: 2, seed: 2 };
    await expect(writeDataset(join(root, 'one'), other)).rejects.toThrow(/other settings.*--overwrite/);
    const folder = join(root, 'taken');
    await writeDataset(folder, { ...settings, images: 1 });
    await writeFile(join(folder, 'images', 'holiday.png'), 'mine');
    await writeDataset(folder, other, { overwrite: true });
    expect(await readdir(join(folder, 'images'))).toEqual([
      'holiday.png',
      'scene_standard_000005.png',
      'scene_standard_000006.png',
    ]);
    await rm(join(folder, 'dataset.json'));
    await expect(writeDataset(folder, other, { overwrite: true })).rejects.toThrow(/not empty/);
  }, 60_000);

  it('names invalid settings, and a path that cannot be written', async () => {
    await expect(writeDataset(join(root, 'x'), { ...settings, images: 0 })).rejects.toThrow(/images is 0/);
    await expect(writeDataset(join(root, 'y'), { ...settings, width: 10 })).rejects.toThrow(/width is 10/);
    expect(existsSync(join(root, 'y'))).toBe(false);
    await writeFile(join(root, 'file'), '');
    await expect(writeDataset(join(root, 'file', 'z'), settings)).rejects.toThrow(/file.*cannot be written/);
  });

  it('writes JPEG, anchors, and only the requested kinds', async () => {
    const folder = join(root, 'jpg');
    const some: DatasetSettings = { ...settings, images: 2, format: 'jpg', kinds: ['expression'], anchors: true };
    const summary = await writeDataset(folder, some);
    expect(summary).toEqual({ captions: 0, refexps: 6, refexp_masks: 6, questions: 0, negatives: 0 });
    expect(await readdir(join(folder, 'images'))).toEqual(['scene_standard_000005.jpg', 'scene_standard_000006.jpg']);
    const text = await readFile(join(folder, 'annotations', 'refexps.json'), 'utf8');
    const { images, annotations } = JSON.parse(text) as AnnotationsJson;
    for (const { id } of images) {
      const finals = annotations.filter(({ image_id, isfinal }) => image_id === id && isfinal === 1);
      expect(finals).toHaveLength(1);
    }
    expect(annotations.length).toBeGreaterThan(images.length);
  }, 60_000);
});
