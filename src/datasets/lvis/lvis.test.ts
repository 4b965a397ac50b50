import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { balancedSubset, type SubsetSource } from './balanced-subset.ts';
import { lvis } from './lvis.ts';
import { promptOf } from './prompt-rows.ts';

const folder = fixtureFolder('lvis');

/** Generated data, equal to the input that the official script was run on. */
const generated = (imageCount: number): SubsetSource => {
  const categoryCount = 12;
  const shown = new Map<number, number[]>();
  const images = Array.from({ length: imageCount }, (_, i) => {
    const id = (i * 7919) % 100003;
    const own = Array.from({ length: i % 4 }, (_unused, k) => ((i * i + k * 3) % 37) % categoryCount);
    if (i % 50 === 0) own.push(i % categoryCount);
    shown.set(
      id,
      own.map((category) => category + 1),
    );
    return {
      id,
      neg_category_ids: i % 3 === 0 ? [] : [((i * 5) % categoryCount) + 1, ((i * 7 + 3) % categoryCount) + 1],
      not_exhaustive_category_ids: i % 4 === 0 ? [(i % categoryCount) + 1] : [],
    };
  });
  return {
    path: 'generated.json',
    images,
    categories: Array.from({ length: categoryCount }, (_, k) => ({ id: k + 1, image_count: (k * k * 7) % 23 })),
    categoriesOf: (image) => shown.get(image)!,
  };
};

describe('lvis', () => {
  it('writes prompts for present and absent categories, checked by hand', async () => {
    const { files } = await runPreparation(lvis, folder, { splits: ['val'], options: { subset: '10' } });
    expect(Object.keys(files)).toEqual(['finetune_lvis10_val.json']);
    expect(files['finetune_lvis10_val.json']).toEqual(expectedFile('lvis', 'finetune_lvis10_val.json'));
  });

  it("writes minival, the images from COCO val2017, in LVIS' own format, checked by hand", async () => {
    const { files } = await runPreparation(lvis, folder, { splits: ['minival'] });
    expect(files).toEqual({ 'lvis_v1_minival.json': expectedFile('lvis', 'lvis_v1_minival.json') });
  });

  it("writes masks, and selected images in LVIS' own format, as options", async () => {
    const { files } = await runPreparation(lvis, folder, {
      splits: ['val'],
      options: { subset: '100', masks: 'true', detection: 'true' },
    });
    expect(Object.keys(files)).toEqual(['finetune_lvis_val.json', 'detection_lvis_val.json']);
    expect(files['finetune_lvis_val.json']).toMatchObject({
      annotations: [{ segmentation: [[90, 40, 120, 40, 120, 60]] }, {}, {}, {}],
    });
    expect(files['detection_lvis_val.json']).toMatchObject({
      images: [{ id: 20, license: 1 }, { id: 30 }, { id: 40 }],
      annotations: [{ id: 2, segmentation: [[90, 40, 120, 40, 120, 60]] }, { id: 1 }, { id: 3 }, { id: 4 }],
    });
  });

  it('reports the first error in a file', async () => {
    const copy = temporaryFolder();
    cpSync(folder, copy, { recursive: true });
    const path = join(copy, 'lvis_v1_val.json');
    const text = readFileSync(path, 'utf8');
    const attempt = (from: string | RegExp, to: string) => {
      const edited = text.replace(from, to);
      expect(edited).not.toBe(text);
      writeFileSync(path, edited);
      return runPreparation(lvis, copy, { splits: ['val'] });
    };
    await expect(attempt('"neg_category_ids": [3], ', '')).rejects.toThrow(/images\[0\], field neg_category_ids/);
    await expect(attempt('"neg_category_ids": [3]', '"neg_category_ids": [9]')).rejects.toThrow(
      /image 30: category 9 is not in the list of categories/,
    );
    await expect(attempt('"bbox": [1, 1, 5, 4]', '"bbox": [1, 1, 5]')).rejects.toThrow(/annotations\[0\], field bbox/);
    await expect(attempt('"id": 20', '"id": 30')).rejects.toThrow(/image id 30 occurs twice/);
    await expect(attempt('"categories"', '"cats"')).rejects.toThrow(/has no list "categories"/);
    await expect(attempt(/"name": "bun".*$/s, '')).rejects.toThrow(/byte \d+: .*download it again/);
    const { report } = await attempt('"image_id": 20', '"image_id": 21');
    expect(report).toMatchObject({ leftOut: [{ what: 'boxes of missing images', count: 1 }] });
  });
});

describe('balancedSubset', () => {
  it('samples the same images as the official script', () => {
    expect([...balancedSubset(generated(300), 0.1)].sort((a, b) => a - b)).toEqual([
      708, 1416, 3857, 4360, 7919, 10863, 11366, 13807, 23757, 27409, 30558, 31266, 34620, 41011, 43042, 44160, 49340,
      54110, 62942, 63855, 68830, 69948, 72184, 77662, 79693, 80811, 82134, 85786, 89848, 99593,
    ]);
  });

  it('rejects a file that is too small', () => {
    expect(() => balancedSubset(generated(300), 0.01)).toThrow(
      /a subset of 3 images shows no object of \d+ categories/,
    );
    expect(() => balancedSubset(generated(20), 0.95)).toThrow(/no image is left for position \d+ of a subset of 19/);
  });
});

describe('promptOf', () => {
  it.each([
    ['alarm_clock', 'alarm clock'],
    ['bow_(decorative_ribbons)', 'bow '],
    ['bed_(a)_b_(c)_d', 'bed d'],
  ])('%s → "%s"', (name, prompt) => expect(promptOf(name)).toBe(prompt));
});
