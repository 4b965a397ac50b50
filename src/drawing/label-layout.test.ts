import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeLabels, type LabelRequest, type Rectangle } from './label-layout.ts';

const image: Rectangle = { x: 0, y: 0, width: 640, height: 480 };
const overlap = (a: Rectangle, b: Rectangle): boolean =>
  Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x) > 1e-3 &&
  Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y) > 1e-3;

const request = fc.record({
  width: fc.double({ min: 20, max: 160, noNaN: true }),
  height: fc.constant(20),
  box: fc.record({
    x: fc.double({ min: 0, max: 630, noNaN: true }),
    y: fc.double({ min: 0, max: 470, noNaN: true }),
    width: fc.double({ min: 1, max: 640, noNaN: true }),
    height: fc.double({ min: 1, max: 480, noNaN: true }),
  }),
});

describe('placeLabels', () => {
  it('keeps labels inside the image, and apart while there is room', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 12 }), (requests) => {
        const places = placeLabels(requests, image);
        places.forEach((place, i) => {
          expect([place.width, place.height]).toEqual([requests[i]!.width, requests[i]!.height]);
          expect(place.x).toBeGreaterThanOrEqual(0);
          expect(place.y).toBeGreaterThanOrEqual(0);
          expect(place.x + place.width).toBeLessThanOrEqual(640 + 1e-9);
          expect(place.y + place.height).toBeLessThanOrEqual(480 + 1e-9);
          for (const other of places.slice(0, i)) expect(overlap(place, other)).toBe(false);
        });
      }),
    );
  });

  it('prefers the place above the box, then the next ones', () => {
    const same: LabelRequest = { width: 50, height: 20, box: { x: 100, y: 100, width: 200, height: 150 } };
    expect(placeLabels([same, same, same], image).map(({ x, y }) => [x, y])).toEqual([
      [100, 80],
      [100, 100],
      [100, 250],
    ]);
    const atTop: LabelRequest = { ...same, box: { ...same.box, y: 5 } };
    expect(placeLabels([atTop], image)[0]!.y).toBe(0);
  });

  it('places all labels even where they cannot all be seen', () => {
    const huge: LabelRequest = { width: 600, height: 300, box: { x: 0, y: 0, width: 10, height: 10 } };
    const places = placeLabels([huge, huge, { ...huge, width: 900 }], image);
    expect(places.length).toBe(3);
    expect(places.every(({ x, y }) => x >= 0 && y >= 0)).toBe(true);
  });
});
