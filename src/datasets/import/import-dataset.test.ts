import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DRAWN_FORMATS,
  DRAWN_SIZE,
  drawImages,
  drawnImages,
  writeFormat,
} from '../../../test/support/drawn-dataset.ts';
import { temporaryFolder } from '../../../test/support/run-preparation.ts';
import type { CocoAnnotation, CocoImage } from '../../data/format/coco-format.ts';
import { importDataset, type ImportDatasetOptions } from './import-dataset.ts';

const images = drawnImages();
let drawn: string;
beforeAll(async () => {
  drawn = mkdtempSync(join(tmpdir(), 'mdetr-drawn-'));
  await drawImages(join(drawn, 'images'), images);
});
afterAll(() => rmSync(drawn, { recursive: true }));

/** Source folder with the images and the files of a format. */
const sourceOf = (format: string): string => {
  const folder = temporaryFolder();
  cpSync(join(drawn, 'images'), join(folder, 'images'), { recursive: true });
  writeFormat(folder, DRAWN_FORMATS[format]!(images));
  return folder;
};

interface Written {
  readonly images: readonly CocoImage[];
  readonly annotations: readonly CocoAnnotation[];
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

const imported = async (options: Omit<ImportDatasetOptions, 'out'>) => {
  const out = join(temporaryFolder(), 'dataset');
  const report = await importDataset({ ...options, out });
  return {
    report,
    out,
    train: readJson(join(out, 'train.json')) as Written,
    val: existsSync(join(out, 'val.json')) ? (readJson(join(out, 'val.json')) as Written) : undefined,
  };
};

/** Distinct boxes of all splits: image, box, and the words that refer to it. */
const boxesOf = ({ train, val }: Awaited<ReturnType<typeof imported>>): string[] =>
  [
    ...new Set(
      [train, val].flatMap((file) =>
        (file?.annotations ?? []).map(({ image_id: id, bbox, tokens_positive: spans }) => {
          const image = file!.images.find((each) => each.id === id)!;
          const words = spans!.map(([begin, end]) => image.caption!.slice(begin, end)).join(' ');
          return `${image.file_name} ${bbox.map(Math.round).join(' ')} ${words}`;
        }),
      ),
    ),
  ].sort();

const expected = images
  .flatMap(({ name, objects }) =>
    objects.map(({ label, box }) => `${name} ${box.join(' ')} ${label.toLowerCase().replace('_', ' ')}`),
  )
  .sort();

describe('importDataset', () => {
  it.each(Object.keys(DRAWN_FORMATS))('reads the same boxes and words from %s', async (format) => {
    const source = sourceOf(format);
    const before = readdirSync(source, { recursive: true });
    const result = await imported({ source });
    expect(boxesOf(result)).toEqual(expected);
    expect(result.report.leftOut).toEqual([]);
    expect(result.report.format).toBe(format === 'retinanet' ? 'csv' : format);
    expect(readdirSync(source, { recursive: true })).toEqual(before);
    const [train, val] = [result.train, result.val!].map((file) => file.images.map(({ file_name: name }) => name));
    expect(new Set([...train!, ...val!])).toEqual(new Set(images.map(({ name }) => name)));
    expect(train!.filter((name) => val!.includes(name))).toEqual([]);
    for (const image of result.train.images) expect(image).toMatchObject(DRAWN_SIZE);
  });

  it('writes captions of one kind or several, and a config with the reason of each value', async () => {
    const source = sourceOf('coco');
    const { train, out } = await imported({ source, texts: ['prompts', 'captions'], negatives: 1 });
    const captions = new Set(train.images.map(({ caption }) => caption));
    expect(captions).toContain('traffic light');
    expect(
      [...captions].some((caption) => /^an? (apple|banana|traffic light) (on the|at the|in the) /.test(caption!)),
    ).toBe(true);
    const config = readJson(join(out, 'config.json')) as Record<string, unknown>;
    expect(config).toMatchObject({ load: 'default', mask_loss_coef: 0, datasets: [{ annotations: './train.json' }] });
    expect(config['_reasons']).toMatchObject({ batch_size: expect.any(String), max_steps: expect.any(String) });
  });

  it('keeps copies of one image in one part, and every class in the training part', async () => {
    const folder = temporaryFolder();
    for (let i = 0; i < 12; i++)
      cpSync(join(drawn, 'images', images[0]!.name), join(folder, `a${i >> 2}_jpg.rf.${i}.png`));
    writeFileSync(
      join(folder, 'boxes.csv'),
      Array.from({ length: 12 }, (_, i) => `a${i >> 2}_jpg.rf.${i}.png,1,1,20,20,${i < 4 ? 'rare' : 'dog'}`).join('\n'),
    );
    const { train, val } = await imported({ source: folder, texts: ['classes'] });
    const stems = [train, val!].map((file) => new Set(file.images.map(({ file_name: name }) => name.slice(0, 2))));
    expect([...stems[0]!].filter((stem) => stems[1]!.has(stem))).toEqual([]);
    expect(stems[0]).toContain('a0');
    expect(val!.images).toHaveLength(4);
  });

  it('makes attributes a part of the phrases, if asked to', async () => {
    const folder = temporaryFolder();
    cpSync(join(drawn, 'images', images[0]!.name), join(folder, 'a.png'));
    writeFileSync(
      join(folder, 'annotations.xml'),
      '<annotations><image id="0" name="a.png" width="192" height="128"><box label="Car" occluded="1" xtl="1" ytl="1" xbr="9" ybr="9">' +
        '<attribute name="color">Dark Red</attribute></box></image></annotations>',
    );
    const captionOf = async (attributes?: 'all' | string[]) =>
      (await imported({ source: folder, attributes })).train.images[0]!.caption;
    expect(await captionOf()).toBe('car.');
    expect(await captionOf(['color'])).toBe('dark red car.');
    expect(await captionOf('all')).toBe('occluded dark red car.');
  });

  it('refuses existing files, and an output that nothing can be written to, before it reads', async () => {
    const source = sourceOf('csv');
    const { out } = await imported({ source });
    await expect(importDataset({ source, out })).rejects.toThrow(/train\.json exists; pass --overwrite/);
    await expect(importDataset({ source, out, overwrite: true })).resolves.toMatchObject({ format: 'csv' });
    await expect(importDataset({ source, out, format: 'jpeg' })).rejects.toThrow(
      /unknown format "jpeg"; choose from coco, voc/,
    );
    await expect(importDataset({ source, out, format: 'voc' })).rejects.toThrow(
      /does not have the format voc|has the format voc/,
    );
  });
});
