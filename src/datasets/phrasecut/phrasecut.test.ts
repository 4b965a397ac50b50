import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { phrasecut } from './phrasecut.ts';

const folder = fixtureFolder('phrasecut');

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

describe('phrasecut', () => {
  it('writes the official file, checked by hand: phrases grouped by image, without skipped ones', async () => {
    const { files, report } = await runPreparation(phrasecut, folder, { splits: ['val'] });
    expect(files['finetune_phrasecut_val.json']).toEqual(expectedFile('phrasecut', 'finetune_phrasecut_val.json'));
    expect(report.leftOut).toEqual([
      { what: 'polygons of fewer than three points', count: 1, examples: ['task 4__20'] },
      { what: 'instances without a polygon', count: 1, examples: ['task 4__21'] },
      { what: 'phrases that annotators skipped (skip.json)', count: 1, examples: ['task 4__23'] },
    ]);
    expect(report.notes.map(({ examples }) => examples)).toEqual([['task 1__10_11'], ['task 1__12'], ['task 4__21']]);
  });

  it('keeps all polygons as an option', async () => {
    const { files } = await runPreparation(phrasecut, folder, { splits: ['val'], options: { polygons: 'all' } });
    const { annotations } = files['finetune_phrasecut_val.json'] as { annotations: { segmentation: unknown }[] };
    expect(annotations[0]!.segmentation).toEqual([
      [10, 20, 40, 20, 40, 60],
      [12, 22, 14, 22, 14, 24, 12, 24],
    ]);
  });

  it('leaves out excluded images of train, and lists images of the other splits', async () => {
    const { files, report } = await runPreparation(phrasecut, folder, {
      splits: ['train'],
      options: { exclude: join(folder, 'exclude.txt') },
    });
    expect(files['finetune_phrasecut_train.json']).toMatchObject({
      images: [{ caption: 'dog' }],
      annotations: [{ id: 0 }],
    });
    expect(report.leftOut).toEqual([{ what: 'phrases of excluded images', count: 1, examples: ['image 8'] }]);
    expect(report.lists).toMatchObject([{ entries: 2 }]);
  });

  it.each<[what: string, edit: [from: string, to: string], message: RegExp]>([
    ['a size', ['"width": 60', '"width": "60"'], /image_data_split\.json: \[1\], field width: expected number/],
    [
      'an image',
      ['"image_id": 4, "coco_id"', '"image_id": 5, "coco_id"'],
      /refer_val\.json: \[1\], field image_id: image 4 is not in/,
    ],
  ])('reports the error in %s', async (_, [from, to], message) => {
    const copy = copyOfFixture();
    const path = join(copy, 'image_data_split.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
    await expect(runPreparation(phrasecut, copy, { splits: ['val'] })).rejects.toThrow(message);
  });

  it.each<[edit: [from: string, to: string], message: RegExp]>([
    [['"phrase": "red cars"', '"phrase": 7'], /refer_val\.json: \[0\], field phrase: expected string/],
    [['[[10, 20, 30, 40], ', '['], /\[0\]: has 1 instance_boxes but Polygons of 2 instances/],
    [['[10, 20, 30, 40]', '[10, 20, 30, Infinity]'], /\[0\], field instance_boxes\.0\.3: expected number/],
    [
      ['[[10, 20], [40, 20]', '[[10, 20], [40]'],
      /field Polygons\.0: polygon 0 has a point that is not \[x, y\]: \[40\]/,
    ],
    [['[[12, 22], [14, 22], [14, 24], [12, 24]]', '5'], /polygon 1 is not a list of points/],
    [['"Polygons": [[[[10, 20]', '"Polygons": [{"a": [[[10, 20]'], /refer_val\.json: byte \d+: /],
    [['"task_id": "1__12", "image_id": 1', '"task_id": "1__12", "image_id": null'], /\[2\], field image_id/],
  ])('reports the error in %j', async ([from, to], message) => {
    const copy = copyOfFixture();
    const path = join(copy, 'refer_val.json');
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
    await expect(runPreparation(phrasecut, copy, { splits: ['val'] })).rejects.toThrow(message);
  });

  it('leaves no file when it fails', async () => {
    const copy = copyOfFixture();
    writeFileSync(join(copy, 'refer_val.json'), readFileSync(join(folder, 'refer_val.json')).subarray(0, 900));
    const out = temporaryFolder();
    await expect(runPreparation(phrasecut, copy, { splits: ['val'], out })).rejects.toThrow(
      /truncated, download it again/,
    );
    expect(readdirSync(out)).toEqual(['phrasecut_unsafe_ids.txt']);
  });
});
