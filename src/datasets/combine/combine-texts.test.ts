import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CocoAnnotation, CocoRow, Span } from '../../data/format/coco-format.ts';
import type { BoxXywh } from '../../geometry/boxes.ts';
import { anyOverlap } from '../../geometry/box-overlap.ts';
import { boxesXywhToXyxy } from '../../geometry/boxes.ts';
import { codePointsOf, consolidateSpans } from './caption-spans.ts';
import { type CombinedText, type CombineOptions, combineTexts } from './combine-texts.ts';

const textOf = (caption: string, ...boxes: { bbox: BoxXywh; spans: Span[] }[]): CocoRow => ({
  image: { id: 1, file_name: 'a.jpg', width: 100, height: 100, caption },
  annotations: boxes.map(({ bbox, spans }): CocoAnnotation => ({ image_id: 1, bbox, tokens_positive: spans })),
});
const near: BoxXywh = [0, 0, 10, 10];
const far: BoxXywh = [50, 50, 10, 10];
const readBack = (caption: string, spans: readonly Span[]): string[] =>
  spans.map(([begin, end]) => codePointsOf(caption).slice(begin, end).join(''));

describe('combineTexts', () => {
  it('joins what speaks of different things, and moves the spans along', () => {
    const texts = [
      textOf('the dog 🐕', { bbox: near, spans: [[4, 7]] }),
      textOf('a dog', { bbox: [0, 0, 10, 9], spans: [[0, 5]] }),
      textOf('where is the cat?', { bbox: far, spans: [[13, 16]] }),
    ];
    // Texts 0 and 1 overlap: degree 1 each, the higher number first; 2 has none and comes last.
    expect(combineTexts(texts)).toEqual([
      {
        caption: 'a dog. where is the cat?',
        tokens_negative: [],
        annotations: [
          { area: 90, iscrowd: 0, category_id: 1, bbox: [0, 0, 10, 9], tokens_positive: [[0, 5]] },
          { area: 100, iscrowd: 0, category_id: 1, bbox: far, tokens_positive: [[20, 23]] },
        ],
        members: [1, 2],
      },
      {
        caption: 'the dog 🐕.',
        tokens_negative: [],
        annotations: [{ area: 100, iscrowd: 0, category_id: 1, bbox: near, tokens_positive: [[4, 7]] }],
        members: [0],
      },
    ]);
  });

  it('fills a sentence up to 250 characters, less two for each text added', () => {
    const membersOf = (...lengths: number[]) =>
      combineTexts(lengths.map((length) => textOf('x'.repeat(length)))).map(({ members }) => members);
    expect(membersOf(100, 148)).toEqual([[1, 0]]);
    expect(membersOf(100, 149)).toEqual([[1], [0]]);
    // What fits nowhere gets a sentence of its own; the first stays open for the others.
    expect(membersOf(3, 300, 4)).toEqual([[2, 0], [1]]);
    expect(membersOf(249)).toEqual([[0]]);
  });

  it('knows the difference between IoU and GIoU at the threshold', () => {
    // Intersection 50, union 95, hull 100.
    const boxes = [textOf('a', { bbox: [0, 0, 10, 7], spans: [] }), textOf('b', { bbox: [0, 2, 8, 8], spans: [] })];
    const sentences = (options: CombineOptions) => combineTexts(boxes, options).length;
    const iou = 40 / (70 + 64 - 40);
    const giou = iou - (100 - 94) / 100;
    const between = (iou + giou) / 2;
    expect(sentences({ overlap: 'iou', maxOverlap: between })).toBe(2);
    expect(sentences({ overlap: 'giou', maxOverlap: between })).toBe(1);
  });

  it('does not count an overlap of exactly the threshold', () => {
    const half = [textOf('a', { bbox: [0, 0, 10, 10], spans: [] }), textOf('b', { bbox: [0, 0, 10, 5], spans: [] })];
    expect(combineTexts(half)).toHaveLength(1);
    expect(combineTexts(half, { maxOverlap: 0.499 })).toHaveLength(2);
  });

  it('makes one box of those that mean the same words and are nearly the same', () => {
    const text = textOf(
      'two dogs',
      { bbox: [0, 0, 10, 10], spans: [[4, 8]] },
      { bbox: far, spans: [[4, 8]] },
      { bbox: [0, 0, 10, 8], spans: [[4, 8]] },
      { bbox: [0, 0, 10, 10], spans: [[0, 3]] },
    );
    const boxes = (mergeBoxesAt?: number) =>
      combineTexts([text], { mergeBoxesAt })[0]!.annotations.map(({ bbox, area }) => [...bbox, area]);
    expect(boxes(0.7)).toEqual([
      [0, 0, 10, 9, 90],
      [...far, 100],
      [0, 0, 10, 10, 100],
    ]);
    expect(boxes(0.81)).toHaveLength(4);
    expect(boxes(2)).toHaveLength(4);
  });

  it('mixes differently by seed, and equally for an equal one', () => {
    const texts = Array.from({ length: 12 }, (_, i) => textOf(`text number ${i}`.padEnd(60, '.')));
    const membersOf = (seed: number, image = 0) => combineTexts(texts, { seed }, image).map(({ members }) => members);
    expect(membersOf(1)).toEqual(membersOf(1));
    expect(membersOf(1)).not.toEqual(membersOf(2));
    expect(membersOf(1)).not.toEqual(membersOf(1, 1));
  });
});

