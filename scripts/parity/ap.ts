import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CocoApEvaluator } from '../../src/metrics/coco-ap.ts';
import { type CocoGroundTruth, type XywhDetections } from '../../src/metrics/coco-ap-data.ts';
import { LvisApEvaluator, type LvisGroundTruth } from '../../src/metrics/lvis-ap.ts';
import { Difference, type Comparison, type Values } from './difference.ts';

type Box = [number, number, number, number];

interface RandomCase<GroundTruth, Expected> {
  /** Ground truth, under the key of the fixture. */
  readonly truth: GroundTruth;
  /** In the order of the reference; `masks` are packed run lengths. */
  readonly detections: readonly {
    image_id: number;
    scores: number[];
    labels: number[];
    boxes: Box[];
    masks: string[];
  }[];
  readonly expected: Readonly<Record<string, Expected>>;
}

/** Compares AP over random detections on 520 images with pycocotools and lvis (bench/fixtures/average_precision.py). */
export const compareRandomAp = (folder: string): Comparison[] => [
  ...compareCoco(join(folder, 'coco-random.json.gz')),
  ...compareLvis(join(folder, 'lvis-random.json.gz')),
];

const compareCoco = (file: string): Comparison[] => {
  const data = readZipped(file) as RandomCase<CocoGroundTruth, number[]>;
  return Object.entries(data.expected).map(([name, stats]) => {
    const iouType = name.startsWith('bbox') ? 'bbox' : 'segm';
    const evaluator = new CocoApEvaluator(data.truth, {
      iouType,
      useCategories: name.endsWith('by category'),
      idZero: 'missed',
    });
    for (const [id, detections] of imagesOf(data)) evaluator.addXywh(id, detections);
    return new Difference(`pycocotools, 520 images, ${name}`, 1e-9).addList(evaluator.stats(), stats).comparison;
  });
};

const compareLvis = (file: string): Comparison[] => {
  const data = readZipped(file) as RandomCase<LvisGroundTruth, Values>;
  return Object.entries(data.expected).map(([name, expected]) => {
    const [iouType, limitBy, limit] = name.split(' ') as ['bbox' | 'segm', 'image' | 'category', string];
    const evaluator = new LvisApEvaluator(data.truth, { iouType, limitBy, limit: Number(limit), idZero: 'missed' });
    for (const [id, detections] of imagesOf(data)) evaluator.addXywh(id, detections);
    const renamed = Object.entries(expected).map(([key, value]): [string, number] => [
      `${iouType}_${key.replace('@-1', '@all')}`,
      value,
    ]);
    return new Difference(`lvis, 520 images, ${iouType}, best ${limit} per ${limitBy}`, 1e-9).addRecord(
      evaluator.summarize(),
      Object.fromEntries(renamed),
    ).comparison;
  });
};

/** Detections by image id, with masks in the format of COCO's files. */
const imagesOf = (
  data: RandomCase<CocoGroundTruth, unknown>,
): [id: number, detections: XywhDetections & { labels: number[] }][] => {
  const sizes = new Map(data.truth.images.map(({ id, width, height }) => [id, [height, width] as const]));
  return data.detections.map(({ image_id: id, masks, ...detections }) => {
    const size = sizes.get(id)!;
    return [id, { ...detections, masks: masks.map((counts) => ({ size, counts })) }];
  });
};

const readZipped = (path: string): unknown => JSON.parse(gunzipSync(readFileSync(path)).toString()) as unknown;
