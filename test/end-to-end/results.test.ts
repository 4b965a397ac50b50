import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseResult } from '../../src/results/schema.ts';
import { maskArea, unpackMask } from '../../src/geometry/run-lengths.ts';
import { sharedReference } from '../support/reference-case.ts';
import { CommandLine, hasTinyCheckpoint, roberta, scene, tinyCheckpoint } from '../support/run-mdetr.ts';

let cli: CommandLine;
beforeAll(() => (cli = new CommandLine()));
afterAll(() => cli.remove());

const keepAll = ['--threshold', '0'];

// Strict objects: a key that is not listed is an error.
const span = z.strictObject({ start: z.int(), end: z.int(), text: z.string(), score: z.number() });
const mask = z.strictObject({ size: z.tuple([z.int(), z.int()]), counts: z.string() });
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
const detection = z.strictObject({
  box,
  clampedBox: box,
  xywh: box,
  xywhn: box,
  area: z.number(),
  score: z.number().min(0).max(1),
  label: z.string(),
  spans: z.array(span),
  query: z.int(),
  mask: mask.optional(),
  polygons: z.array(z.array(z.number())).optional(),
});
const phrase = z.strictObject({
  text: z.string(),
  start: z.int(),
  end: z.int(),
  score: z.number(),
  present: z.boolean().optional(),
  detections: z.array(z.int()),
});
const timing = z.strictObject({ preprocess: z.number(), model: z.number().positive(), postprocess: z.number() });
const shared = {
  image: z.string(),
  width: z.int(),
  height: z.int(),
  caption: z.string(),
  captionIndex: z.int(),
  threshold: z.number(),
  detections: z.array(detection),
  phrases: z.array(phrase),
  bestBelowThreshold: detection.optional(),
  warnings: z.array(z.string()),
  model: z.literal('default'),
  version: z.literal(1),
  packageVersion: z.string(),
  timing,
  timing_ms: timing,
};
const detected = z.strictObject(shared);
const referred = detected.extend({
  expression: z.string(),
  best: detection.extend({ scoreRefexp: z.number(), score_refexp: z.number() }).nullable(),
});
const probability = z.number().min(0).max(1);
const answered = z.strictObject({
  ...shared,
  question: z.string(),
  answer: z.string(),
  probability,
  type: z.enum(['binary', 'attr', 'reg', 'obj', 'rel', 'global', 'cat']).nullable(),
  answers: z.array(z.strictObject({ answer: z.string(), probability })).max(5),
});

describe('JSON', () => {
  it('of detect has the documented keys in their order', async () => {
    const [line] = await cli.json('detect', scene, '--caption', 'a red cube', '--masks', ...keepAll);
    const result = detected.parse(line);
    const firstKeys = ['image', 'width', 'height', 'caption', 'detections', 'timing_ms'];
    expect(Object.keys(line!).filter((key) => firstKeys.includes(key))).toEqual(firstKeys);
    expect(parseResult(line)).toMatchObject({ captionIndex: 0, model: 'default', version: 1 });
    expect(result.detections).toHaveLength(16);
    expect(result.detections.map(({ score }) => score)).toEqual(
      result.detections.map(({ score }) => score).toSorted((a, b) => b - a),
    );
    const area = maskArea(unpackMask(result.detections[0]!.mask!));
    expect(area).toBeLessThanOrEqual(480 * 320);
  });

  it('of refer adds the best object, or null if none exceeds the threshold', async () => {
    const [found] = await cli.json('refer', scene, '--expression', 'the cube');
    expect(referred.parse(found).best).not.toBeNull();
    const [none] = await cli.json('refer', scene, '--expression', 'the cube', '--threshold', '1');
    expect(referred.parse(none)).toMatchObject({ best: null, detections: [] });
  });

  it('of ask lists the answer first among the best answers', async () => {
    const [line] = await cli.json('ask', scene, '--question', 'how many cubes are there?');
    const { answer, probability: p, answers } = answered.parse(line);
    expect(answers[0]).toEqual({ answer, probability: p });
  });

  it('has one line per image and caption, with every caption for every image', async () => {
    copyFileSync(scene, cli.file('other.png'));
    const captions = ['--caption', 'a cube', '--caption', 'a ball', '--caption', 'two cylinders'];
    const lines = await cli.json('detect', scene, 'other.png', ...captions, '--batch-size', '2');
    expect(lines.map(({ image, caption, captionIndex }) => [image, caption, captionIndex])).toEqual(
      [scene, 'other.png'].flatMap((image) => ['a cube', 'a ball', 'two cylinders'].map((text, i) => [image, text, i])),
    );
  });

  it('gives spans in UTF-16 units of the caption', async () => {
    const caption = 'a 🧥 red cube';
    const [line] = await cli.json('detect', scene, '--caption', caption, ...keepAll, '--span-threshold', '0');
    for (const { spans } of detected.parse(line).detections)
      for (const { start, end, text } of spans) expect(caption.slice(start, end)).toBe(text);
  });
});

