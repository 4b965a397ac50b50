import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CocoAnnotation, CocoRow } from '../../data/format/coco-format.ts';
import type { CodePointSpan } from '../../text/spans/span.ts';
import { type BoxXywh, boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { anyOverlap } from '../../geometry/box-overlap.ts';
import { codePointsOf, consolidateSpans } from './caption-spans.ts';
import { combineCaptions, type CombinedCaption, type CombineOptions } from './combine-captions.ts';

const rowOf = (caption: string, ...boxes: { bbox: BoxXywh; spans: CodePointSpan[] }[]): CocoRow => ({
  image: { id: 1, file_name: 'a.jpg', width: 100, height: 100, caption },
  annotations: boxes.map(({ bbox, spans }): CocoAnnotation => ({ image_id: 1, bbox, tokens_positive: spans })),
});
const near: BoxXywh = [0, 0, 10, 10];
const far: BoxXywh = [50, 50, 10, 10];
const readBack = (caption: string, spans: readonly CodePointSpan[]): string[] =>
  spans.map(([begin, end]) => codePointsOf(caption).slice(begin, end).join(''));

describe('combineCaptions', () => {
  it('joins captions about different objects, and shifts their spans', () => {
    const rows = [
      rowOf('the dog 🐕', { bbox: near, spans: [[4, 7]] }),
      rowOf('a dog', { bbox: [0, 0, 10, 9], spans: [[0, 5]] }),
      rowOf('where is the cat?', { bbox: far, spans: [[13, 16]] }),
    ];
    // Captions 0 and 1 overlap: degree 1 each, the higher index first; 2 has degree 0 and comes last.
    expect(combineCaptions(rows)).toEqual([
      {
        caption: 'a dog. where is the cat?',
        tokens_negative: [],
        annotations: [
          { area: 90, iscrowd: 0, category_id: 1, bbox: [0, 0, 10, 9], tokens_positive: [[0, 5]] },
          { area: 100, iscrowd: 0, category_id: 1, bbox: far, tokens_positive: [[20, 23]] },
        ],
        inputs: [1, 2],
      },
      {
        caption: 'the dog 🐕.',
        tokens_negative: [],
        annotations: [{ area: 100, iscrowd: 0, category_id: 1, bbox: near, tokens_positive: [[4, 7]] }],
        inputs: [0],
      },
    ]);
  });

  it('fills a caption up to 250 characters, less two for each caption added', () => {
    const inputsOf = (...lengths: number[]) =>
      combineCaptions(lengths.map((length) => rowOf('x'.repeat(length)))).map(({ inputs }) => inputs);
    expect(inputsOf(100, 148)).toEqual([[1, 0]]);
    expect(inputsOf(100, 149)).toEqual([[1], [0]]);
    // A caption that fits nowhere stays alone; the first one remains open for the others.
    expect(inputsOf(3, 300, 4)).toEqual([[2, 0], [1]]);
    expect(inputsOf(249)).toEqual([[0]]);
  });

  it('distinguishes IoU and GIoU at the threshold', () => {
    // Intersection 40, union 94, enclosing box 100.
    const boxes = [rowOf('a', { bbox: [0, 0, 10, 7], spans: [] }), rowOf('b', { bbox: [0, 2, 8, 8], spans: [] })];
    const captionCount = (options: CombineOptions) => combineCaptions(boxes, options).length;
    const iou = 40 / (70 + 64 - 40);
    const giou = iou - (100 - 94) / 100;
    const between = (iou + giou) / 2;
    expect(captionCount({ overlap: 'iou', maxOverlap: between })).toBe(2);
    expect(captionCount({ overlap: 'giou', maxOverlap: between })).toBe(1);
  });

  it('allows an overlap of exactly the threshold', () => {
    const half = [rowOf('a', { bbox: [0, 0, 10, 10], spans: [] }), rowOf('b', { bbox: [0, 0, 10, 5], spans: [] })];
    expect(combineCaptions(half)).toHaveLength(1);
    expect(combineCaptions(half, { maxOverlap: 0.499 })).toHaveLength(2);
  });

  it('merges near-duplicate boxes with the same spans', () => {
    const row = rowOf(
      'two dogs',
      { bbox: [0, 0, 10, 10], spans: [[4, 8]] },
      { bbox: far, spans: [[4, 8]] },
      { bbox: [0, 0, 10, 8], spans: [[4, 8]] },
      { bbox: [0, 0, 10, 10], spans: [[0, 3]] },
    );
    const boxes = (mergeBoxesAt?: number) =>
      combineCaptions([row], { mergeBoxesAt })[0]!.annotations.map(({ bbox, area }) => [...bbox, area]);
    expect(boxes(0.7)).toEqual([
      [0, 0, 10, 9, 90],
      [...far, 100],
      [0, 0, 10, 10, 100],
    ]);
    expect(boxes(0.81)).toHaveLength(4);
    expect(boxes(2)).toHaveLength(4);
  });

  it('depends on seed and image index only', () => {
    const rows = Array.from({ length: 12 }, (_, i) => rowOf(`text number ${i}`.padEnd(60, '.')));
    const inputsOf = (seed: number, image = 0) => combineCaptions(rows, { seed }, image).map(({ inputs }) => inputs);
    expect(inputsOf(1)).toEqual(inputsOf(1));
    expect(inputsOf(1)).not.toEqual(inputsOf(2));
    expect(inputsOf(1)).not.toEqual(inputsOf(1, 1));
  });
});

describe('combineCaptions on any input', () => {
  const coordinate = fc.integer({ min: 0, max: 60 });
  const side = fc.integer({ min: 1, max: 60 });
  const bbox = fc.tuple(coordinate, coordinate, side, side).map((box): BoxXywh => box);
  // Consolidation trims spans to letters and digits, so words begin and end with one.
  const word = fc.stringMatching(/^[a-zA-Z0-9éß猫]{1,9}(🐕[a-z]{1,3})?(-[a-z]{1,5})?$/u);
  const row = fc
    .tuple(
      fc.array(word, { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(bbox, fc.nat(7), fc.nat(7)), { maxLength: 4 }),
      fc.constantFrom('', '.', '?', '!'),
      fc.nat(7),
    )
    .map(([words, boxes, ending, negative]): CocoRow => {
      // Spans from word to word, so that their text is known.
      const spanOf = (a: number, b: number): CodePointSpan => {
        const [first, last] = [a % words.length, b % words.length].sort((x, y) => x - y) as [number, number];
        const begin = codePointsOf(words.slice(0, first).join(' ')).length + (first > 0 ? 1 : 0);
        return [begin, begin + codePointsOf(words.slice(first, last + 1).join(' ')).length];
      };
      const made = rowOf(
        words.join(' ') + ending,
        ...boxes.map(([box, a, b]) => ({ bbox: box, spans: [spanOf(a, b)] })),
      );
      return { ...made, image: { ...made.image, tokens_negative: [spanOf(negative, negative)] } };
    });
  const options = fc.record({
    overlap: fc.constantFrom('iou' as const, 'giou' as const),
    maxOverlap: fc.constantFrom(0, 0.3, 0.5),
    maxLength: fc.constantFrom(30, 100, 250),
    seed: fc.constantFrom(undefined, 5),
  });
  const check = (assertion: (rows: CocoRow[], made: CombinedCaption[], used: Required<CombineOptions>) => void): void =>
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), options, (rows, chosen) => {
        const used = { ...chosen, mergeBoxesAt: 2, seed: chosen.seed as number };
        assertion(rows, combineCaptions(rows, used), used);
      }),
    );

  it('uses every caption exactly once', () =>
    check((rows, made) =>
      expect(made.flatMap(({ inputs }) => inputs).sort((a, b) => a - b)).toEqual([...rows.keys()]),
    ));

  it('never joins captions with overlapping boxes', () =>
    check((rows, made, { overlap, maxOverlap }) => {
      for (const { inputs } of made)
        for (const a of inputs)
          for (const b of inputs) {
            const [boxesA, boxesB] = [a, b].map((m) => boxesXywhToXyxy(rows[m]!.annotations.map((box) => box.bbox)));
            if (a !== b) expect(anyOverlap(overlap, maxOverlap, boxesA!, boxesB!)).toBe(false);
          }
    }));

  it('keeps the length limit', () =>
    check((rows, made, { maxLength }) => {
      for (const { inputs, caption } of made) {
        const lengths = inputs.map((m) => codePointsOf(rows[m]!.image.caption!).length);
        const sum = lengths.reduce((a, b) => a + b, 0);
        if (inputs.length > 1) expect(sum + 2).toBeLessThanOrEqual(maxLength);
        // At most a period and a space per caption.
        expect(codePointsOf(caption).length).toBeLessThanOrEqual(sum + 2 * inputs.length - 1);
      }
    }));

  it('keeps all boxes, and the text of every span', () =>
    check((rows, made) => {
      for (const { inputs, caption, annotations, tokens_negative } of made) {
        const sources = inputs.map((m) => rows[m]!);
        const expected = sources.flatMap(({ image, annotations: boxes }) =>
          boxes.map((box) => ({ bbox: box.bbox, phrase: readBack(image.caption!, box.tokens_positive!) })),
        );
        const found = annotations.map((box) => ({ bbox: box.bbox, phrase: readBack(caption, box.tokens_positive) }));
        expect(found).toEqual(expected);
        const negatives = sources.flatMap(({ image }) => readBack(image.caption!, image.tokens_negative!));
        expect(readBack(caption, tokens_negative)).toEqual(negatives);
      }
    }));

  it('ends every caption with a period or a question mark', () =>
    check((rows, made) => {
      for (const { inputs, caption } of made)
        expect(caption).toBe(
          inputs
            .map((m) => rows[m]!.image.caption!)
            .map((one) => (/[.?]$/.test(one) ? one : `${one}.`))
            .join(' '),
        );
    }));
});

describe('consolidateSpans', () => {
  const clean = (caption: string, ...spans: CodePointSpan[]) =>
    readBack(caption, consolidateSpans(spans, codePointsOf(caption)));

  it.each([
    ['a man, a dog', [[0, 6]], ['a man']],
    [
      'a man, a dog',
      [
        [7, 12],
        [0, 5],
      ],
      ['a man', 'a dog'],
    ],
    [
      'a man and a dog',
      [
        [0, 5],
        [2, 9],
      ],
      ['a man and'],
    ],
    [
      'a man',
      [
        [0, 1],
        [1, 5],
      ],
      ['a', 'man'],
    ],
    ['a red t-shirt on a man', [[6, 7]], ['t-shirt']],
    ['a red t-shirt', [[8, 13]], ['t-shirt']],
    ['well-known', [[0, 4]], ['well-known']],
    ['a , b', [[1, 3]], []],
    ['a man', [[2, 99]], ['man']],
    ['a 猫 ½ m²', [[0, 8]], ['a 猫 ½ m²']],
    ['🐕 dog', [[0, 5]], ['dog']],
  ] as [string, CodePointSpan[], string[]][])('%s %j', (caption, spans, expected) => {
    expect(clean(caption, ...spans)).toEqual(expected);
  });
});
