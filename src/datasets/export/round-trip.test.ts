import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BoxXyxy } from '../../geometry/boxes.ts';
import { packMask, unpackMask } from '../../geometry/run-lengths.ts';
import { maskIou } from '../../geometry/mask-overlap.ts';
import { maskFromPolygon } from '../../geometry/polygon.ts';
import { measuresOf } from '../../results/measures.ts';
import type { DetectedObject } from '../../results/types.ts';
import type { ImportedImage } from '../import/importer.ts';
import { recognizeSource } from '../import/importers.ts';
import { ImportSource } from '../import/import-source.ts';
import { Remarks } from '../preparation/remarks.ts';
import { BadRows } from '../source/bad-rows.ts';
import { exportResults, type ExportReport } from './export-results.ts';
import { exporters } from './exporters.ts';
import type { ExportableResult } from './result-images.ts';

const folder = mkdtempSync(join(tmpdir(), 'mdetr-export-'));
const images = join(folder, 'images');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SIZE = { width: 120, height: 80 };
const WORDS = ['a dog', 'the red "cube", & <ball>', 'Häuser', 'a traffic light'];

/** A disk inside a box. */
const diskIn = ([x0, y0, x1, y1]: BoxXyxy) => {
  const ring = Array.from({ length: 24 }, (_, i) => (i * Math.PI) / 12).flatMap((angle) => [
    (x0 + x1) / 2 + ((x1 - x0) / 2) * Math.cos(angle),
    (y0 + y1) / 2 + ((y1 - y0) / 2) * Math.sin(angle),
  ]);
  return packMask(maskFromPolygon(ring, SIZE.height, SIZE.width));
};

const detection = (box: BoxXyxy, words: readonly string[], masked: boolean): DetectedObject => {
  const mask = masked ? diskIn(box) : undefined;
  return {
    box,
    ...measuresOf(box, SIZE, mask),
    score: 0.875,
    label: words[0]!,
    spans: words.map((text, i) => ({ start: i, end: i + 1, text, score: 0.4 })),
    query: 0,
    mask,
  };
};

/** Twelve images: boxes at the edges, beyond them, with fractions, none at all. */
const resultsOf = (masked: boolean): ExportableResult[] =>
  Array.from({ length: 12 }, (_, i) => ({
    image: `images/image ${i}.png`,
    ...SIZE,
    caption: 'what is here',
    detections:
      i === 5
        ? []
        : [
            detection([i + 1, 3.25, i + 40.5, 50.75], [WORDS[i % 4]!, 'a thing'], masked),
            detection([60, 10, 118 + (i === 3 ? 20 : 0), 70.333], [WORDS[(i + 1) % 4]!], masked),
          ],
  }));

beforeAll(async () => {
  mkdirSync(images);
  for (const { image } of resultsOf(false))
    await sharp({ create: { ...SIZE, channels: 3, background: '#777' } })
      .png()
      .toFile(join(folder, image));
});

const importedFrom = async (path: string, format: string): Promise<ImportedImage[]> => {
  const source = await ImportSource.open(path, images);
  const { importer, files } = await recognizeSource(source, format);
  const found: ImportedImage[] = [];
  for await (const image of importer.read(source, files, {
    leftOut: new Remarks(),
    notes: new Remarks(),
    badRows: new BadRows('stop', new Remarks()),
  }))
    found.push(image);
  return found;
};

/** Objects in pixels. */
const objectsOf = ({ objects, unit, width, height }: ImportedImage) =>
  objects.map(({ label, bbox, segmentation }) => {
    const [w, h] = unit === 'fractions' ? [SIZE.width, SIZE.height] : [1, 1];
    expect([width ?? SIZE.width, height ?? SIZE.height]).toEqual([SIZE.width, SIZE.height]);
    return {
      label,
      bbox: [bbox[0] * w, bbox[1] * h, bbox[2] * w, bbox[3] * h] as const,
      segmentation,
      scale: [w, h] as const,
    };
  });

/** Imported images as results, to be exported again. */
const resultsAgain = (imported: readonly ImportedImage[]): ExportableResult[] =>
  imported.map((image) => ({
    image: image.fileName.replace(/^.*\?d=/, '').replace(/^(?!images\/)(?:.*\/)?/, 'images/'),
    ...SIZE,
    caption: 'what is here',
    detections: objectsOf(image).map(({ label, bbox: [x, y, w, h] }) => ({
      ...detection([x, y, x + w, y + h], [label], false),
    })),
  }));

