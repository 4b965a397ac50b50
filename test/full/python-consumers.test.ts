import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportResults } from '../../src/datasets/export/export-results.ts';
import type { ExportableResult } from '../../src/datasets/export/result-images.ts';
import type { BoxXyxy } from '../../src/geometry/boxes.ts';
import { measuresOf } from '../../src/results/measures.ts';

/** Python with the packages of other people's tools: `MDETR_TEST_PYTHON`, else `python3`. */
const python = process.env['MDETR_TEST_PYTHON'] ?? 'python3';
const has = (module: string): boolean => spawnSync(python, ['-c', `import ${module}`]).status === 0;
const [hasCoco, hasSupervision] = [has('pycocotools.coco'), has('supervision')];

const folder = mkdtempSync(join(tmpdir(), 'mdetr-consumers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SIZE = { width: 100, height: 60 };

const result = (image: string, ...boxes: readonly (readonly [label: string, box: BoxXyxy])[]): ExportableResult => ({
  image: join(folder, 'images', image),
  ...SIZE,
  caption: 'a dog and a cat',
  detections: boxes.map(([label, box]) => ({
    box,
    label,
    score: 0.75,
    query: 0,
    ...measuresOf(box, SIZE),
    spans: [{ start: 0, end: 5, text: label, score: 0.7 }],
  })),
});
const results = [
  result('a.png', ['a dog', [10, 5, 50, 45]], ['a cat', [0, 0, 100, 60]]),
  result('b.png', ['a cat', [20.5, 10.25, 30.5, 40.25]]),
];
const run = (code: string, ...args: readonly string[]): unknown =>
  JSON.parse(execFileSync(python, ['-c', code, ...args], { encoding: 'utf8', cwd: folder })) as unknown;

beforeAll(async () => {
  mkdirSync(join(folder, 'images'));
  for (const name of ['a.png', 'b.png'])
    await sharp({ create: { ...SIZE, channels: 3, background: '#888' } })
      .png()
      .toFile(join(folder, 'images', name));
});

describe.skipIf(!hasCoco)('pycocotools (needs MDETR_TEST_PYTHON or python3 with pycocotools)', () => {
  it('loads a data set, and its results by loadRes', async () => {
    const [coco, found] = [join(folder, 'coco.json'), join(folder, 'results.json')];
    await exportResults(results, { format: 'coco', path: coco });
    await exportResults(results, { format: 'coco-results', path: found, annotations: coco });
    const code = `
import sys, json, io, contextlib
from pycocotools.coco import COCO
with contextlib.redirect_stdout(io.StringIO()):
    gt = COCO(sys.argv[1]); res = gt.loadRes(sys.argv[2])
print(json.dumps([len(gt.imgs), len(gt.anns), [a["bbox"] for a in res.anns.values()]]))`;
    expect(run(code, coco, found)).toEqual([2, 3, [[10, 5, 40, 40], [0, 0, 100, 60], [20.5, 10.25, 10, 30]]]); // prettier-ignore
  });
});

describe.skipIf(!hasSupervision)('supervision (needs MDETR_TEST_PYTHON or python3 with supervision)', () => {
  const code = (loader: string): string => `
import sys, json, io, contextlib
import supervision as sv
with contextlib.redirect_stdout(io.StringIO()):
    ds = ${loader}
print(json.dumps([ds.classes, {p.split("/")[-1]: [[round(float(v)) for v in box] for box in ds.annotations[p].xyxy] for p in ds.image_paths}]))`;
  const boxes = { 'a.png': [[10, 5, 50, 45], [0, 0, 100, 60]], 'b.png': [[20, 10, 30, 40]] }; // prettier-ignore

  it('loads YOLO labels', async () => {
    const path = join(folder, 'yolo');
    await exportResults(results, { format: 'yolo', path, classes: ['cat', 'dog'] });
    expect(readFileSync(join(path, 'data.yaml'), 'utf8')).toContain('nc: 2');
    const loader = 'sv.DetectionDataset.from_yolo("images", sys.argv[1] + "/labels", sys.argv[1] + "/data.yaml")';
    expect(run(code(loader), path)).toEqual([['cat', 'dog'], boxes]);
  });

  it('loads Pascal VOC', async () => {
    const path = join(folder, 'voc');
    await exportResults(results, { format: 'voc', path });
    const [classes, found] = run(code('sv.DetectionDataset.from_pascal_voc("images", sys.argv[1])'), path) as [
      string[],
      Record<string, number[][]>,
    ];
    expect([...classes].sort()).toEqual(['cat', 'dog']);
    for (const [name, expected] of Object.entries(boxes))
      found[name]!.forEach((box, i) =>
        box.forEach((value, side) => expect(Math.abs(value - expected[i]![side]!)).toBeLessThanOrEqual(1)),
      );
  });
});
