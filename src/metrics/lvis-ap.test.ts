import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LvisApEvaluator, type LvisApOptions, type LvisGroundTruth } from './lvis-ap.ts';
import { BestDetections } from './lvis-detections.ts';

type Box = [number, number, number, number];
const here: Box = [0, 0, 50, 50];
const there: Box = [60, 60, 90, 90];

/** One image with category 1 in it, 2 known to be absent, 3 unknown, 4 annotated in part. */
const groundTruth: LvisGroundTruth = {
  images: [{ id: 1, width: 100, height: 100, neg_category_ids: [2], not_exhaustive_category_ids: [4] }],
  annotations: [1, 4].map((category) => ({ id: category, image_id: 1, category_id: category, bbox: here })),
  categories: ['f', 'c', 'r', 'r'].map((frequency, i) => ({ id: i + 1, frequency })),
};
const evaluate = (labels: number[], boxes: Box[], scores = labels.map((_, i) => 1 - i / 10)) => {
  const evaluator = new LvisApEvaluator(groundTruth, { iouType: 'bbox' });
  evaluator.add({ image_id: 1, scores, labels, boxes });
  return evaluator.summarize();
};

describe('LvisApEvaluator', () => {
  // Equality with the lvis package on 520 random images: test/parity-metrics.test.ts.
  it('ignores categories of which nothing is known, and extra finds where annotation is partial', () => {
    const perfect = evaluate([1, 4], [here, here]);
    expect(perfect['bbox_AP']).toBeCloseTo(1, 12);
    expect(perfect['bbox_APc']).toBe(-1); // category 2 has no object anywhere
    expect(Object.keys(perfect)).toHaveLength(13);
    // A wrong find of category 1 ranks first and halves its precision; of 3 and 4 it does not matter.
    expect(evaluate([1, 1, 4], [there, here, here])['bbox_APf']).toBeCloseTo(0.5, 12);
    expect(evaluate([3, 4, 4, 1], [there, there, here, here])['bbox_AP']).toBeCloseTo(1, 12);
  });

  it('takes an image in parts, and no more than the limit of it', () => {
    const evaluator = new LvisApEvaluator(groundTruth, { iouType: 'bbox', limit: 1 });
    evaluator.add({ image_id: 1, scores: [0.5], labels: [1], boxes: [here] });
    evaluator.add({ image_id: 1, scores: [0.9], labels: [4], boxes: [here] });
    expect(evaluator.summarize()).toMatchObject({ 'bbox_AR@1': 0.5, bbox_APf: 0 });
    const perCategory = new LvisApEvaluator(groundTruth, { iouType: 'bbox', limitBy: 'category', limit: 1 });
    perCategory.add({ image_id: 1, scores: [0.5], labels: [1], boxes: [here] });
    perCategory.add({ image_id: 1, scores: [0.9], labels: [4], boxes: [here] });
    expect(perCategory.summarize()['bbox_AR@all']).toBe(1);
  });

  it('counts an object with id 0, or misses it as the lvis package does', () => {
    const annotations = groundTruth.annotations.map((annotation) => ({ ...annotation, id: 0 }));
    const apWith = (options: Partial<LvisApOptions>): number | undefined => {
      const evaluator = new LvisApEvaluator({ ...groundTruth, annotations }, { iouType: 'bbox', ...options });
      evaluator.add({ image_id: 1, scores: [1, 0.9], labels: [1, 4], boxes: [here, here] });
      return evaluator.summarize()['bbox_AP'];
    };
    expect(apWith({})).toBeCloseTo(1, 12);
    expect(apWith({ idZero: 'missed' })).toBe(0);
  });

  it('says what does not fit', () => {
    const { categories, images, annotations } = groundTruth;
    const options = { iouType: 'bbox' } as const;
    expect(() => new LvisApEvaluator({ ...groundTruth, categories: [{ id: 1, frequency: 'often' }] }, options)).toThrow(
      '"often"',
    );
    const plain = [{ id: 1, width: 1, height: 1 }] as unknown as LvisGroundTruth['images'];
    expect(() => new LvisApEvaluator({ images: plain, annotations, categories }, options)).toThrow(
      'LVIS image 1 lacks',
    );
    expect(() => new LvisApEvaluator({ images: [], annotations, categories }, options)).toThrow('unknown image 1');
    const evaluator = new LvisApEvaluator({ images, annotations, categories }, options);
    expect(() => evaluator.add({ image_id: 5, scores: [], labels: [], boxes: [] })).toThrow('no image 5');
    expect(() => evaluator.add({ image_id: 1, scores: [1], labels: [1] })).toThrow('no boxes');
    evaluator.add({ image_id: 1, scores: [1], labels: [77], boxes: [here] });
    expect(evaluator.warnings).toEqual(['1 detections of unknown categories were left out.']);
  });
});

describe('BestDetections', () => {
  it('keeps the best, the first of equal scores, in the order in which they were added', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (scores, limit) => {
          const kept = new BestDetections(limit);
          scores.forEach((score, tag) => kept.add({ score, tag, box: [tag, 0, 1, 1] }));
          const best = scores
            .map((score, tag) => ({ score, tag }))
            .sort((a, b) => b.score - a.score)
            .slice(0, limit)
            .sort((a, b) => a.tag - b.tag);
          expect([...kept].map(({ score, tag }) => ({ score, tag }))).toEqual(best);
          expect([...kept].map(({ box }) => box![0])).toEqual(best.map(({ tag }) => tag));
        },
      ),
    );
  });
});
