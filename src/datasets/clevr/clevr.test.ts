import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { DATASET_DEFAULTS, writeDataset } from '../../scenes/index.ts';
import { type CocoRle, maskArea, maskBoundsXywh, unpackMask } from '../../geometry/run-lengths.ts';
import { boxesByCamera } from './camera-boxes.ts';
import { clevr, clevrCogent, clevrHumans, clevrRef } from './clevr.ts';
import type { ClevrSourceScene } from './scene-source.ts';

const folder = fixtureFolder('clevr');

interface Rows {
  readonly images: readonly Record<string, unknown>[];
  readonly annotations: readonly Record<string, unknown>[];
}

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

const val = { splits: ['val'] };

describe('clevr', () => {
  it.each(['full', 'medium'])('writes the boxes and words of the official script, %s', async (texts) => {
    const { files, report } = await runPreparation(clevr, folder, { ...val, options: { texts } });
    const made = files['val.json'] as Rows;
    const expected = expectedFile('clevr', `${texts}-val.json`) as Rows;
    expect(made).toMatchObject({ categories: [{ supercategory: 'object', id: 1, name: 'object' }] });
    expect(made.annotations).toEqual(expected.annotations);
    expect(made.images).toHaveLength(expected.images.length);
    expect(made.images).toMatchObject(expected.images);
    expect(report.leftOut).toMatchObject(
      texts === 'full' ? [] : [{ what: 'texts that mention an object twice (not in medium)' }],
    );
  });

  it('writes questions only, with or without scenes and answers', async () => {
    const { files } = await runPreparation(clevr, folder, { splits: ['test'] });
    expect(files['CLEVR_test_questions.json']).toMatchObject({
      images: [
        {
          id: 0,
          file_name: 'CLEVR_test_000000.png',
          caption: 'Is there a café?',
          questionId: 0,
          width: 480,
          height: 320,
        },
        { id: 1, questionId: 1 },
      ],
      annotations: [],
    });
    const alone = await runPreparation(clevr, folder, { ...val, options: { 'questions-only': 'true' } });
    const rows = alone.files['CLEVR_val_questions.json'] as Rows;
    expect(rows.annotations).toEqual([]);
    expect(rows.images.map(({ answer }) => answer)).toEqual(
      (expectedFile('clevr', 'full-val.json') as Rows).images.map(({ answer }) => answer),
    );
    const copy = copyOfFixture();
    await expect(runPreparation(clevr, copy, { splits: ['test'], out: join(copy, 'questions') })).rejects.toThrow(
      /--out .*: CLEVR_test_questions\.json: is an input of this call/,
    );
  });

  it('writes trainA of CoGenT as train, valA as val', async () => {
    const copy = temporaryFolder();
    for (const [split, part] of [
      ['trainA', 'questions'],
      ['trainA', 'scenes'],
      ['valA', 'questions'],
      ['valA', 'scenes'],
    ] as const) {
      mkdirSync(join(copy, part), { recursive: true });
      cpSync(join(folder, part, `CLEVR_val_${part}.json`), join(copy, part, `CLEVR_${split}_${part}.json`));
    }
    const request = { splits: ['trainA', 'valA'], options: { boxes: 'camera' } };
    const { report } = await runPreparation(clevrCogent, copy, request);
    expect(report.files.map(({ path }) => path.replace(/.*\//, ''))).toEqual(['train.json', 'val.json']);
    expect(report.files[0]!.images).toBe(report.files[1]!.images);
  });

  it('names the missing files of boxes, and computes boxes from the camera instead', async () => {
    const copy = copyOfFixture();
    rmSync(join(copy, 'boxes'), { recursive: true });
    await expect(runPreparation(clevr, copy, val)).rejects.toThrow(
      /scenes have no boxes, and .*annotations_test\.json .*--boxes camera does not need them/,
    );
    const { files } = await runPreparation(clevr, copy, { ...val, options: { boxes: 'camera' } });
    const made = (files['val.json'] as Rows).annotations;
    const expected = (expectedFile('clevr', 'full-val.json') as Rows).annotations;
    expect(made.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
    await expect(runPreparation(clevr, copy, { ...val, options: { 'image-size': '480' } })).rejects.toThrow(
      '--image-size 480: write WIDTHxHEIGHT',
    );
  });

  it('leaves out questions that do not match their scene, and reports why', async () => {
    const copy = copyOfFixture();
    const path = join(copy, 'questions/CLEVR_val_questions.json');
    const { questions } = JSON.parse(readFileSync(path, 'utf8')) as { questions: Record<string, unknown>[] };
    const one = questions[0]!;
    const step = { function: 'scene', inputs: [], value_inputs: [] };
    const program = (...steps: object[]): object => ({ ...one, program: [step, ...steps] });
    const wrong = [
      { ...one, answer: 'maybe' },
      { ...one, image_index: 999 },
      { ...one, question: 'Is the café open?' },
      program({ function: 'teleport', inputs: [0], value_inputs: [] }),
      program({ function: 'count', inputs: [5], value_inputs: [] }),
      program({ function: 'unique', inputs: [0], value_inputs: [] }),
      { ...one, program: [] },
    ];
    writeFileSync(path, JSON.stringify({ questions: wrong }));
    const { report, files } = await runPreparation(clevr, copy, val);
    expect((files['val.json'] as Rows).images).toEqual([]);
    expect(report.leftOut.map(({ what, count }) => `${what}: ${count}`)).toEqual([
      'programs that return another answer: 1',
      'texts about images without a scene: 1',
      'phrases that are not in the text: 2',
      'programs with a step teleport: 1',
      'programs whose steps do not refer to earlier ones: 1',
      'programs without steps: 1',
    ]);
  });

  it('names file and entry of invalid values, and leaves no file', async () => {
    const copy = copyOfFixture();
    const scenes = join(copy, 'scenes/CLEVR_val_scenes.json');
    const questions = join(copy, 'questions/CLEVR_val_questions.json');
    const broken = async (path: string, content: string, message: RegExp): Promise<void> => {
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, content);
      const out = temporaryFolder();
      await expect(runPreparation(clevr, copy, { ...val, out })).rejects.toThrow(message);
      expect(readdirSync(out)).toEqual([]);
      writeFileSync(path, before);
    };
    await broken(
      questions,
      '{"questions":[{"image_index":0}]}',
      /questions\[0\], field image_filename: expected string/,
    );
    await broken(
      questions,
      '{"questions":[{"image_index":0,"image_filename":"a","question":"b","answer":"c","__proto__":{"program":[]}}]}',
      /questions\[0\], field program: missing/,
    );
    await broken(
      questions,
      '{"questions":[{"image_index":0,"image_filename":"a","question":"b","program":[{"inputs":[]}]}]}',
      /field program\.0: a step needs "function" or "type"/,
    );
    await broken(questions, '{"images":[]}', /has no list "questions"/);
    await broken(
      scenes,
      '{"scenes":[{"image_index":0,"image_filename":"a.png","objects":[],"relationships":{"left":[[7]]}}]}',
      /scene of image 0, field relationships\.left: must list some of the 0 objects/,
    );
    await broken(join(copy, 'boxes/cat2obj.json'), '[1]', /cat2obj\.json/);
    await broken(join(copy, 'boxes/annotations_test.json'), '{"CLEVR_val_000000.png":[{}]}', /field 0\.object/);
    truncateSync(questions, 3000);
    await expect(runPreparation(clevr, copy, val)).rejects.toThrow(/if the file is truncated, download it again/);
  });
});

describe('clevr-humans', () => {
  it('writes one row per question', async () => {
    const { files } = await runPreparation(clevrHumans, fixtureFolder('clevr-humans'), { splits: ['train'] });
    expect(files['CLEVR-Humans-train.json']).toEqual(expectedFile('clevr-humans', 'CLEVR-Humans-train.json'));
  });
});

describe('clevr-ref', () => {
  const ref = fixtureFolder('clevr-ref');

  it('writes the boxes and words of the official script, with masks', async () => {
    const { files, report } = await runPreparation(clevrRef, ref, val);
    expect(report.leftOut).toEqual([]);
    const made = files['val.json'] as Rows;
    const expected = expectedFile('clevr-ref', 'val.json') as Rows;
    expect(made.images).toHaveLength(expected.images.length);
    expect(made.images).toMatchObject(expected.images);
    for (const [i, { segmentation, ...annotation }] of made.annotations.entries()) {
      expect(annotation).toEqual(expected.annotations[i]);
      // The fixture's masks fill their boxes.
      const mask = unpackMask(segmentation as CocoRle);
      expect(maskBoundsXywh(mask)).toEqual(annotation['bbox']);
      expect(maskArea(mask)).toBe(annotation['area']);
    }
    expect(made.annotations).toHaveLength(expected.annotations.length);
    expect(new Set(made.annotations.map(({ isfinal }) => isfinal))).toEqual(new Set([0, 1]));
  });

  it('leaves out scenes with inconsistent masks or outputs', async () => {
    const copy = temporaryFolder();
    cpSync(ref, copy, { recursive: true });
    const scenes = join(copy, 'scenes/clevr_ref+_val_scenes.json');
    const expressions = join(copy, 'refexps/clevr_ref+_val_refexps.json');
    writeFileSync(scenes, readFileSync(scenes, 'utf8').replace(/"obj_mask": \{"1": "\d+/, '$&9'));
    const { report } = await runPreparation(clevrRef, copy, val);
    expect(report.leftOut[0]!.what).toBe('scenes whose masks do not have the size of the image');
    writeFileSync(expressions, readFileSync(expressions, 'utf8').replaceAll(/"_output": \[\d+/g, '"_output": [77'));
    expect((await runPreparation(clevrRef, copy, val)).report.leftOut).toContainEqual(
      expect.objectContaining({ what: 'programs whose step filter_ordinal has no objects of the scene as _output' }),
    );
  });
});

describe('generated scenes', { timeout: 60_000 }, () => {
  it('are prepared with the boxes that the generator wrote for its questions', async () => {
    const scenes = temporaryFolder();
    const settings = { ...DATASET_DEFAULTS, images: 12, seed: 5, kinds: ['question'] as const, textsPerImage: 4 };
    await writeDataset(scenes, settings, { threads: 1 });
    const { files, report } = await runPreparation(clevr, scenes, { ...val, options: { 'image-size': '192x128' } });
    expect(report.leftOut).toEqual([]);
    const made = files['val.json'] as Rows;
    const generated = JSON.parse(readFileSync(join(scenes, 'annotations/questions.json'), 'utf8')) as Rows;
    const boxesOf = ({ annotations }: Rows, id: unknown): string[] =>
      annotations.flatMap(({ image_id, bbox }) => (image_id === id ? [String(bbox)] : [])).sort();
    expect(made.images.length).toBe(generated.images.length);
    for (const [i, { id, caption }] of made.images.entries()) {
      expect(caption).toBe(generated.images[i]!['caption']);
      expect(boxesOf(made, id), String(caption)).toEqual(boxesOf(generated, generated.images[i]!['id']));
    }

    // Boxes from the fitted camera agree with the rendered ones up to rounding to pixels, at 10 to 30 pixels per object.
    const source = JSON.parse(readFileSync(join(scenes, 'scenes.json'), 'utf8')) as { scenes: ClevrSourceScene[] };
    const overlaps = source.scenes.flatMap((scene) =>
      boxesByCamera(scene, 192, 128)!.flatMap((computed, i) => {
        const { bbox, visible_fraction: visible } = scene.objects[i]! as { bbox?: number[]; visible_fraction?: number };
        return visible === 1 ? [iou(computed, bbox!)] : [];
      }),
    );
    expect(overlaps.length).toBeGreaterThan(20);
    expect(Math.min(...overlaps)).toBeGreaterThan(0.8);
    expect(overlaps.reduce((sum, value) => sum + value, 0) / overlaps.length).toBeGreaterThan(0.92);
  });
});

const iou = (a: readonly number[], b: readonly number[]): number => {
  const overlap = (k: 0 | 1): number =>
    Math.max(0, Math.min(a[k]! + a[k + 2]!, b[k]! + b[k + 2]!) - Math.max(a[k]!, b[k]!));
  const both = overlap(0) * overlap(1);
  return both / (a[2]! * a[3]! + b[2]! * b[3]! - both);
};
