import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  expectedFile,
  fixtureFolder,
  readJson,
  runPreparation,
  temporaryFolder,
} from '../../../test/support/run-preparation.ts';
import { combineFiles } from '../combine/combine-files.ts';
import { readVisualGenomeImages } from '../combine/image-identity.ts';
import { rootOfPhrase } from '../../text/nouns/root-noun.ts';
import { mergeCaptions } from './merge-captions.ts';
import { contentWords, normalizeWhitespace, simplifyPunctuation } from './phrase-text.ts';
import { type Region, captionOfRegion } from './region-captions.ts';
import { visualGenome } from './visual-genome.ts';

const folder = fixtureFolder('visual-genome');

const copyOfFixture = (): string => {
  const copy = temporaryFolder();
  cpSync(folder, copy, { recursive: true });
  return copy;
};

describe('visual-genome', () => {
  it('writes what the official script writes, checked by hand', async () => {
    const { files, report } = await runPreparation(visualGenome, folder);
    expect(files).toEqual({ 'final_vg_regions.json': expectedFile('visual-genome', 'final_vg_regions.json') });
    expect(report.leftOut).toEqual([
      {
        what: 'regions whose phrase is shorter than three characters',
        count: 2,
        examples: ['region 107', 'region 108'],
      },
      {
        what: 'regions whose phrase has punctuation or spaces that shift its words',
        count: 1,
        examples: ['region 110'],
      },
      { what: 'regions merged with others, or without content', count: 4, examples: ['image 1', 'image 3'] },
    ]);
    expect(report.notes).toEqual([
      {
        what: 'boxes that extend beyond the image, which readers clip',
        count: 3,
        examples: ['region 103', 'region 104', 'region 111'],
      },
      { what: 'boxes without area, which readers skip', count: 1, examples: ['region 111'] },
    ]);
  });

  it('leaves out excluded images', async () => {
    const list = join(temporaryFolder(), 'unsafe.txt');
    writeFileSync(list, '1\n3\n');
    const { files, report } = await runPreparation(visualGenome, folder, { options: { exclude: list } });
    expect(files['final_vg_regions.json']).toMatchObject({ images: [], annotations: [] });
    expect(report.leftOut).toMatchObject([{ what: 'regions of excluded images', count: 15 }]);
  });

  it('writes files that can be combined: COCO images with their own names and sizes, without excluded ones', async () => {
    const { out } = await runPreparation(visualGenome, folder);
    const list = (name: string, content: string): string => {
      writeFileSync(join(out, name), content);
      return join(out, name);
    };
    const cocoImages = list(
      'instances.json',
      '{"images":[{"id":17,"file_name":"COCO_train2014_000000000017.jpg","width":320,"height":240}],"annotations":[]}',
    );
    const options = {
      visualGenome: await readVisualGenomeImages(join(folder, 'image_data.json')),
      cocoImages,
      guards: [{ path: list('unsafe.txt', '1\n'), source: 'vg' }],
    };
    const mixed = join(out, 'final_mixed_train.json');
    const inputs = [{ path: join(out, 'final_vg_regions.json'), source: 'vg' }];
    const report = await combineFiles(inputs, mixed, options);
    expect(report).toMatchObject({ images: 1, captionsIn: 3, guardedImages: 1, guardedCaptions: 5 });
    const { images, annotations } = readJson(mixed) as { images: object[]; annotations: { bbox: number[] }[] };
    for (const image of images)
      expect(image).toMatchObject({ file_name: 'COCO_train2014_000000000017.jpg', data_source: 'coco', width: 320 });
    // COCO's image has half the size of Visual Genome's.
    expect(annotations.map(({ bbox }) => bbox)).toContainEqual([5, 5, 10, 10]);
  });

  it('names file and entry of invalid values, and leaves no file', async () => {
    const broken = async (name: string, content: string, message: RegExp): Promise<void> => {
      const copy = copyOfFixture();
      writeFileSync(join(copy, name), content);
      const out = temporaryFolder();
      await expect(runPreparation(visualGenome, copy, { out })).rejects.toThrow(message);
      expect(readdirSync(out)).toEqual([]);
    };
    await broken('region_graphs.json', '[{"image_id":1}]', /region_graphs\.json: \[0\], field regions: expected array/);
    await broken('region_graphs.json', '[{"image_id":77,"regions":[]}]', /image_data\.json has no image 77/);
    await broken(
      'region_graphs.json',
      '[{"image_id":1,"regions":[{"__proto__":{"phrase":"a dog"},"region_id":1}]}]',
      /\[0\], field regions\.0\.phrase: expected string/,
    );
    await broken('region_graphs.json', '{"image_id":1}', /region_graphs\.json: byte 0: expected a list/);
    await broken('image_data.json', '{}', /not Visual Genome's image_data\.json/);
    const copy = copyOfFixture();
    truncateSync(join(copy, 'region_graphs.json'), 2000);
    await expect(runPreparation(visualGenome, copy)).rejects.toThrow(/if the file is truncated, download it again/);
  });
});

const regions = (
  JSON.parse(readFileSync(join(folder, 'region_graphs.json'), 'utf8')) as { regions: Region[] }[]
).flatMap((image) => image.regions);

describe('captions of regions', () => {
  const captionOf = (phrase: string, more: Partial<Region> = {}) =>
    captionOfRegion({ ...regions[0]!, objects: [], synsets: [], phrase, ...more }, rootOfPhrase);

  it('have normalized white space and punctuation', () => {
    expect(normalizeWhitespace(' a\n b_c\u00a0 d ')).toBe('a b c d');
    expect(simplifyPunctuation('wait!! what.... t - shirt,,')).toBe('wait! what... t-shirt,');
  });

  it('clip synsets that extend beyond the phrase', () => {
    const dog = { x: 1, y: 1, w: 2, h: 2, synsets: ['dog.n.01'] };
    const caption = captionOf('a man with a dog', {
      objects: [dog],
      synsets: [{ synset_name: 'dog.n.01', entity_idx_start: -4, entity_idx_end: 400 }],
    });
    expect(caption).toMatchObject({ boxes: [{ bbox: [1, 1, 2, 2] }], hasObjects: true });
  });

  it('say the same if their content words have the same lemmas', () => {
    const lemmas = (phrase: string): string =>
      contentWords(phrase)
        .map(({ lemma }) => lemma)
        .join(' ');
    expect(lemmas('The leaves, on a tree.')).toBe(lemmas('leaf of the tree!'));
    expect(lemmas("the dog's tail")).not.toBe(lemmas('the dog tail'));
    expect(lemmas('!?')).toBe('');
  });

  it('are merged only if they refer to the same objects', () => {
    const at = (regionId: number, caption: string, x: number) =>
      ({
        regionId,
        caption,
        boxes: [{ bbox: [x, 0, 10, 10], spans: [[0, 5]] }],
        tokensNegative: [],
        hasObjects: true,
      }) as const;
    expect(mergeCaptions([at(1, 'white cup.', 0), at(2, 'white cup', 100)]).map(({ regionId }) => regionId)).toEqual([
      1, 2,
    ]);
    expect(mergeCaptions([at(1, 'white cup.', 0), at(2, 'white cup', 1)])).toMatchObject([
      { regionId: 2, boxes: [{ bbox: [0.5, 0, 10, 10] }] },
    ]);
    expect(mergeCaptions([at(1, 'wall of wall', 0), at(2, 'the building', 0)]).map(({ regionId }) => regionId)).toEqual(
      [2],
    );
    expect(mergeCaptions([])).toEqual([]);
  });
});
