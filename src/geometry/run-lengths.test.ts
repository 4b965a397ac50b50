import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadReferenceJson } from '../../test/support/reference-case.ts';
import { maskFromPolygon } from './polygon.ts';
import {
  emptyMask,
  maskArea,
  maskBoundsXywh,
  maskFromDense,
  maskIntersection,
  maskToDense,
  maskUnion,
  packMask,
  unpackMask,
} from './run-lengths.ts';
import { maskIou } from './mask-overlap.ts';

interface ReferenceRow {
  height: number;
  width: number;
  rows: string[];
  counts: string;
  area: number;
  bbox?: [number, number, number, number];
  polygon?: number[];
}
const reference = loadReferenceJson('evaluators/rle.json') as ReferenceRow[];
const denseOf = ({ rows }: ReferenceRow): Uint8Array => Uint8Array.from(rows.join(''), Number);

describe('against pycocotools', () => {
  it.each(reference.filter(({ polygon }) => polygon === undefined))('mask $height x $width', (row) => {
    const mask = maskFromDense(denseOf(row), row.height, row.width);
    expect(packMask(mask)).toEqual({ size: [row.height, row.width], counts: row.counts });
    expect(unpackMask({ size: [row.height, row.width], counts: row.counts })).toEqual(mask);
    expect(maskArea(mask)).toBe(row.area);
    expect(maskBoundsXywh(mask)).toEqual(row.bbox);
    expect(maskToDense(mask)).toEqual(denseOf(row));
  });

  it.each(reference.filter(({ polygon }) => polygon !== undefined))('polygon $polygon', (row) => {
    const mask = maskFromPolygon(row.polygon!, row.height, row.width);
    expect(packMask(mask).counts).toBe(row.counts);
    expect(maskArea(mask)).toBe(row.area);
    expect(maskToDense(mask)).toEqual(denseOf(row));
  });
});

const size = fc.record({ height: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 12 }) });
const bits = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length, max: 1 });
const maskPair = size.chain(({ height, width }) =>
  fc.record({
    height: fc.constant(height),
    width: fc.constant(width),
    a: bits(height * width),
    b: bits(height * width),
  }),
);

describe('run lengths agree with pixels', () => {
  it('for packing, set operations, area and overlap', () => {
    fc.assert(
      fc.property(maskPair, ({ height, width, a, b }) => {
        const [maskA, maskB] = [maskFromDense(a, height, width), maskFromDense(b, height, width)];
        const union = a.map((bit, i) => bit | b[i]!);
        const intersection = a.map((bit, i) => bit & b[i]!);
        const area = (pixels: Uint8Array): number => pixels.reduce((sum, bit) => sum + bit, 0);
        expect(maskToDense(unpackMask(packMask(maskA)))).toEqual(a);
        expect(maskUnion([maskA, maskB], height, width)).toEqual(maskFromDense(union, height, width));
        expect(maskIntersection(maskA, maskB)).toEqual(maskFromDense(intersection, height, width));
        expect(maskArea(maskA)).toBe(area(a));
        expect(maskIou(maskA, maskB)).toBe(area(union) === 0 ? 0 : area(intersection) / area(union));
        expect(maskIou(maskA, maskB, true)).toBe(area(a) === 0 ? 0 : area(intersection) / area(a));
      }),
    );
  });

  it('reads counts given as numbers, and an empty first run', () => {
    expect(maskToDense(unpackMask({ size: [2, 2], counts: [0, 3, 1] }))).toEqual(Uint8Array.of(1, 1, 1, 0));
    expect(maskBoundsXywh(emptyMask(3, 4))).toEqual([0, 0, 0, 0]);
    expect(maskUnion([], 3, 4)).toEqual(emptyMask(3, 4));
  });
});

describe('invalid masks', () => {
  it.each([
    ['an invalid character', [2, 2], '0\n', 'not a COCO run-length string'],
    ['a string that ends within a number', [2, 2], 'T', 'not a COCO run-length string'],
    ['an unterminated number', [2, 2], 'oooooooooo1', 'not a COCO run-length string'],
    ['runs beyond the size', [2, 2], '05', 'add up to 5 pixels, a mask of 2x2 has 4'],
    ['a negative run', [2, 2], [6, -2], 'a run of -2'],
    ['a negative run in packed form', [2, 2], '5O', 'a run of -1'],
    ['an empty size', [0, 2], '0', '"size"'],
    ['an absurd size', [1e9, 1e9], '0', '"size"'],
  ] as const)('%s', (_, maskSize, counts, message) => {
    expect(() => unpackMask({ size: maskSize, counts }, 'annotation 7')).toThrow(message);
    expect(() => unpackMask({ size: maskSize, counts }, 'annotation 7')).toThrow('annotation 7');
  });

  it('are never misread: every string gives a mask of its size or an MdetrError', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (counts) => {
        try {
          expect(unpackMask({ size: [3, 4], counts }).counts.reduce((sum, run) => sum + run, 0)).toBe(12);
        } catch (error) {
          expect((error as Error).name).toBe('MdetrError');
        }
      }),
    );
  });

  it('polygons of two points, with NaN, or far outside of any image', () => {
    expect(() => maskFromPolygon([1, 1, 2, 2], 5, 5, 'annotation 7')).toThrow('annotation 7: a polygon needs');
    expect(() => maskFromPolygon([1, 1, 2, NaN, 3, 3], 5, 5)).toThrow('NaN is not a coordinate');
    expect(() => maskFromPolygon([0, 0, 1e12, 0, 0, 5], 5, 5)).toThrow('pixels long');
  });
});
