import { describe, expect, it } from 'vitest';
import { hasCase, loadCase, type ReferenceCase } from '../../test/support/reference-case.ts';
import { boxesCxcywhToXyxyPx, postprocessBoxes, softmaxRows } from './scored-boxes.ts';
import { positiveRowsOf, rankBoxesByPhrase } from './phrase-boxes.ts';

/** Rows `b` of a (B, …) float32 tensor. */
const sample = (reference: ReferenceCase, name: string, b: number): Float32Array => {
  const { data, shape } = reference.typed(name, 'f32');
  const size = data.length / shape[0]!;
  return data.slice(b * size, (b + 1) * size);
};
const outputsOf = (reference: ReferenceCase, b: number) => ({
  logits: sample(reference, 'pred_logits', b),
  boxes: sample(reference, 'pred_boxes', b),
  isFinal: reference.has('pred_isfinal') ? sample(reference, 'pred_isfinal', b) : undefined,
});
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
};

const scoreTolerance = 3e-7;

describe.each(['tiny-final-results', 'tiny', 'tiny-final', 'tiny-gqa', 'r101'])(
  'official post-processors on case %s (its copy or ../shared/reference)',
  (name) => {
    it.skipIf(!hasCase(name))('scores, boxes and phrase ranking are the same', () => {
      const reference = loadCase(name);
      const { targets, flickr_boxes_sorted: flickr } = reference.json as {
        targets: { orig_size: [number, number]; boxes: number[][] }[];
        flickr_boxes_sorted: number[][][][];
      };
      let firstPhrase = 0;
      targets.forEach(({ orig_size: [height, width], boxes: targetBoxes }, b) => {
        const outputs = outputsOf(reference, b);
        const { scores, boxes, scoresRefexp } = postprocessBoxes(outputs, { height, width });
        expect(largestDifference(scores, reference.f32(`postprocess${b}.scores`))).toBeLessThan(scoreTolerance);
        expect(boxes).toEqual(reference.f32(`postprocess${b}.boxes`));
        const refexp = `postprocess${b}.scores_refexp`;
        expect(scoresRefexp !== undefined).toBe(reference.has(refexp));
        if (scoresRefexp !== undefined)
          expect(largestDifference(scoresRefexp, reference.f32(refexp))).toBeLessThan(scoreTolerance);

        const rows = positiveRowsOf(reference.f32('positive_map'));
        const phrases = rows.slice(firstPhrase, (firstPhrase += targetBoxes.length));
        const ranking = rankBoxesByPhrase(outputs, { height, width }, phrases);
        expect(ranking.map((phrase) => phrase.map(({ box }) => box))).toEqual(flickr[b]);
      });
    });
  },
);

it('boxes, and phrases of samples of which some have none, are those of case postprocess', () => {
  const reference = loadCase('postprocess');
  const { items_per_batch_element: items, flickr } = reference.json as {
    items_per_batch_element: number[];
    flickr: number[][][][];
  };
  const sizes = Array.from(reference.typed('target_sizes', 'i64').data, Number);
  const rows = positiveRowsOf(reference.f32('positive_map'));
  let first = 0;
  items.forEach((count, b) => {
    const size = { height: sizes[2 * b]!, width: sizes[2 * b + 1]! };
    const outputs = outputsOf(reference, b);
    const { scores, boxes } = postprocessBoxes(outputs, size);
    expect(largestDifference(scores, reference.f32(`bbox${b}.scores`))).toBeLessThan(scoreTolerance);
    expect(boxes).toEqual(reference.f32(`bbox${b}.boxes`));
    const ranking = rankBoxesByPhrase(outputs, size, rows.slice(first, (first += count)));
    expect(ranking.map((phrase) => phrase.map(({ box }) => box))).toEqual(flickr[b]);
  });
  expect(items).toContain(0);
});

describe('edges', () => {
  const size = { height: 10, width: 20 };

  it('no queries give nothing', () => {
    const none = { logits: new Float32Array(0), boxes: new Float32Array(0) };
    expect(postprocessBoxes(none, size).scores).toHaveLength(0);
  });

  it('values that are not numbers are an error', () => {
    const boxes = Float32Array.of(0.5, 0.5, 0.1, 0.1);
    const logits = Float32Array.of(0, NaN, 1);
    expect(() => postprocessBoxes({ logits, boxes }, size)).toThrow('not finite');
    expect(() => postprocessBoxes({ logits: Float32Array.of(0, 1), boxes: boxes.fill(NaN) }, size)).toThrow(
      'not finite',
    );
  });

  it('large logits do not overflow', () => {
    expect([...softmaxRows(Float32Array.of(1e30, -1e30, 3e38, 3e38), 2)]).toEqual([1, 0, 0.5, 0.5]);
  });

  it('sizes of logits and boxes must fit', () => {
    expect(() => softmaxRows(new Float32Array(7), 2)).toThrow('internal: logits has 7 values');
    expect(() => boxesCxcywhToXyxyPx(new Float32Array(5), size)).toThrow('internal: boxes has 5 values');
  });

  it('a phrase without tokens ranks the queries in their order', () => {
    const outputs = { logits: new Float32Array(9), boxes: new Float32Array(12) };
    const [ranking] = rankBoxesByPhrase(outputs, size, [{ count: 0, tokens: [] }]);
    expect(ranking!.map(({ query, score }) => [query, score])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
  });

  it('the map of rows reads binary and normalized maps alike, and skips what is next to nothing', () => {
    const map = new Float32Array(512);
    map[3] = 1;
    map[256] = 0.25;
    map[511] = 1e-7;
    expect(positiveRowsOf(map)).toEqual([
      { count: 1, tokens: [3] },
      { count: 1, tokens: [0] },
    ]);
  });
});
