import { describe, expect, it } from 'vitest';
import { RefexpPrecisionEvaluator } from './refexp-precision.ts';

const one = (imageId: number, datasetName = 'refcoco') => ({ imageId, datasetName, boxesXywh: [[0, 0, 10, 10]] });

describe('RefexpPrecisionEvaluator', () => {
  it('ranks by score, equal scores by the larger box', () => {
    const evaluator = new RefexpPrecisionEvaluator([one(1), one(2)]);
    const wrong: [number, number, number, number] = [0, 20, 5, 30];
    const right: [number, number, number, number] = [0, 0, 10, 10];
    expect(evaluator.add({ image_id: 1, scores: [0.4, 0.9], boxes: [wrong, right] })).toBe(1);
    expect(evaluator.add({ image_id: 2, scores: [0.5, 0.5], boxes: [right, wrong] })).toBe(0.5);
    expect(evaluator.report()).toEqual({ refcoco: [0.5, 1, 1], 'refcoco+': [0, 0, 0], refcocog: [0, 0, 0] });
    expect(evaluator.summarize()).toMatchObject({ 'refcoco_Precision@1': 0.5, 'refcoco_Precision@5': 1 });
  });

  it('compares GIoU as in the official code, or IoU as in the papers', () => {
    // IoU 0.509, less 0.036 for the empty part of the enclosing box.
    const prediction = { image_id: 1, scores: [1], boxes: [[-1, 2.5, 9, 12.5] as [number, number, number, number]] };
    const giou = new RefexpPrecisionEvaluator([one(1)]);
    const iou = new RefexpPrecisionEvaluator([one(1)], { criterion: 'iou' });
    expect(giou.add(prediction)).toBe(0);
    expect(iou.add(prediction)).toBe(1);
  });

  it('reports datasets by name, and replaces an earlier prediction by a later one', () => {
    const evaluator = new RefexpPrecisionEvaluator([one(1, 'custom')], { topK: [10, 1] });
    evaluator.add({ image_id: 1, scores: [1], boxes: [[50, 50, 60, 60]] });
    evaluator.add({ image_id: 1, scores: [1], boxes: [[0, 0, 10, 10]] });
    expect(evaluator.add({ image_id: 99, scores: [1], boxes: [[0, 0, 10, 10]] })).toBeUndefined();
    expect(evaluator.summarize()).toMatchObject({ 'custom_Precision@1': 1, 'custom_Precision@10': 1 });
  });

  it('skips expressions without exactly one box only for CLEVR-Ref+, which ranks by scores_refexp', () => {
    const groundTruth = [one(1, 'clevrref'), { imageId: 2, datasetName: 'clevrref', boxesXywh: [] }];
    expect(() => new RefexpPrecisionEvaluator(groundTruth)).toThrow('Image 2 has 0 boxes');
    const evaluator = new RefexpPrecisionEvaluator(groundTruth, { variant: 'clevrref' });
    const boxes: [number, number, number, number][] = [[30, 30, 40, 40], [0, 0, 10, 10]]; // prettier-ignore
    expect(() => evaluator.add({ image_id: 1, scores: [1, 0], boxes })).toThrow('no "scores_refexp"');
    expect(evaluator.add({ image_id: 1, scores: [1, 0], scores_refexp: [0, 1], boxes })).toBe(1);
    expect(evaluator.report()).toEqual({ clevrref: [1, 1, 1] });
  });

  it('names images without a prediction', () => {
    const evaluator = new RefexpPrecisionEvaluator([1, 2, 3, 4, 5, 6, 7].map((id) => one(id)));
    expect(() => evaluator.summarize()).toThrow('No prediction for 7 of 7 images: 1, 2, 3, 4, 5 and 2 more');
  });
});
