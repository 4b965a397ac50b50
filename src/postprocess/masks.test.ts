import { describe, expect, it } from 'vitest';
import { hasCase, loadCase } from '../../test/support/reference-case.ts';
import type { Size } from '../geometry/size.ts';
import { maskArea, maskFromDense, maskToDense, type RunLengthMask } from '../geometry/run-lengths.ts';
import { masksAtOriginalSize, phraseCutResult, type MaskLogits } from './masks.ts';

const logitsOf = (data: Float32Array, shape: readonly number[], b: number): MaskLogits => {
  const [, queries, height, width] = shape as [number, number, number, number];
  const size = queries * height * width;
  return { data: data.subarray(b * size, (b + 1) * size), queries, height, width };
};
/** How many pixels differ from the official masks (Q, 1, H, W). */
const differing = (masks: readonly RunLengthMask[], official: Uint8Array): number => {
  const plane = official.length / masks.length;
  return masks.reduce((sum, mask, q) => {
    const dense = maskToDense(mask);
    const expected = official.subarray(q * plane, (q + 1) * plane);
    return sum + dense.reduce((count, bit, i) => count + Math.abs(bit - expected[i]!), 0);
  }, 0);
};

const reference = loadCase('postprocess');
const json = reference.json as {
  segm_different: { orig: Size[]; max: Size[] };
  segm_equal: { orig: Size[]; max: Size[] };
  phrasecut: { scores: number[]; boxes: number[][] }[];
};
const { data, shape } = reference.typed('pred_masks', 'f32');

const masksOf = (name: 'segm_different' | 'segm_equal', b: number): RunLengthMask[] => {
  const { orig, max } = json[name];
  const padded: Size = [Math.max(...max.map(([h]) => h)), Math.max(...max.map(([, w]) => w))];
  return masksAtOriginalSize(logitsOf(data, shape, b), { padded, resized: max[b]!, original: orig[b]! });
};

describe('masksAtOriginalSize', () => {
  it.each(['segm_different', 'segm_equal'] as const)('equals PostProcessSegm on %s', (name) => {
    for (const b of [0, 1]) expect(differing(masksOf(name, b), reference.u8(`${name}${b}.masks`))).toBe(0);
  });

  it.skipIf(!hasCase('tiny-smallconv'))('equals it on a batch of two sizes (needs ../shared/reference)', () => {
    const model = loadCase('tiny-smallconv');
    const masks = model.typed('pred_masks', 'f32');
    const { targets } = model.json as { targets: { size: Size; orig_size: Size }[] };
    targets.forEach(({ size, orig_size }, b) => {
      const found = masksAtOriginalSize(logitsOf(masks.data, masks.shape, b), {
        padded: [192, 224],
        resized: size,
        original: orig_size,
      });
      expect(differing(found, model.u8(`postprocess${b}.masks`))).toBe(0);
    });
  });

  it('gives the masks that are asked for, at other thresholds too', () => {
    const logits: MaskLogits = { data: Float32Array.of(-3, -3, 3, 1), queries: 2, height: 1, width: 2 };
    const sizes = { padded: [1, 2], resized: [1, 2], original: [1, 2] } as const;
    const areas = (options: Parameters<typeof masksAtOriginalSize>[2]): number[] =>
      masksAtOriginalSize(logits, sizes, options).map(maskArea);
    expect(areas({})).toEqual([0, 2]);
    expect(areas({ queries: [1, 0, 1] })).toEqual([2, 0, 2]);
    expect(areas({ threshold: 0.9 })).toEqual([0, 1]);
    expect(areas({ threshold: 0.01 })).toEqual([2, 2]);
    expect(() => areas({ queries: [2] })).toThrow('query 2 of 2');
  });
});

describe('phraseCutResult', () => {
  it.each([0, 1])('equals PostProcessPhrasecut on image %i', (b) => {
    const { scores, boxes } = json.phrasecut[b]!;
    const boxesXyxy = reference.f32(`bbox${b}.boxes`);
    const masks = masksOf('segm_equal', b);
    const { boxesXywh, mask } = phraseCutResult({ scores, boxesXyxy, masks }, [61, 75]);
    expect(boxesXywh).toEqual(boxes);
    expect(mask).toEqual(maskFromDense(reference.u8(`phrasecut${b}.mask`), 61, 75));
  });

  it('has no box and an empty mask when nothing scores enough', () => {
    const result = phraseCutResult({ scores: [0.7], boxesXyxy: [0, 0, 1, 1], masks: [undefined] }, [2, 3]);
    expect(result.boxesXywh).toEqual([]);
    expect(maskArea(result.mask)).toBe(0);
  });
});
