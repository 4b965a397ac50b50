import { cpSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixtureFolder, readJson, runPreparation, temporaryFolder } from '../../../test/support/run-preparation.ts';
import { coco } from '../coco/coco.ts';
import { preparations } from '../preparations.ts';
import type { Preparation } from './preparation.ts';

const image = { id: 1, file_name: 'a.png', width: 480, height: 320 };
const box = { id: 1, image_id: 1, bbox: [155, 91, 62, 60], area: 3844, iscrowd: 0, category_id: 0 };

/** Folder with a file in COCO's format. */
const cocoFolder = (images: readonly object[], annotations: readonly object[]): string => {
  const folder = temporaryFolder();
  const file = { images, annotations, categories: [{ id: 0, name: 'sphere' }] };
  writeFileSync(join(folder, 'instances_val2017.json'), JSON.stringify(file));
  return folder;
};

const NAME = 'coco_list_val2017.json';
const splits = ['val'];

describe('outputs of a preparation', () => {
  it('are replaced by the next run, unless somebody else wrote or changed them', async () => {
    const from = cocoFolder([image], [box]);
    const out = temporaryFolder();
    await runPreparation(coco, from, { splits, out });
    await runPreparation(coco, from, { splits, out });
    writeFileSync(join(out, NAME), 'mine');
    await expect(runPreparation(coco, from, { splits, out })).rejects.toThrow(
      /--out .*: coco_list_val2017\.json: .* exists; pass --overwrite/,
    );
    expect(readFileSync(join(out, NAME), 'utf8')).toBe('mine');
    await runPreparation(coco, from, { splits, out, overwrite: true });
    expect(readJson(join(out, NAME))).toMatchObject({ images: [{ file_name: 'a.png' }] });
  });

  it('are never sources, by whatever name', async () => {
    const from = cocoFolder([image], [box]);
    const out = temporaryFolder();
    linkSync(join(from, 'instances_val2017.json'), join(out, NAME));
    await expect(runPreparation(coco, from, { splits, out, overwrite: true })).rejects.toThrow(
      /is an input of this call/,
    );
    expect(readJson(join(from, 'instances_val2017.json'))).toMatchObject({ annotations: [{ id: 1 }] });
  });

  it('are kept if the list of written files is damaged', async () => {
    const from = cocoFolder([image], [box]);
    const out = temporaryFolder();
    await runPreparation(coco, from, { splits, out });
    writeFileSync(join(out, '.mdetr-prepared.json'), '{"');
    await expect(runPreparation(coco, from, { splits, out })).rejects.toThrow('pass --overwrite');
  });
});

describe('entries that cannot be used', () => {
  const bad = { ...box, id: 7, bbox: [1, 2, 'x', 4] };
  const second = { ...image, id: 2, file_name: 'b.png' };

  it('stop the preparation with file, entry and field, or are left out and counted', async () => {
    const from = cocoFolder(
      [image, second, { ...image, id: 3, width: -1 }],
      [{ ...box, image_id: 2 }, bad, { category_id: 0 }],
    );
    await expect(runPreparation(coco, from, { splits })).rejects.toThrow(
      /instances_val2017\.json: images\[2\], field width/,
    );
    const { files, report } = await runPreparation(coco, from, { splits, onBadRow: 'skip' });
    expect(files[NAME]).toMatchObject({ images: [{ id: 0, file_name: 'b.png' }], annotations: [{ id: 0 }] });
    const left = report.leftOut.find(({ what }) => what.includes('--on-bad-row skip'));
    expect(left?.count).toBe(3);
    expect(left?.examples).toEqual([
      expect.stringMatching(/images\[2\], field width/),
      expect.stringMatching(/annotations\[2\], field image_id/),
      expect.stringMatching(/annotations\[1\], field bbox\.2/),
    ]);
  });

  /** Sources of every preparation, with a place whose text is damaged in the middle of a list. */
  const damages: readonly (readonly [name: string, fixture: string, file: string, from: RegExp, to: string])[] = [
    ['phrasecut', 'phrasecut', 'refer_val.json', /"instance_boxes": \[\[/, '"instance_boxes": [["x", '],
    ['visual-genome', 'visual-genome', 'region_graphs.json', /"regions": \[/, '"regions": 3, "others": ['],
    ['lvis', 'lvis', 'lvis_v1_val.json', /"bbox": \[/, '"bbox": ["x", '],
    ['flickr30k', 'flickr30k', 'val.txt', /$/, ''],
    ['gqa', 'gqa', 'questions1.2/val_balanced_questions.json', /"question": "/, '"question": 3, "other": "'],
    ['refcoco', 'refer', 'refcoco/instances.json', /"bbox": \[/g, '"bbox": ["x", '],
    ['clevr', 'clevr', 'questions/CLEVR_val_questions.json', /"question": "/, '"question": 3, "other": "'],
  ];

  const preparationNamed = (name: string): Preparation => preparations().find((each) => each.name === name)!;

  it.each(damages)('of %s are left out', async (name, fixture, file, pattern, replacement) => {
    const from = join(temporaryFolder(), 'copy');
    cpSync(fixtureFolder(fixture), from, { recursive: true });
    const path = join(from, file);
    const text = readFileSync(path, 'utf8');
    const damaged = text.replace(pattern, replacement);
    const preparation = preparationNamed(name);
    const only = preparation.splits.includes('val') ? ['val'] : preparation.splits;
    if (name === 'flickr30k') {
      const id = text.trim().split('\n')[0]!;
      writeFileSync(join(from, 'Annotations', `${id}.xml`), '<annotation><size>');
    } else {
      expect(damaged).not.toBe(text);
      writeFileSync(path, damaged);
    }
    await expect(runPreparation(preparation, from, { splits: only })).rejects.toThrow('`--on-bad-row skip`');
    const { report } = await runPreparation(preparation, from, { splits: only, onBadRow: 'skip' });
    expect(report.leftOut.map(({ what }) => what)).toContain('entries that cannot be used (--on-bad-row skip)');
  });
});