const contentsOf = (path: string): Record<string, string> =>
  statSync(path).isDirectory()
    ? Object.fromEntries(
        readdirSync(path, { recursive: true, encoding: 'utf8' })
          .filter((name) => statSync(join(path, name)).isFile())
          .map((name) => [name, readFileSync(join(path, name), 'utf8')]),
      )
    : { file: readFileSync(path, 'utf8') };

const targetOf = (format: string, name: string): string => {
  const exporter = exporters.find((known) => known.name === format)!;
  const extension = { cvat: '.xml', csv: '.csv' }[format] ?? '.json';
  return join(folder, exporter.target === 'folder' ? name : `${name}${extension}`);
};

const FORMATS = exporters.map(({ name }) => name).filter((name) => name !== 'coco-results');
const LABELS = ['dog', 'red "cube", & <ball>', 'Häuser', 'traffic light'];

describe.each(FORMATS)('%s', (format) => {
  it('is imported with the same boxes and labels, and a second round trip changes nothing', async () => {
    const path = targetOf(format, format);
    const results = resultsOf(false);
    const report: ExportReport = await exportResults(results, { format, path });
    expect(report).toMatchObject({ images: 12, objects: 22 });
    expect([...report.classes].sort()).toEqual([...LABELS].sort());
    const imported = await importedFrom(path, format);
    const byName = new Map(imported.map((image) => [image.path ?? image.fileName, image]));
    for (const { image, detections } of results) {
      const found = byName.get(join(folder, image));
      // A YOLO label file and an XML file are found by the image's name; an image without objects may be missing.
      const objects = found === undefined ? [] : objectsOf(found);
      expect(objects, image).toHaveLength(detections.length);
      objects.forEach(({ label, bbox }, i) => {
        const { xywh, label: phrase } = detections[i]!;
        expect(label).toBe(phrase.replace(/^(a|the) /, ''));
        const tolerance = format === 'voc' ? 1 : 0.5;
        const [x, y, w, h] = xywh;
        const [[ax, ay, aw, ah]] = [bbox];
        for (const [a, b] of [
          [ax, x],
          [ay, y],
          [ax + aw, x + w],
          [ay + ah, y + h],
        ] as const)
          // prettier-ignore
          expect(Math.abs(a - b)).toBeLessThanOrEqual(tolerance);
      });
    }
    const [second, third] = [targetOf(format, `${format}-2`), targetOf(format, `${format}-3`)];
    await exportResults(resultsAgain(imported), { format, path: second, classes: report.classes });
    const again = await importedFrom(second, format);
    expect(
      again.map((image) => objectsOf(image).map(({ label, bbox }) => ({ label, bbox: bbox.map(rounded) }))),
    ).toEqual(imported.map((image) => objectsOf(image).map(({ label, bbox }) => ({ label, bbox: bbox.map(rounded) }))));
    await exportResults(resultsAgain(again), { format, path: third, classes: report.classes });
    expect(contentsOf(third)).toEqual(contentsOf(second));
  });

  it('names what it cannot hold', async () => {
    const { dropped } = await exportResults(resultsOf(true), { format, path: targetOf(format, `${format}-masks`) });
    const what = dropped.map((remark) => remark.what).join('; ');
    if (['yolo', 'voc', 'labelme', 'cvat'].includes(format)) expect(what).toContain('scores');
    if (['voc', 'csv'].includes(format)) expect(what).toContain('masks, whose boxes are kept');
    if (['coco', 'labelstudio'].includes(format)) expect(what).toBe('');
  });
});

const rounded = (value: number): number => Math.round(value * 20) / 20;

describe('masks', () => {
  it.each(['coco', 'yolo', 'labelme', 'labelstudio', 'cvat'])('come back from %s as outlines', async (format) => {
    const path = targetOf(format, `${format}-outlines`);
    const results = resultsOf(true);
    await exportResults(results, { format, path, masks: 'polygons' });
    const [first] = await importedFrom(path, format).then((all) =>
      all.filter((image) => image.fileName.includes('image 1.') || image.path?.includes('image 1.')),
    );
    const [object] = objectsOf(first!);
    const ring = (object!.segmentation as number[][])[0]!.map((value, i) => value * object!.scale[i % 2]!);
    const mask = unpackMask(results[1]!.detections[0]!.mask!);
    expect(maskIou(maskFromPolygon(ring, SIZE.height, SIZE.width), mask)).toBeGreaterThan(0.95);
  });

  it('of COCO are run lengths by default, which lose nothing', async () => {
    const path = targetOf('coco', 'coco-rle');
    const results = resultsOf(true);
    await exportResults(results, { format: 'coco', path });
    const { annotations } = JSON.parse(readFileSync(path, 'utf8')) as { annotations: { segmentation: unknown }[] };
    expect(annotations[0]!.segmentation).toEqual(results[0]!.detections[0]!.mask);
  });
});

