import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCase, loadCase } from '../../test/support/reference-case.ts';
import { boxCxcywhToXyxy, boxXyxyToCxcywh } from './boxes.ts';
import { pairwiseGiouXyxy, pairwiseIouXyxy } from './box-overlap.ts';

const unit = fc.double({ min: 0, max: 1, noNaN: true });
const size = fc.double({ min: 1e-3, max: 1, noNaN: true });
const boxes = fc
  .array(fc.tuple(unit, unit, size, size), { minLength: 1, maxLength: 5 })
  .map((list) => boxCxcywhToXyxy(list.flat()));

describe('box arithmetic', () => {
  it('converts formats in both directions', () => {
    expect([...boxCxcywhToXyxy([0.5, 0.5, 0.25, 1])]).toEqual([0.375, 0, 0.625, 1]);
    fc.assert(
      fc.property(boxes, (xyxy) => {
        const back = boxCxcywhToXyxy(boxXyxyToCxcywh(xyxy));
        back.forEach((value, i) => expect(value).toBeCloseTo(xyxy[i]!, 12));
      }),
    );
  });

  it('computes known overlaps', () => {
    const a = [0, 0, 2, 2];
    const b = [[1, 1, 3, 3], [0, 0, 2, 2], [4, 0, 6, 2]].flat(); // prettier-ignore
    expect([...pairwiseIouXyxy(a, b)]).toEqual([1 / 7, 1, 0]);
    expect([...pairwiseGiouXyxy(a, b)]).toEqual([1 / 7 - 2 / 9, 1, 0 - 4 / 12]);
  });

  it('keeps GIoU between -1 and IoU, symmetric, and 1 for equal boxes', () => {
    fc.assert(
      fc.property(boxes, boxes, (a, b) => {
        const [iou, giou, swapped] = [pairwiseIouXyxy(a, b), pairwiseGiouXyxy(a, b), pairwiseGiouXyxy(b, a)];
        const [n, m] = [a.length / 4, b.length / 4];
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < m; j++) {
            expect(giou[i * m + j]!).toBeLessThanOrEqual(iou[i * m + j]! + 1e-12);
            expect(giou[i * m + j]!).toBeGreaterThanOrEqual(-1);
            expect(giou[i * m + j]!).toBeCloseTo(swapped[j * n + i]!, 12);
          }
        }
        expect(pairwiseGiouXyxy(a, a)[0]!).toBeCloseTo(1, 12);
      }),
    );
  });

  it('rejects boxes with swapped corners or NaN', () => {
    expect(() => pairwiseGiouXyxy([0, 0, 1, 1], [0, 0, 1, 1, 2, 0, 1, 1])).toThrow('box 1 is not x0 <= x1');
    expect(() => pairwiseGiouXyxy([0, 0, NaN, 1], [0, 0, 1, 1])).toThrow('box 0');
  });

  it.skipIf(!hasCase('criterion'))('equals the official IoU and GIoU (needs ../shared/reference)', () => {
    const reference = loadCase('criterion');
    const a = boxCxcywhToXyxy(reference.f32('giou.a'));
    const b = boxCxcywhToXyxy(reference.f32('giou.b'));
    const [iou, giou] = [reference.f32('giou.iou'), reference.f32('giou.giou')];
    pairwiseIouXyxy(a, b).forEach((value, k) => expect(Math.abs(value - iou[k]!)).toBeLessThan(1e-6));
    pairwiseGiouXyxy(a, b).forEach((value, k) => expect(Math.abs(value - giou[k]!)).toBeLessThan(1e-6));
  });
});
