import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { combineFiles } from './combine-files.ts';
import { ImageIdentities, keyOf, readVisualGenomeImages } from './image-identity.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mdetr-combine-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Row = [fileName: string, caption: string, bbox?: number[]];
const write = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
const annotationFile = (name: string, rows: Row[], size: [number, number] = [200, 100]): string =>
  write(name, {
    images: rows.map(([file_name, caption], id) => ({ id, file_name, caption, width: size[0], height: size[1] })),
    annotations: rows.flatMap(([, caption, bbox], image_id) =>
      bbox === undefined
        ? []
        : [
            {
              id: image_id,
              image_id,
              bbox,
              area: 7,
              iscrowd: 0,
              category_id: 3,
              tokens_positive: [[0, caption.length]],
            },
          ],
    ),
  });
const result = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

describe('combineFiles', () => {
  it('groups captions of all files by image, maps Visual Genome to COCO and leaves out guarded images', async () => {
    const refexp = annotationFile('refexp.json', [
      ['COCO_train2014_000000000009.jpg', 'left dog', [0, 0, 50, 50]],
      ['COCO_train2014_000000000010.jpg', 'tall man', [0, 0, 50, 50]],
      ['COCO_train2014_000000000009.jpg', 'right dog', [100, 0, 50, 50]],
    ]);
    // Visual Genome's image 1 is COCO's 9 at twice the size, 3 is COCO's 10, 2 is not in COCO.
    const regions = annotationFile(
      'vg.json',
      [
        ['VG_100K/2.jpg', 'a tree', [1, 2, 3, 4]],
        ['VG_100K/1.jpg', 'blue sky', [0, 150, 400, 50]],
        ['VG_100K_2/3.jpg', 'a hat', [0, 0, 1, 1]],
        ['VG_100K/4.jpg', 'never seen', [0, 0, 1, 1]],
      ],
      [400, 200],
    );
    const visualGenome = await readVisualGenomeImages(
      write('image_data.json', [
        { image_id: 1, width: 400, height: 200, coco_id: 9, url: 'x' },
        { image_id: 2, width: 400, height: 200, coco_id: null },
        { image_id: 3, width: 400, height: 200, coco_id: 10 },
        { image_id: 4, width: 400, height: 200, coco_id: null },
      ]),
    );
    const out = join(folder, 'out.json');
    const report = await combineFiles(
      [
        { path: refexp, source: 'coco' },
        { path: regions, source: 'vg' },
      ],
      out,
      {
        visualGenome,
        guards: [
          { path: annotationFile('refcoco_val.json', [['COCO_train2014_000000000010.jpg', 'x']]), source: 'coco' },
          { path: write('unsafe.txt', '4\nn123\n\n'), source: 'vg' },
        ],
      },
    );
    expect(report).toEqual({
      images: 2,
      captionsIn: 4,
      captionsOut: 2,
      annotationsOut: 4,
      guardedImages: 2,
      guardedCaptions: 3,
      badRows: 0,
    });
    const image = { file_name: 'COCO_train2014_000000000009.jpg', height: 100, width: 200 };
    const common = { area: 7, iscrowd: 0, category_id: 3 };
    expect(result(out)).toEqual({
      info: [],
      licenses: [],
      images: [
        {
          ...image,
          id: 0,
          original_id: '9',
          caption: 'blue sky. right dog. left dog.',
          tokens_negative: [],
          data_source: 'coco',
          dataset_name: 'mixed',
        },
        {
          file_name: 'VG_100K/2.jpg',
          height: 200,
          width: 400,
          id: 1,
          original_id: '2',
          caption: 'a tree.',
          tokens_negative: [],
          data_source: 'vg',
          dataset_name: 'mixed',
        },
      ],
      annotations: [
        { ...common, bbox: [0, 75, 200, 25], tokens_positive: [[0, 8]], image_id: 0, id: 0 },
        { ...common, bbox: [100, 0, 50, 50], tokens_positive: [[10, 19]], image_id: 0, id: 1 },
        { ...common, bbox: [0, 0, 50, 50], tokens_positive: [[21, 29]], image_id: 0, id: 2 },
        { ...common, bbox: [1, 2, 3, 4], tokens_positive: [[0, 6]], image_id: 1, id: 3 },
      ],
      categories: [],
    });
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('takes names and sizes of COCO images from the list, and reports when it needs one', async () => {
    const regions = annotationFile('vg.json', [['1.jpg', 'blue sky', [0, 0, 400, 100]]], [400, 200]);
    const visualGenome = new Map([['1', { width: 400, height: 200, cocoId: 9 }]]);
    const out = join(folder, 'out.json');
    const inputs = [{ path: regions, source: 'vg' }];
    await expect(combineFiles(inputs, out, { visualGenome })).rejects.toThrow(
      'the Visual Genome image 1.jpg is COCO image 9, but no list of COCO images was given; pass instances_train2014.json with --coco-images',
    );
    const cocoImages = write('instances.json', {
      images: [{ id: 9, file_name: 'COCO_train2014_000000000009.jpg', width: 100, height: 50 }],
    });
    await combineFiles(inputs, out, { visualGenome, cocoImages });
    expect(result(out)).toMatchObject({
      images: [{ file_name: 'COCO_train2014_000000000009.jpg', width: 100, height: 50 }],
      annotations: [{ bbox: [0, 0, 100, 25] }],
    });
  });

  it('is reproducible, and depends on the seed', async () => {
    const file = annotationFile(
      'a.json',
      Array.from({ length: 40 }, (_, i): Row => [`${i % 3}.jpg`, `text ${i}`.padEnd(50, ' x')]),
    );
    const made = [undefined, undefined, 1, 1, 2].map(async (seed, n) => {
      const out = join(folder, `out${n}.json`);
      await combineFiles([{ path: file }], out, { seed });
      return readFileSync(out, 'utf8');
    });
    const [plain, again, one, oneAgain, two] = await Promise.all(made);
    expect(again).toBe(plain);
    expect(oneAgain).toBe(one);
    expect(new Set([plain, one, two]).size).toBe(3);
  });

  it('stops at bad rows or skips them, and leaves no incomplete file', async () => {
    const file = annotationFile('a.json', [
      ['a.jpg', 'fine', [0, 0, 1, 1]],
      ['a.jpg', '', [0, 0, 1, 1]],
    ]);
    const out = join(folder, 'out.json');
    await expect(combineFiles([{ path: file }], out)).rejects.toThrow(
      /a\.json: row 1 \(image id 1\): caption is empty/,
    );
    expect(readdirSync(folder).sort()).toEqual(['a.json', 'a.json.mdetr-index']);
    const report = await combineFiles([{ path: file }], out, { onBadRow: 'skip' });
    expect(report).toMatchObject({ captionsIn: 1, badRows: 1, captionsOut: 1 });
  });
});

describe('ImageIdentities', () => {
  const identities = new ImageIdentities(new Map([['5', { width: 1, height: 1, cocoId: 9 }]]));
  it.each([
    ['COCO_train2014_000000000009.jpg', undefined, 'coco:9'],
    ['train2014/COCO_val2014_000000000009.jpg', undefined, 'coco:9'],
    ['000000000009.jpg', 'coco', 'coco:9'],
    ['9', 'coco', 'coco:9'],
    ['VG_100K/5.jpg', 'vg', 'coco:9'],
    ['6.jpg', 'vg', 'vg:6'],
    ['n12a', 'vg', 'vg:n12a'],
    ['scene1/5.jpg', undefined, ':scene1/5.jpg'],
    ['000000000009.jpg', undefined, ':000000000009.jpg'],
  ])('%s of %s is %s', (name, source, key) => expect(keyOf(identities.of(name, source))).toBe(key));
});