describe('classes', () => {
  const result = (...words: string[]): ExportableResult => ({
    image: 'a.jpg',
    ...SIZE,
    caption: 'x',
    detections: words.map((word) => detection([1, 2, 30, 40], [word], false)),
  });

  it('map phrases exactly, then by head noun; others are named; ids follow the list', async () => {
    const path = targetOf('coco', 'mapped');
    const classes = ['cat', 'traffic light', 'dog'];
    const words = ['two small dogs', 'A Dog', 'a red traffic light on a pole', 'a zebra'];
    const { dropped, objects } = await exportResults([result(...words)], { format: 'coco', path, classes });
    const { annotations, categories } = JSON.parse(readFileSync(path, 'utf8')) as {
      annotations: { category_id: number }[];
      categories: { id: number; name: string }[];
    };
    expect(categories).toEqual(classes.map((name, i) => ({ id: i + 1, name })));
    expect(annotations.map(({ category_id: id }) => id)).toEqual([3, 3, 2]);
    expect([objects, dropped.map(({ what }) => what)]).toEqual([3, ['phrases that name no class: "a zebra"']]);
  });

  it('are read from a file, one in each line', async () => {
    const file = join(folder, 'classes.txt');
    writeFileSync(file, '# names\r\ndog\r\n\r\ncat\r\n');
    const report = await exportResults([result('a dog')], {
      format: 'csv',
      path: targetOf('csv', 'file'),
      classes: file,
    });
    expect(report.classes).toEqual(['dog', 'cat']);
    writeFileSync(file, 'dog\ndog\n');
    await expect(exportResults([], { format: 'csv', path: targetOf('csv', 'none'), classes: file })).rejects.toThrow(
      'occurs twice',
    );
  });

  it('of coco-results are those of the annotation file, and so are the ids of images', async () => {
    const annotations = join(folder, 'instances.json');
    writeFileSync(
      annotations,
      JSON.stringify({
        images: [{ id: 77, file_name: 'deep/a.jpg', width: 120, height: 80 }],
        annotations: [],
        categories: [{ id: 18, name: 'dog' }],
      }),
    );
    const path = targetOf('coco-results', 'found');
    const options = { format: 'coco-results', path, annotations };
    const other = { ...result('a dog'), image: 'b.jpg' };
    const { dropped } = await exportResults([result('the dogs', 'a cat'), other], options);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([
      { image_id: 77, category_id: 18, bbox: [1, 2, 29, 38], score: 0.875 },
    ]);
    expect(dropped.map(({ what }) => what)).toEqual([
      'phrases that name no class: "a cat"',
      'images that the annotation file does not have',
    ]);
    await expect(exportResults([], { format: 'coco-results', path })).rejects.toThrow('--annotations FILE');
  });
});

describe('exportResults', () => {
  it('merges several captions of an image, and reads results from a file', async () => {
    const lines = join(folder, 'results.jsonl');
    const full = resultsOf(false)
      .slice(0, 1)
      .flatMap((result) =>
        ['one', 'two'].map((caption, captionIndex) => ({
          ...result,
          caption,
          captionIndex,
          version: 1,
          model: 'm',
          phrases: [],
          warnings: [],
          timing: { preprocess: 1, model: 1, postprocess: 1 },
        })),
      );
    writeFileSync(lines, full.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(await exportResults(lines, { format: 'coco', path: targetOf('coco', 'lines') })).toMatchObject({
      images: 1,
      objects: 4,
    });
    writeFileSync(lines, '{"version":1}\n');
    const broken = targetOf('coco', 'broken');
    await expect(exportResults(lines, { format: 'coco', path: broken })).rejects.toThrow(
      'results.jsonl: line 1: is not a result',
    );
    expect(readdirSync(folder).filter((name) => name.startsWith('broken'))).toEqual([]);
    await expect(exportResults([], { format: 'pascal', path: broken })).rejects.toThrow('unknown format "pascal"');
  });
});
