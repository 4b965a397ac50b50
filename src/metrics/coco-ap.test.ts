import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskFromDense, packMask } from '../geometry/run-lengths.ts';
import { CocoApEvaluator } from './coco-ap.ts';
import { type CocoApOptions, type CocoGroundTruth } from './coco-ap-data.ts';

type Box = [number, number, number, number];
const xywh = ([x0, y0, x1, y1]: Box): Box => [x0, y0, x1 - x0, y1 - y0];

/** Images of 100x100 with the given boxes (x0 y0 x1 y1). */
const groundTruthOf = (images: Record<number, Box[]>, firstId = 1): CocoGroundTruth => {
  let id = firstId;
  return {
    images: Object.keys(images).map((image) => ({ id: Number(image), width: 100, height: 100 })),
    annotations: Object.entries(images).flatMap(([image, boxes]) =>
      boxes.map((box) => ({ id: id++, image_id: Number(image), category_id: 1, bbox: xywh(box) })),
    ),
    categories: [{ id: 1 }],
  };
};

describe('CocoApEvaluator', () => {
  // Equality with pycocotools on 520 random images: test/parity-metrics.test.ts.
  it('is 1 for perfect predictions, and -1 without objects', () => {
    const evaluator = new CocoApEvaluator(groundTruthOf({ 1: [[0, 0, 50, 50], [60, 60, 99, 99]] }), { iouType: 'bbox' }); // prettier-ignore
    expect(evaluator.add({ image_id: 1, scores: [0.9, 0.8], boxes: [[0, 0, 50, 50], [60, 60, 99, 99]] })).toBe(1); // prettier-ignore
    const metrics = evaluator.summarize();
    expect(metrics['bbox_AP']).toBeCloseTo(1, 12);
    expect(metrics['bbox_AR@1']).toBe(0.5);
    expect(metrics['bbox_AR@100']).toBe(1);
    expect(metrics['bbox_APs']).toBe(-1);
    expect(Object.keys(metrics)).toHaveLength(12);
  });

  it('agrees with a curve computed by hand', () => {
    // Ranked: correct, wrong, correct; 2 objects. Precision 1 up to recall 0.5, then 2/3.
    const evaluator = new CocoApEvaluator(groundTruthOf({ 1: [[0, 0, 40, 40], [50, 50, 90, 90]] }), { iouType: 'bbox' }); // prettier-ignore
    const boxes: Box[] = [[0, 0, 40, 40], [0, 50, 40, 90], [50, 50, 90, 90]]; // prettier-ignore
    evaluator.add({ image_id: 1, scores: [0.9, 0.8, 0.7], boxes });
    expect(evaluator.stats()[1]).toBeCloseTo((51 * 1 + 50 * (2 / 3)) / 101, 9);
  });

  it('does not depend on the order of images', () => {
    const box = fc.tuple(fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));
    const image = fc.record({
      groundTruth: fc.array(box, { maxLength: 3 }),
      found: fc.array(fc.tuple(box, fc.integer({ min: 0, max: 4 })), { maxLength: 5 }),
    });
    const corners = ([x, y, w, h]: [number, number, number, number]): Box => [x, y, x + w, y + h];
    fc.assert(
      fc.property(fc.array(image, { minLength: 2, maxLength: 4 }), (images) => {
        const groundTruth = groundTruthOf(
          Object.fromEntries(images.map((row, i) => [i, row.groundTruth.map(corners)])),
        );
        const predictions = images.map(({ found }, i) => ({
          image_id: i,
          scores: found.map(([, score]) => score / 4),
          boxes: found.map(([own]) => corners(own)),
        }));
        const statsOf = (ordered: typeof predictions): number[] => {
          const evaluator = new CocoApEvaluator(groundTruth, { iouType: 'bbox' });
          ordered.forEach((prediction) => evaluator.add(prediction));
          return evaluator.stats();
        };
        expect(statsOf([...predictions].reverse())).toEqual(statsOf(predictions));
      }),
      { numRuns: 50 },
    );
  });

  it('counts objects of images without a prediction as missed, or skips them', () => {
    const groundTruth = groundTruthOf({ 1: [[0, 0, 50, 50]], 2: [[0, 0, 50, 50]] });
    for (const [unpredicted, recall] of [
      ['count', 0.5],
      ['skip', 1],
    ] as const) {
      // prettier-ignore
      const evaluator = new CocoApEvaluator(groundTruth, { iouType: 'bbox', unpredicted });
      evaluator.add({ image_id: 1, scores: [1], boxes: [[0, 0, 50, 50]] });
      expect(evaluator.stats()[8]).toBe(recall);
    }
  });

  it('counts an object with id 0, or misses it as pycocotools does', () => {
    const recallWith = (options: Partial<CocoApOptions>): number => {
      const groundTruth = groundTruthOf({ 1: [[0, 0, 50, 50]] }, 0);
      const evaluator = new CocoApEvaluator(groundTruth, { iouType: 'bbox', ...options });
      evaluator.add({ image_id: 1, scores: [1], boxes: [[0, 0, 50, 50]] });
      return evaluator.stats()[8]!;
    };
    expect(recallWith({})).toBe(1);
    expect(recallWith({ idZero: 'missed' })).toBe(0);
  });

  it('compares masks', () => {
    const mask = packMask(maskFromDense(new Uint8Array(100 * 100).fill(1, 0, 2000), 100, 100));
    const half = packMask(maskFromDense(new Uint8Array(100 * 100).fill(1, 0, 1100), 100, 100));
    const groundTruth = groundTruthOf({ 1: [[0, 0, 100, 20]] });
    const withMask = {
      ...groundTruth,
      annotations: groundTruth.annotations.map((own) => ({ ...own, segmentation: mask })),
    };
    const evaluator = new CocoApEvaluator(withMask, { iouType: 'segm' });
    evaluator.add({ image_id: 1, scores: [1], masks: [half] }); // IoU 0.55
    expect(evaluator.stats()[8]).toBeCloseTo(0.2, 12);
    expect(evaluator.stats()[1]).toBeCloseTo(1, 12);
    const small = packMask(maskFromDense(new Uint8Array(4).fill(1), 2, 2));
    const other = new CocoApEvaluator(withMask, { iouType: 'segm' });
    expect(() => other.add({ image_id: 1, scores: [1], masks: [small] })).toThrow(
      '2x2 cannot be compared with one of 100x100',
    );
  });

  it('reports wrong predictions, and what is left out', () => {
    const evaluator = new CocoApEvaluator(groundTruthOf({ 1: [[0, 0, 50, 50]] }), { iouType: 'bbox' });
    expect(() => evaluator.add({ image_id: 7, scores: [], boxes: [] })).toThrow('no image 7');
    const byCategory = new CocoApEvaluator(groundTruthOf({ 1: [] }), { iouType: 'bbox', useCategories: true });
    expect(() => byCategory.add({ image_id: 1, scores: [1], boxes: [[0, 0, 1, 1]] })).toThrow('1 scores and no labels');
    expect(() => new CocoApEvaluator({ images: [], annotations: groundTruthOf({ 3: [[0, 0, 1, 1]] }).annotations }, { iouType: 'bbox' })).toThrow('unknown image 3'); // prettier-ignore
    evaluator.add({ image_id: 1, scores: [1, 0.5], boxes: [[0, 0, 50, 50], [0, 0, 1, 1]], labels: [1, 5] }); // prettier-ignore
    evaluator.add({ image_id: 1, scores: [], boxes: [] });
    expect(evaluator.warnings).toEqual([
      '1 detections of unknown categories were left out.',
      '1 images occurred twice; their first prediction counts.',
    ]);
    const segm = new CocoApEvaluator(groundTruthOf({ 1: [] }), { iouType: 'segm' });
    expect(() => segm.add({ image_id: 1, scores: [1], boxes: [[0, 0, 1, 1]] })).toThrow('1 scores and no masks');
  });
});
