import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../models/index.ts';
import { createTokenizer } from '../text/index.ts';
import { captionsPerRun, textBatches, type EncodedImages } from './encoded-images.ts';

describe('captions in runs of the text program', () => {
  const config = parseModelConfig({});
  const file = new URL('../../models/default/tokenizer.json', import.meta.url);
  const tokenizer = createTokenizer(JSON.parse(readFileSync(file, 'utf8')));

  /** Groups of images with a number of positions each. */
  const encoded = (...groups: readonly { readonly images: number; readonly side: number }[]): EncodedImages => ({
    images: [],
    groups: groups.map(({ images, side }) => ({
      features: {
        src: {
          dtype: 'float32',
          shape: [images, 1, side, side],
          data: new Float32Array(images * side * side),
        },
        feature_padding: {
          dtype: 'bool',
          shape: [images, side, side],
          data: new Uint8Array(images * side * side),
        },
      },
      padded: [32 * side, 32 * side] as const,
    })) as unknown as EncodedImages['groups'],
    locations: groups.flatMap(({ images }, group) => Array.from({ length: images }, (_, index) => ({ group, index }))),
    preprocessMs: 0,
    modelMs: 0,
  });
  const about = (...images: readonly number[]) =>
    images.map((image, index) => ({ image, text: `a ${'red '.repeat(index)}cube`, captionIndex: 0 }));
  const membersOf = (images: EncodedImages, captions: ReturnType<typeof about>) =>
    textBatches(images, captions, { tokenizer, config }, {}).map(({ members, batchIndices, tokens }) => {
      expect(tokens.B).toBe(members.length);
      return { members, batchIndices };
    });

  it('are as many as their attention scores have room for in the caches', () => {
    expect(captionsPerRun(8 * 12, 4)).toBeGreaterThan(100);
    expect(captionsPerRun(25 * 34, 8)).toBe(1);
    expect(captionsPerRun(16 * 16, 8)).toBe(16);
    expect(captionsPerRun(100 * 100, 8)).toBe(1);
  });

  it('are one run for a small image, and several for a large one, in the order of the captions', () => {
    expect(membersOf(encoded({ images: 1, side: 8 }), about(0, 0, 0))).toEqual([
      { members: [0, 1, 2], batchIndices: [0, 0, 0] },
    ]);
    expect(membersOf(encoded({ images: 1, side: 30 }), about(0, 0, 0))).toEqual(
      [0, 1, 2].map((caption) => ({ members: [caption], batchIndices: [0] })),
    );
  });

  it('are one run for several images, whose projections would be computed again', () => {
    const images = encoded({ images: 2, side: 30 }, { images: 1, side: 8 });
    expect(membersOf(images, about(0, 1, 2, 0))).toEqual([
      { members: [0, 1, 3], batchIndices: [0, 1, 0] },
      { members: [2], batchIndices: [0] },
    ]);
  });
});
