import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlickrRecallEvaluator, type FlickrGroundTruth } from './flickr-recall.ts';
import type { FlickrPrediction } from './predictions.ts';

type Box = FlickrPrediction['boxes'][number][number];

const far: Box = [500, 500, 510, 510];
const groundTruth: FlickrGroundTruth = {
  imageId: '7',
  boxes: new Map([
    ['1', [[0, 0, 10, 10]]],
    ['2', [[0, 0, 10, 10], [10, 0, 20, 10]]], // prettier-ignore
  ]),
  sentences: [
    [
      { phraseId: '1', phraseTypes: ['people'] },
      { phraseId: '0', phraseTypes: ['notvisual'] }, // has no box, so it does not count
      { phraseId: '2', phraseTypes: ['animals', 'other'] },
    ],
    [{ phraseId: '0', phraseTypes: ['scene'] }],
  ],
};

describe('FlickrRecallEvaluator', () => {
  it('counts the k best boxes, by category', () => {
    const evaluator = new FlickrRecallEvaluator([groundTruth]);
    const boxes: Box[][] = [
      [far, [0, 0, 10, 10]],
      [[10, 0, 20, 10], far],
    ];
    expect(evaluator.add({ image_id: 7, sentence_id: 0, boxes })).toBe(0.5);
    expect(evaluator.add({ image_id: '7', sentence_id: 1, boxes: [] })).toBeUndefined();
    expect(evaluator.summarize()).toMatchObject({
      'Recall@1_all': 0.5,
      'Recall@1_people': 0,
      'Recall@1_animals': 1,
      'Recall@1_other': 1,
      'Recall@5_all': 1,
      Upper_bound_people: 1,
    });
    expect(Object.keys(evaluator.summarize()).some((name) => name.includes('notvisual'))).toBe(false);
    expect(evaluator.warnings).toEqual([]);
  });

  it('with mergeBoxes, compares with the enclosing box: half of it is exactly enough', () => {
    const boxes: Box[][] = [[far], [[10, 0, 20, 10]]];
    for (const [width, hit] of [
      [20, 1],
      [19, 0],
    ] as const) {
      // prettier-ignore
      const evaluator = new FlickrRecallEvaluator([groundTruth], { mergeBoxes: true });
      evaluator.add({ image_id: '7', sentence_id: 0, boxes: [boxes[0]!, [[10, 0, width, 10]]] });
      expect(evaluator.summarize()['Recall@1_animals']).toBe(hit);
    }
  });

  it('does not decrease with k', () => {
    const coordinate = fc.integer({ min: 0, max: 20 });
    const box = fc.tuple(coordinate, coordinate, coordinate, coordinate);
    const boxes = fc.array(box, { minLength: 0, maxLength: 12 });
    fc.assert(
      fc.property(boxes, boxes, (first, second) => {
        const evaluator = new FlickrRecallEvaluator([groundTruth]);
        evaluator.add({ image_id: '7', sentence_id: 0, boxes: [first, second] });
        const metrics = evaluator.summarize();
        const recalls = ['Recall@1', 'Recall@5', 'Recall@10', 'Upper_bound'].map((name) => metrics[`${name}_all`]!);
        expect(recalls).toEqual([...recalls].sort((a, b) => a - b));
      }),
    );
  });

  it('reports wrong predictions', () => {
    const evaluator = new FlickrRecallEvaluator([groundTruth]);
    expect(() => evaluator.summarize()).toThrow('No prediction for 1 of 1 sentences (image_sentence): 7_0');
    expect(() => evaluator.add({ image_id: '7', sentence_id: 0, boxes: [[far]] })).toThrow(
      '1 phrases, the sentence has 2',
    );
    const again = new FlickrRecallEvaluator([groundTruth]);
    again.add({ image_id: '7', sentence_id: 0, boxes: [[far], [far]] });
    again.add({ image_id: '7', sentence_id: 0, boxes: [[far], [far]] });
    again.add({ image_id: '7', sentence_id: 1, boxes: [[far]] });
    expect(again.warnings).toEqual([
      'sentence 0 of image 7 occurred twice; the first prediction counts.',
      'sentence 1 of image 7 has no phrase with boxes; its prediction is ignored.',
    ]);
  });
});
