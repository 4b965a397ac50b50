import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportResults } from '../../src/datasets/export/export-results.ts';
import type { ExportableResult } from '../../src/datasets/export/result-images.ts';
import type { BoxXyxy } from '../../src/geometry/boxes.ts';
import { measuresOf } from '../../src/results/measures.ts';
import { writeProvenance } from '../../src/train/run/records/run-provenance.ts';
import { writeWandbRun } from '../../src/train/run/records/wandb-run.ts';
import { smallConfig } from '../support/small-run.ts';

/** Python with the packages of other people's tools: `MDETR_TEST_PYTHON`, else `python3`. */
const python = process.env['MDETR_TEST_PYTHON'] ?? 'python3';
const has = (module: string): boolean => spawnSync(python, ['-c', `import ${module}`]).status === 0;
const [hasCoco, hasSupervision] = [has('pycocotools.coco'), has('supervision')];
const [hasLabelStudio, hasWandb] = [has('label_studio_sdk'), has('wandb')];

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

describe.skipIf(!hasLabelStudio)('Label Studio (needs MDETR_TEST_PYTHON or python3 with label-studio-sdk)', () => {
  const code = `
import sys, json
from label_studio_sdk.label_interface import LabelInterface
config = '''<View><Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image"><Label value="cat"/><Label value="dog"/></RectangleLabels></View>'''
interface = LabelInterface(config)
tasks = json.load(open(sys.argv[1]))
if len(sys.argv) > 2:
    tasks[0]["predictions"][0]["result"][0]["value"]["rectanglelabels"] = ["unknown"]
# Its check of whole tasks with predictions is broken, so the two are checked apart.
bare = [{"data": task["data"]} for task in tasks]
print(json.dumps([bool(interface.validate_task(own)) and all(interface.validate_prediction(p) for p in task["predictions"]) for own, task in zip(bare, tasks)]))`;

  it('accepts the tasks and their predictions, and would refuse a label that the interface does not have', async () => {
    const path = join(folder, 'tasks.json');
    await exportResults(results, { format: 'labelstudio', path, classes: ['cat', 'dog'] });
    expect(run(code, path)).toEqual([true, true]);
    expect(run(code, path, 'damaged')).toEqual([false, true]);
  });
});

describe.skipIf(!hasWandb)('Weights & Biases (needs MDETR_TEST_PYTHON or python3 with wandb)', () => {
  const code = `
import sys, json, struct
from wandb.proto import wandb_internal_pb2 as messages
data, at, part, found = open(sys.argv[1], "rb").read(), 7, b"", []
while at < len(data):
    left = 32768 - at % 32768
    if left < 7:
        at += left
        continue
    _, length, kind = struct.unpack("<IHB", data[at:at + 7])
    part = (b"" if kind in (1, 2) else part) + data[at + 7:at + 7 + length]
    at += 7 + length
    if kind in (1, 4):
        record = messages.Record()
        record.ParseFromString(part)
        found.append(record)
rows = [{item.nested_key[0]: json.loads(item.value_json) for item in r.history.item} for r in found if r.HasField("history")]
print(json.dumps([[r.WhichOneof("record_type") for r in found], [r["train/loss"] for r in rows], found[1].run.project, [r["_step"] for r in rows]]))`;

  it('reads the records of an offline run', async () => {
    const output = join(folder, 'run');
    mkdirSync(output);
    const config = smallConfig({ output_dir: output, report_to: 'wandb-offline' });
    await writeProvenance(config);
    const entries = [{ step: 2, loss: 4 }, { step: 4, loss: 3 }]; // prettier-ignore
    writeFileSync(
      join(output, 'log.jsonl'),
      entries.map((entry) => `${JSON.stringify({ kind: 'train', terms: {}, ...entry })}\n`).join(''),
    );
    await writeWandbRun(config, true);
    const [name] = readdirSync(join(output, 'wandb'));
    const path = join(output, 'wandb', name!, `run-${name!.slice(-8)}.wandb`);
    const kinds = ['header', 'run', 'history', 'summary', 'history', 'summary', 'exit'];
    expect(run(code, path)).toEqual([kinds, [4, 3], 'mdetr', [2, 4]]);
  });
});