describe('combineTexts on any input', () => {
  const coordinate = fc.integer({ min: 0, max: 60 });
  const side = fc.integer({ min: 1, max: 60 });
  const bbox = fc.tuple(coordinate, coordinate, side, side).map((box): BoxXywh => box);
  // The clean-up trims what is no letter or digit off the ends, so words begin and end with one.
  const word = fc.stringMatching(/^[a-zA-Z0-9éß猫]{1,9}(🐕[a-z]{1,3})?(-[a-z]{1,5})?$/u);
  const text = fc
    .tuple(
      fc.array(word, { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(bbox, fc.nat(7), fc.nat(7)), { maxLength: 4 }),
      fc.constantFrom('', '.', '?', '!'),
      fc.nat(7),
    )
    .map(([words, boxes, ending, negative]): CocoRow => {
      // Spans from word to word, so that what they read back is known.
      const spanOf = (a: number, b: number): Span => {
        const [first, last] = [a % words.length, b % words.length].sort((x, y) => x - y) as [number, number];
        const begin = codePointsOf(words.slice(0, first).join(' ')).length + (first > 0 ? 1 : 0);
        return [begin, begin + codePointsOf(words.slice(first, last + 1).join(' ')).length];
      };
      const row = textOf(
        words.join(' ') + ending,
        ...boxes.map(([box, a, b]) => ({ bbox: box, spans: [spanOf(a, b)] })),
      );
      return { ...row, image: { ...row.image, tokens_negative: [spanOf(negative, negative)] } };
    });
  const options = fc.record({
    overlap: fc.constantFrom('iou' as const, 'giou' as const),
    maxOverlap: fc.constantFrom(0, 0.3, 0.5),
    maxLength: fc.constantFrom(30, 100, 250),
    seed: fc.constantFrom(undefined, 5),
  });
  const check = (assertion: (texts: CocoRow[], made: CombinedText[], used: Required<CombineOptions>) => void): void =>
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), options, (texts, chosen) => {
        const used = { ...chosen, mergeBoxesAt: 2, seed: chosen.seed as number };
        assertion(texts, combineTexts(texts, used), used);
      }),
    );

  it('uses every text exactly once', () =>
    check((texts, made) =>
      expect(made.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual([...texts.keys()]),
    ));

  it('never puts overlapping boxes of two texts into one sentence', () =>
    check((texts, made, { overlap, maxOverlap }) => {
      for (const { members } of made)
        for (const a of members)
          for (const b of members) {
            const [boxesA, boxesB] = [a, b].map((m) => boxesXywhToXyxy(texts[m]!.annotations.map((box) => box.bbox)));
            if (a !== b) expect(anyOverlap(overlap, maxOverlap, boxesA!, boxesB!)).toBe(false);
          }
    }));

  it('keeps the length limit', () =>
    check((texts, made, { maxLength }) => {
      for (const { members, caption } of made) {
        const lengths = members.map((m) => codePointsOf(texts[m]!.image.caption!).length);
        const sum = lengths.reduce((a, b) => a + b, 0);
        if (members.length > 1) expect(sum + 2).toBeLessThanOrEqual(maxLength);
        // A point and a space for each text at most.
        expect(codePointsOf(caption).length).toBeLessThanOrEqual(sum + 2 * members.length - 1);
      }
    }));

  it('reads back every phrase from every span, and keeps all boxes', () =>
    check((texts, made) => {
      for (const { members, caption, annotations, tokens_negative } of made) {
        const sources = members.map((m) => texts[m]!);
        const expected = sources.flatMap(({ image, annotations: boxes }) =>
          boxes.map((box) => ({ bbox: box.bbox, phrase: readBack(image.caption!, box.tokens_positive!) })),
        );
        const found = annotations.map((box) => ({ bbox: box.bbox, phrase: readBack(caption, box.tokens_positive) }));
        expect(found).toEqual(expected);
        const negatives = sources.flatMap(({ image }) => readBack(image.caption!, image.tokens_negative!));
        expect(readBack(caption, tokens_negative)).toEqual(negatives);
      }
    }));

  it('ends every text with a point or a question mark', () =>
    check((texts, made) => {
      for (const { members, caption } of made)
        expect(caption).toBe(
          members
            .map((m) => texts[m]!.image.caption!)
            .map((one) => (/[.?]$/.test(one) ? one : `${one}.`))
            .join(' '),
        );
    }));
});

describe('consolidateSpans', () => {
  const clean = (caption: string, ...spans: Span[]) =>
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
  ] as [string, Span[], string[]][])('%s %j', (caption, spans, expected) => {
    expect(clean(caption, ...spans)).toEqual(expected);
  });
});
