import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectedFile, fixtureFolder, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { CategoryMentions, pluralOf } from './category-mentions.ts';
import { coco } from './coco.ts';

const folder = fixtureFolder('coco');
const splits = ['val'];

describe('coco', () => {
  it.each<[texts: string, options: Readonly<Record<string, string>>]>([
    ['list', {}],
    ['prompts', { negatives: '1' }],
    ['captions', { masks: 'true' }],
  ])('captions as %s, checked by hand', async (texts, options) => {
    const { files, report } = await runPreparation(coco, folder, { splits, options: { ...options, texts } });
    const name = `coco_${texts}_val2017.json`;
    expect(files).toEqual({ [name]: expectedFile('coco', name) });
    expect(report.notes).toEqual([
      { what: 'crowds', count: 1, examples: ['annotation 502'] },
      { what: expect.stringContaining('beyond the image'), count: 1, examples: ['annotation 503'] },
    ]);
    expect(report.leftOut.map(({ what }) => what)).toEqual(
      texts === 'captions' ? ['captions of missing images', 'empty captions'] : ['images without objects'],
    );
  });

  it('samples absent categories by seed, at most all of them', async () => {
    const prompts = async (options: Readonly<Record<string, string>>): Promise<unknown> =>
      (await runPreparation(coco, folder, { splits, options: { texts: 'prompts', ...options } })).files;
    expect(await prompts({ negatives: '5' })).toEqual({
      'coco_prompts_val2017.json': expectedFile('coco', 'coco_prompts_val2017.json'),
    });
    await expect(prompts({ negatives: '-1' })).rejects.toThrow('--negatives -1: must be a non-negative integer');
  });

  it('requires the files that its options need', async () => {
    await expect(
      runPreparation(coco, folder, { splits, options: { year: '2014', texts: 'captions' } }),
    ).rejects.toThrow(/^missing: .*instances_val2014\.json \(.*captions_val2014\.json \(/);
  });

  it('reports the first error in a file', async () => {
    const copy = temporaryFolder();
    cpSync(folder, copy, { recursive: true });
    const path = join(copy, 'annotations/instances_val2017.json');
    const text = readFileSync(path, 'utf8');
    const attempt = (from: string, to: string) => {
      writeFileSync(path, text.replace(from, to));
      return runPreparation(coco, copy, { splits, options: { masks: 'true' } });
    };
    await expect(attempt('"category_id": 58', '"category_id": 59')).rejects.toThrow(
      /annotation 503: category 59 is not in the list of categories/,
    );
    await expect(attempt('"segmentation": [[70, 50, 90, 50, 90, 70]]', '"segmentation": null')).rejects.toThrow(
      /annotation 503 has no segmentation, but masks were requested/,
    );
    await expect(attempt('"height": 60', '"height": 0')).rejects.toThrow(/images\[0\], field height/);
    await expect(attempt('000000000007.jpg', '../7.jpg')).rejects.toThrow(/image 7: file_name is outside/);
  });
});

describe('exports of labeling tools', () => {
  const instances = (annotation: object, categories: readonly object[] = [{ id: 0, name: 'sphere' }]) => {
    const copy = temporaryFolder();
    const image = { id: 1, file_name: 'a.png', width: 480, height: 320 };
    const full = { id: 1, image_id: 1, bbox: [155, 91, 62, 60], area: 3844, iscrowd: 0, category_id: 0, ...annotation };
    const second = { ...full, id: 2, category_id: categories.length - 1 };
    const file = { images: [image], annotations: [full, second], categories };
    writeFileSync(join(copy, 'instances_val2017.json'), JSON.stringify(file));
    return copy;
  };
  const annotationsOf = async (from: string, options: Readonly<Record<string, string>> = {}) => {
    const { files, report } = await runPreparation(coco, from, { splits, options });
    const [file] = Object.values(files) as { images: { caption: string }[]; annotations: Record<string, unknown>[] }[];
    return { ...file!, report };
  };

  it.each<[change: object, expected: object]>([
    [{ id: undefined }, { area: 3844, iscrowd: 0 }],
    [{ id: '3f1c9a2e-77aa' }, { original_id: '3f1c9a2e-77aa' }],
    [{ area: undefined }, { area: 62 * 60 }],
    [{ area: null }, { area: 62 * 60 }],
    [{ iscrowd: false }, { iscrowd: 0 }],
    [{ iscrowd: null }, { iscrowd: 0 }],
    [{ iscrowd: '1' }, { iscrowd: 1 }],
    [{ iscrowd: true }, { iscrowd: 1 }],
  ])('takes %j', async (change, expected) => {
    expect((await annotationsOf(instances(change))).annotations[0]).toMatchObject(expected);
  });

  it('takes string ids of images and categories', async () => {
    const copy = temporaryFolder();
    const box = { id: 'a', image_id: 'img-1', bbox: [1, 2, 3, 4], category_id: 'c1' };
    const file = {
      images: [
        { id: 'img-1', file_name: 'a.png', width: 48, height: 32 },
        { id: '2', file_name: 'b.png', width: 48, height: 32 },
      ],
      annotations: [box, { ...box, id: 'b', image_id: 2 }],
      categories: [{ id: 'c1', name: 'sphere' }],
    };
    writeFileSync(join(copy, 'instances_val2017.json'), JSON.stringify(file));
    expect(await annotationsOf(copy)).toMatchObject({
      images: [{ original_id: 'img-1' }, { original_id: 2 }],
      annotations: [{ image_id: 0, original_category_id: 'c1' }, { image_id: 1 }],
    });
  });

  it.each<[change: object, message: RegExp]>([
    [{ iscrowd: 'no' }, /annotations\[0\], field iscrowd: "no" is neither 0 nor 1/],
    [{ id: [1] }, /field id: \[1\] is neither a number nor a string/],
    [{ bbox: [1, 2, 3] }, /field bbox/],
  ])('names the field of %j', async (change, message) => {
    await expect(annotationsOf(instances(change))).rejects.toThrow(message);
  });

  it('takes masks of every form, and names broken and missing ones', async () => {
    const polygon = [155, 91, 217, 91, 217, 151];
    const masks = async (segmentation: unknown) =>
      (await annotationsOf(instances({ segmentation }), { masks: 'true' })).annotations[0]!['segmentation'];
    expect(await masks(polygon)).toEqual([polygon]);
    expect(await masks([polygon, [1, 2]])).toEqual([polygon]);
    await expect(masks('x')).rejects.toThrow(/annotation 1: segmentation is "x", neither polygons nor run lengths/);
    await expect(masks([])).rejects.toThrow(/annotation 1 has no segmentation, but masks were requested/);
    await expect(masks({ size: [320, 480], counts: [5] })).rejects.toThrow(/segmentation\.counts .*add up to 5/);
  });

  it('joins categories with the same name, so that no box is lost', async () => {
    const twins = [
      { id: 0, name: 'Sphere' },
      { id: 1, name: 'sphere' },
    ];
    for (const texts of ['list', 'prompts']) {
      const { images, annotations, report } = await annotationsOf(instances({}, twins), { texts });
      expect(images.map(({ caption }) => caption)).toEqual([texts === 'list' ? 'Sphere.' : 'Sphere']);
      expect(annotations.map((own) => [own['tokens_positive'], own['original_category_id']])).toEqual([
        [[[0, 6]], 0],
        [[[0, 6]], 1],
      ]);
      expect(report.notes).toEqual([
        { what: 'categories with the same name, which become one', count: 1, examples: ['"sphere": ids 0 and 1'] },
      ]);
    }
  });

  it('refuses a category id that occurs twice', async () => {
    const categories = [
      { id: 0, name: 'sphere' },
      { id: 0, name: 'cube' },
    ];
    await expect(annotationsOf(instances({ category_id: 0 }, categories))).rejects.toThrow(
      'category id 0 occurs twice',
    );
  });
});

describe('CategoryMentions', () => {
  it('prefers a name to the plural of another', () => {
    const categories = [
      { id: 1, name: 'glass' },
      { id: 2, name: 'glasses' },
    ];
    for (const order of [categories, categories.toReversed()])
      expect([...new CategoryMentions(order).in('a glass, two glasses').keys()]).toEqual([1, 2]);
  });

  it.each([
    ['dog', 'dogs'],
    ['person', 'people'],
    ['bus', 'buses'],
    ['wine glass', 'wine glasses'],
    ['bench', 'benches'],
    ['skis', 'skis'],
    ['knife', 'knives'],
    ['toy', 'toys'],
    ['pony', 'ponies'],
  ])('%s, %s', (name, plural) => expect(pluralOf(name)).toBe(plural));

  it('matches entire words only, the longest first, and names literally', () => {
    const mentions = new CategoryMentions([
      { id: 1, name: 'cat' },
      { id: 2, name: 'a.b' },
    ]);
    expect([...mentions.in('Cat, catalog, bobcat, cats; caté axb a.b')]).toEqual([
      [
        1,
        [
          [0, 3],
          [22, 26],
        ],
      ],
      [2, [[37, 40]]],
    ]);
  });
});
