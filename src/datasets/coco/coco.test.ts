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

describe('CategoryMentions', () => {
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
