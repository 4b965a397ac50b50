import { describe, expect, it } from 'vitest';
import { float32Tensor, int32Tensor, symbolicDim, type HostTensor } from '../../engine/graph/index.ts';
import { divideBatch, joinParts, partOf, type BatchPart } from './batch-parts.ts';

const part = (images: readonly [number, number], captions: readonly [number, number]): BatchPart => ({
  images: { start: images[0], end: images[1] },
  captions: { start: captions[0], end: captions[1] },
});
const [batch, images] = [symbolicDim('batch'), symbolicDim('images')];

describe('the parts of a batch', () => {
  it('share no image and have about the same number of captions', () => {
    expect(divideBatch([0, 0, 1, 1], 2, 2)).toEqual([part([0, 1], [0, 2]), part([1, 2], [2, 4])]);
    expect(divideBatch([0, 1, 2, 3, 4], 5, 2)).toEqual([part([0, 3], [0, 3]), part([3, 5], [3, 5])]);
    expect(divideBatch([0, 0, 0, 0, 1, 2, 3, 4], 5, 2)).toEqual([part([0, 1], [0, 4]), part([1, 5], [4, 8])]);
    expect(divideBatch([0, 1, 1, 1, 1, 1], 2, 2)).toEqual([part([0, 1], [0, 1]), part([1, 2], [1, 6])]);
  });

  it('are as many as the images if these are fewer', () => {
    expect(divideBatch([0, 0, 0], 1, 4)).toEqual([part([0, 1], [0, 3])]);
    expect(divideBatch([0, 1, 1], 2, 4)).toHaveLength(2);
  });

  it('include images without a caption, which some part computes', () => {
    expect(divideBatch([0, 3], 4, 2)).toEqual([part([0, 3], [0, 1]), part([3, 4], [1, 2])]);
    expect(divideBatch([1, 1], 3, 3).map(({ images: { start, end } }) => end - start)).toEqual([1, 1, 1]);
  });

  it('is the whole batch where captions are not in the order of their images', () => {
    expect(divideBatch([1, 0], 2, 2)).toEqual([part([0, 2], [0, 2])]);
  });

  it('cover every image and every caption once, for any number of them', () => {
    for (let count = 1; count <= 6; count++)
      for (let size = 1; size <= 7; size++) {
        const index = Array.from({ length: size * 3 }, (_, caption) => Math.floor((caption * caption) / (size * 9)));
        const parts = divideBatch(index.map((image) => Math.min(image, size - 1)).sort(), size, count);
        expect(parts).toHaveLength(Math.min(count, size));
        for (const kind of ['images', 'captions'] as const) {
          expect(parts[0]![kind].start).toBe(0);
          expect(parts.at(-1)![kind].end).toBe(kind === 'images' ? size : index.length);
          for (const [index2, { [kind]: range }] of parts.entries())
            expect(range.start).toBe(index2 === 0 ? 0 : parts[index2 - 1]![kind].end);
        }
        for (const { images: range } of parts) expect(range.end).toBeGreaterThan(range.start);
      }
  });
});

describe('the value of a part', () => {
  const parts = divideBatch([0, 0, 1], 2, 2);
  const check = (value: HostTensor, shape: Parameters<typeof partOf>[1], expected: readonly (readonly number[])[]) => {
    const values = parts.map((own) => partOf(value, shape, own));
    expect(values.map(({ data }) => Array.from(data, Number))).toEqual(expected);
    expect(joinParts(values, shape)).toEqual(value);
  };

  it('has the entries of its captions, or of its images, on whatever axis they are', () => {
    check(int32Tensor([3, 2], [1, 2, 3, 4, 5, 6]), [batch, 2], [[1, 2, 3, 4], [5, 6]]); // prettier-ignore
    check(float32Tensor([2, 2], [1, 2, 3, 4]), [images, 2], [[1, 2], [3, 4]]); // prettier-ignore
    const layers = float32Tensor([2, 3, 1], [1, 2, 3, 4, 5, 6]);
    check(layers, [2, batch, 1], [[1, 2, 4, 5], [3, 6]]); // prettier-ignore
  });

  it('is the whole value where it belongs to no caption and no image', () => {
    const table = float32Tensor([2, 2], [1, 2, 3, 4]);
    for (const own of parts) expect(partOf(table, [symbolicDim('boxes'), 2], own)).toBe(table);
  });
});
