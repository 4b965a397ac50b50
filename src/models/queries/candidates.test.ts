import { describe, expect, it } from 'vitest';
import { evaluate, noise } from '../../../test/support/op-check.ts';
import { iouXyxy } from '../../geometry/box-overlap.ts';
import { candidatesOf, selectCandidates } from './candidates.ts';

type Box = readonly [number, number, number, number];

/** Boxes and scores of a caption: overlapping boxes in a unit square. */
const randomCandidates = (count: number, seed: number): { boxes: Box[]; scores: number[] } => {
  const values = noise(5 * count, seed);
  const at = (index: number): number => (values[index]! + 1) / 2;
  return {
    boxes: Array.from({ length: count }, (_, n) => {
      const [x, y] = [0.6 * at(5 * n), 0.6 * at(5 * n + 1)];
      return [x, y, x + 0.15 + 0.25 * at(5 * n + 2), y + 0.15 + 0.25 * at(5 * n + 3)] as const;
    }),
    scores: Array.from({ length: count }, (_, n) => Math.fround(at(5 * n + 4))),
  };
};

/** Greedy suppression as it is usually written: over all candidates, best first; suppressed ones follow, best first. */
const referenceSelection = (
  boxes: readonly Box[],
  scores: readonly number[],
  count: number,
  maxIou: number,
): number[] => {
  const order = scores.map((_, index) => index).sort((a, b) => scores[b]! - scores[a]!);
  const flat = boxes.flat();
  const kept: number[] = [];
  const suppressed: number[] = [];
  for (const index of order)
    (kept.some((other) => iouXyxy(flat, other, flat, index) > maxIou) ? suppressed : kept).push(index);
  return [...kept, ...suppressed].slice(0, count);
};

const select = async (
  captions: readonly { readonly boxes: readonly Box[]; readonly scores: readonly number[] }[],
  count: number,
  maxIou: number,
  symbolic = false,
) => {
  const [batch, size] = [captions.length, captions[0]!.scores.length];
  const results = await evaluate(
    (boxesXyxy, scores) => {
      const { boxesCxcywh, indices } = selectCandidates({ boxesXyxy, scores }, count, maxIou);
      return { indices, boxes: boxesCxcywh };
    },
    [
      { shape: [batch, size, 4], data: captions.flatMap(({ boxes }) => boxes.flat()), symbolicAxes: [0, 1] },
      { shape: [batch, size], data: captions.flatMap(({ scores }) => scores) },
    ],
    { symbolic },
  );
  const indices = Array.from({ length: batch }, (_, b) => results['indices']!.data.slice(b * count, (b + 1) * count));
  return { indices, boxes: results['boxes']!.data };
};

describe('the selection of candidates', () => {
  it.each([0.2, 0.6, 1])('equals greedy suppression at an IoU of %s, in order', async (maxIou) => {
    const captions = [3, 4, 5].map((seed) => randomCandidates(30, seed));
    const { indices } = await select(captions, 12, maxIou, true);
    const expected = captions.map(({ boxes, scores }) => referenceSelection(boxes, scores, 12, maxIou));
    expect(indices).toEqual(expected);
  });

  it('takes suppressed candidates when no others are left, best first', async () => {
    const same: Box = [0.1, 0.1, 0.5, 0.5];
    const captions = [{ boxes: [same, same, [0.6, 0.6, 0.9, 0.9] as const, same], scores: [0.2, 0.9, 0.1, 0.5] }];
    expect((await select(captions, 4, 0.6)).indices).toEqual([[1, 2, 3, 0]]);
  });

  it('takes negative scores last, and repeats a candidate when there are fewer than queries', async () => {
    const captions = [{ boxes: [[0, 0, 1, 1] as const, [0, 0, 0.2, 0.2] as const], scores: [-4, 0.3] }];
    expect((await select(captions, 4, 0.6)).indices).toEqual([[1, 0, 0, 0]]);
  });

  it('returns boxes inside of the image with a minimum size', async () => {
    const captions = [
      {
        boxes: [
          [-0.5, 0.2, 0.5, 1.4],
          [0.3, 0.4, 0.3, 0.2],
        ] as const,
        scores: [0.5, 0.9],
      },
      {
        boxes: [
          [0.1, 0.1, 0.3, 0.5],
          [0, 0, 1, 1],
        ] as const,
        scores: [0.8, 0.4],
      },
    ];
    const { boxes } = await select(captions, 2, 0.6);
    const expected = [
      [0.3, 0.3, 0.02, 0.02],
      [0.25, 0.6, 0.5, 0.8],
      [0.2, 0.3, 0.2, 0.4],
      [0.5, 0.5, 1, 1],
    ].flat();
    boxes.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 6));
  });
});

describe('candidates', () => {
  it('are all cells, scored by 1 − P(no object), padding last', async () => {
    // Two positions of four cells with logits of one token and of "no object"; the second position is padding.
    const logits = [0, 3, 2, 0, 0, 1, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0];
    const boxes = Array.from({ length: 32 }, (_, index) => index);
    const results = await evaluate(
      (tokenLogits, boxesXyxy, padding) => {
        const found = candidatesOf({ tokenLogits, boxesXyxy }, padding);
        return { boxes: found.boxesXyxy, scores: found.scores };
      },
      [
        { shape: [1, 8, 2], data: logits },
        { shape: [1, 8, 4], data: boxes },
        { shape: [1, 2], data: [0, 1], dtype: 'bool' },
      ],
    );
    expect(results['boxes']!.data).toEqual(boxes);
    const scores = results['scores']!.data;
    [-3, 2, -1, 1].forEach((margin, cell) => expect(scores[cell]).toBeCloseTo(1 / (1 + Math.exp(-margin)), 6));
    for (const score of scores.slice(4)) expect(score).toBeLessThan(0);
  });
});
