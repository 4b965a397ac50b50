import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPackageFile } from '../../files/package-folder.ts';
import { MDETR } from '../../inference/node/mdetr.ts';
import { writeDataset } from '../../scenes/dataset/dataset.ts';
import { DATASET_DEFAULTS } from '../../scenes/dataset/dataset-settings.ts';
import { calibrate } from './calibrate.ts';
import { findCalibrationSets } from './calibration-data.ts';
import { captionTruth, isForeign } from '../../benchmarks/phrases/caption-truth.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-calibrate-'));
const model = join(folder, 'model');
const scenes = join(folder, 'scenes');
beforeAll(async () => {
  cpSync(findPackageFile('models/default')!, model, { recursive: true });
  await writeDataset(
    scenes,
    { ...DATASET_DEFAULTS, images: 8, seed: 31, kinds: ['caption', 'negative'] },
    { threads: 1, overwrite: false },
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('calibrate', () => {
  it('writes two numbers into config.json and changes nothing else; results then say what is present', async () => {
    const config = join(model, 'config.json');
    const before = readFileSync(config, 'utf8');
    const { calibration, path } = await calibrate({ model, data: scenes });
    expect(path).toBe(config);
    expect(calibration.data).toMatchObject({ name: 'scenes', images: 8 });
    expect(calibration.data.absent_phrases).toBeGreaterThan(0);
    const { calibration: written, ...rest } = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>;
    const { calibration: _, ...old } = JSON.parse(before) as Record<string, unknown>;
    expect(rest).toEqual(old);
    expect(written).toEqual(JSON.parse(JSON.stringify(calibration)));

    await using loaded = await MDETR.fromPretrained(model);
    const image = join(scenes, 'images/scene_standard_000000.png');
    const result = await loaded.detect(image, 'a red cube and a zebra');
    expect(result.threshold).toBe(calibration.threshold);
    expect(result.phrases.map(({ text }) => text)).toContain('a zebra');
    for (const phrase of result.phrases) expect(phrase.present).toBe(phrase.score > calibration.presence);
    const all = await loaded.detect(image, 'a cube', { presence: 0, threshold: 0.1 });
    expect(all).toMatchObject({ threshold: 0.1, phrases: [{ text: 'a cube', present: true }] });
  });

  it('takes absent phrases from other images where the data mark none, and can leave the model alone', async () => {
    const { calibration, path } = await calibrate({
      model,
      data: 'examples/finetune/val.json',
      images: ['examples/finetune/pictures'],
      write: false,
    });
    expect(path).toBeUndefined();
    expect(calibration.data).toMatchObject({ name: 'val.json', made_absent: true });
  });

  it('takes the threshold for presence where all images show one kind of object', async () => {
    const rows = JSON.parse(readFileSync('examples/finetune/val.json', 'utf8')) as {
      images: { id: number; caption: string; tokens_negative?: unknown }[];
      annotations: { tokens_positive: unknown }[];
    };
    const images = rows.images.map((image) => ({ ...image, caption: 'ball', tokens_negative: undefined }));
    const annotations = rows.annotations.map((row) => ({ ...row, tokens_positive: [[0, 4]] }));
    const data = join(folder, 'one-class.json');
    writeFileSync(data, JSON.stringify({ ...rows, images, annotations }));
    const { calibration } = await calibrate({ model, data, images: ['examples/finetune/pictures'], write: false });
    expect(calibration.presence).toBe(calibration.threshold);
    expect(calibration.data).toMatchObject({ absent_phrases: 0, present_phrases: expect.any(Number) });
    expect(calibration.data.absent_found).toBeUndefined();
  });

  it('refuses data without boxes that the model finds, the model of the package, and a calibration of another form', async () => {
    const empty = join(folder, 'empty.json');
    writeFileSync(
      empty,
      JSON.stringify({
        images: [{ id: 1, file_name: 'scene_standard_000000.png', width: 192, height: 128, caption: 'a cube' }],
        annotations: [],
      }),
    );
    await expect(calibrate({ model, data: empty, images: [join(scenes, 'images')] })).rejects.toThrow('has no boxes');
    const small = join(folder, 'small.json');
    const rows = JSON.parse(readFileSync('examples/finetune/val.json', 'utf8')) as { annotations: object[] };
    writeFileSync(
      small,
      JSON.stringify({
        ...rows,
        annotations: rows.annotations.map((row) => ({ ...row, bbox: [0, 0, 1, 1], area: 1 })),
      }),
    );
    await expect(calibrate({ model, data: small, images: ['examples/finetune/pictures'] })).rejects.toThrow(
      /the model finds none of the \d+ boxes/,
    );
    await expect(calibrate({ model: 'default', data: scenes })).rejects.toThrow(
      /model "default" is a part of this package.*mdetr convert default my-default/,
    );
    await expect(calibrate({ model, data: folder })).rejects.toThrow('has no data to calibrate on');
    const config = join(model, 'config.json');
    const good = readFileSync(config, 'utf8');
    writeFileSync(config, JSON.stringify({ ...(JSON.parse(good) as object), calibration: { threshold: 2 } }));
    await expect(MDETR.fromPretrained(model)).rejects.toThrow(/"calibration.threshold".*mdetr calibrate/);
    writeFileSync(config, good);
  });
});

describe('the data of a calibration', () => {
  it('are found through a config, with its folders of images', async () => {
    const { sets } = await findCalibrationSets('examples/finetune/config.json');
    expect(sets.map(({ annotations }) => annotations)).toEqual([expect.stringContaining('val.json')]);
  });

  it('have absent phrases where tokens_negative overlaps no box, but not for a whole sentence', () => {
    const row = (caption: string, negative: [number, number][], positive: [number, number][]) =>
      captionTruth({
        image: { id: 1, file_name: 'a', width: 9, height: 9, caption, tokens_negative: negative },
        annotations: [{ image_id: 1, bbox: [0, 0, 2, 3], tokens_positive: positive }],
      });
    const truth = row('a dog and a 🐈 cat', [[0, 15], [10, 15]], [[0, 5]]); // prettier-ignore
    expect(truth.present).toEqual([{ start: 0, end: 5 }]);
    expect(truth.absent).toEqual([{ start: 10, end: 16 }]);
    expect(truth.boxes).toEqual([[0, 0, 2, 3]]);
    expect(row('zebra', [[0, 5]], []).absent).toEqual([{ start: 0, end: 5 }]);
  });

  it('tell phrases of other images by their noun', () => {
    expect(isForeign('a red ball', ['a red cube'])).toBe(true);
    expect(isForeign('two balls', ['a ball'])).toBe(false);
    expect(isForeign('a cube', ['3 cubes'])).toBe(false);
  });
});
