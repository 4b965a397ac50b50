import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskToPolygons } from './mask-polygons.ts';
import { maskFromPolygon } from './polygon.ts';
import { maskArea, maskFromDense, maskToDense, maskUnion } from './run-lengths.ts';
import { maskIou } from './mask-overlap.ts';

const maskOf = (...rows: readonly string[]) =>
  maskFromDense(
    Uint8Array.from(rows.join(''), (sign) => Number(sign === '#')),
    rows.length,
    rows[0]!.length,
  );

describe('maskToPolygons', () => {
  it('follows the edges of the pixels, without points on straight lines', () => {
    expect(maskToPolygons(maskOf('....', '.##.', '.##.'))).toEqual([[1, 1, 3, 1, 3, 3, 1, 3]]);
    expect(maskToPolygons(maskOf('#'))).toEqual([[0, 0, 1, 0, 1, 1, 0, 1]]);
    expect(maskToPolygons(maskOf('...'))).toEqual([]);
  });

  it('separates parts that touch at a corner, largest first, and fills holes', () => {
    expect(maskToPolygons(maskOf('#...', '.###', '.#.#', '.###'))).toEqual([
      [1, 1, 4, 1, 4, 4, 1, 4],
      [0, 0, 1, 0, 1, 1, 0, 1],
    ]);
  });

  it('gives the mask back, with its holes filled, when it is rasterized', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat(2)),
        (w, h, bits) => {
          const dense = Uint8Array.from({ length: w * h }, () => Number((bits.next().value ?? 0) > 0));
          const polygons = maskToPolygons(maskFromDense(dense, h, w));
          const drawn = maskToDense(
            maskUnion(
              polygons.map((points) => maskFromPolygon(points, h, w)),
              h,
              w,
            ),
          );
          dense.forEach((bit, i) => expect(drawn[i]!).toBeGreaterThanOrEqual(bit));
          // Filling changes nothing a second time.
          expect(maskToPolygons(maskFromDense(drawn, h, w)).flat().length).toBeLessThanOrEqual(polygons.flat().length);
        },
      ),
    );
  });

  it('simplifies within a tolerance', () => {
    const size = 60;
    const disk = Uint8Array.from({ length: size * size }, (_, i) =>
      Number(Math.hypot((i % size) - 30, Math.floor(i / size) - 30) < 25),
    );
    const mask = maskFromDense(disk, size, size);
    const [exact] = maskToPolygons(mask);
    const [rough] = maskToPolygons(mask, { tolerance: 1 });
    expect(maskArea(maskFromPolygon(exact!, size, size))).toBe(maskArea(mask));
    expect(rough!.length).toBeLessThan(exact!.length / 3);
    expect(maskIou(maskFromPolygon(rough!, size, size), mask)).toBeGreaterThan(0.95);
  });
});