describe('tables', () => {
  it('go to stdout and notes to stderr; a warning about a caption is printed once', async () => {
    const result = await cli.call('detect', scene, scene, '--caption', 'a dog', ...keepAll, '--verbose');
    expect(result.status, result.stderr).toBe(0);
    expect(result.stdout.split('\n')[0]).toBe(`${scene} (480×320): a dog`);
    expect(result.stdout.split('\n')[1]).toMatch(/^ {2}score +x0 +y0 +x1 +y1 {2}phrases$/);
    expect(result.stderr.match(/has never seen "dog"/g)).toHaveLength(1);
    expect(result.stderr).not.toContain('\u001b');
  });

  it('say that nothing was found', async () => {
    const result = await cli.call('detect', scene, '--caption', 'a cube', '--threshold', '1');
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(/nothing found with a score above 1 /);
  });
});

describe('drawings and masks', () => {
  it('are written to the paths of a pattern, in the format of its extension', async () => {
    const captions = ['--caption', 'a cube', '--caption', 'a ball'];
    const result = await cli.call('detect', scene, ...captions, '--out', 'drawn-{image}-{text}.jpg');
    expect(result.status, result.stderr).toBe(0);
    const drawn = readdirSync(cli.folder).filter((name) => name.startsWith('drawn'));
    expect(drawn.sort()).toEqual(['drawn-scene-1.jpg', 'drawn-scene-2.jpg']);
    const { format, width, height } = await sharp(cli.file(drawn[0]!)).metadata();
    expect({ format, width }).toEqual({ format: 'jpeg', width: 480 });
    expect(height).toBeGreaterThan(320);
  });

  it('of --masks-dir have the size of the image and the values 0 and 255', async () => {
    const result = await cli.call('refer', scene, '--expression', 'the cube', '--masks-dir', 'masks');
    expect(result.status, result.stderr).toBe(0);
    expect(readdirSync(cli.file('masks'))).toEqual(['scene-01.png']);
    const { data, info } = await sharp(cli.file('masks/scene-01.png'))
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 480, height: 320, channels: 1 });
    expect([...new Set(data)].filter((value) => value !== 0 && value !== 255)).toEqual([]);
  });

  it('of ask are written as WebP', async () => {
    const result = await cli.call('ask', scene, '--question', 'is there a cube?', '--out', 'answer.webp');
    expect(result.status, result.stderr).toBe(0);
    expect((await sharp(readFileSync(cli.file('answer.webp'))).metadata()).format).toBe('webp');
  });
});

describe('an official checkpoint on photos', () => {
  it.skipIf(!hasTinyCheckpoint)(
    'detects in a batch of images of different sizes, and draws (needs ../shared/reference)',
    async () => {
      const photos = ['dog.jpg', 'person.jpg', 'giraffe.jpg'].map((name) => join(sharedReference, 'images', name));
      const model = ['--model', tinyCheckpoint, '--tokenizer', roberta];
      const lines = await cli.json(
        'detect',
        ...photos,
        '--caption',
        'a dog and a bicycle',
        ...model,
        '--out',
        'photos/',
      );
      const anyModel = detected.extend({ model: z.string() });
      expect(lines.map((line) => anyModel.parse(line)).map(({ width, height }) => [width, height])).toEqual([
        [768, 576],
        [640, 424],
        [500, 500],
      ]);
      for (const name of ['dog', 'person', 'giraffe']) expect(existsSync(cli.file(`photos/${name}.png`))).toBe(true);
    },
    120_000,
  );
});
