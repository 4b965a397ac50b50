import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { loadReferenceJson } from '../../test/support/reference-case.ts';
import { fillPolygonPillow } from './pillow-polygon.ts';

const { polygons } = loadReferenceJson('evaluators/phrasecut_rasters.json') as {
  polygons: { points: [number, number][]; width: number; height: number; rows: string[] }[];
};
const random = JSON.parse(
  gunzipSync(
    readFileSync(new URL('../../test/fixtures/evaluation/pillow-polygons.json.gz', import.meta.url)),
  ).toString(),
) as { points: [number, number][]; width: number; height: number; pixels: string }[];
const rowsOf = (points: readonly (readonly number[])[], width: number, height: number): string[] => {
  const canvas = new Uint8Array(width * height);
  fillPolygonPillow(canvas, width, height, points);
  return Array.from({ length: height }, (_, y) => canvas.subarray(y * width, (y + 1) * width).join(''));
};

describe('fillPolygonPillow', () => {
  it.each(polygons.map((polygon, index) => ({ index, ...polygon })))(
    'fills the pixels that Pillow fills: reference polygon $index',
    ({ points, width, height, rows }) => {
      expect(rowsOf(points, width, height)).toEqual(rows);
    },
  );

  it('fills the pixels that Pillow fills: 800 random polygons', () => {
    expect(random).toHaveLength(800);
    for (const { points, width, height, pixels } of random) expect(rowsOf(points, width, height).join('')).toBe(pixels);
  });

  it('includes the border, draws lines and points, and clips to the canvas', () => {
    // prettier-ignore
    expect(rowsOf([[1, 1], [3, 1], [3, 2], [1, 2]], 5, 4)).toEqual(['00000', '01110', '01110', '00000']);
    // prettier-ignore
    expect(rowsOf([[1, 0], [3, 0]], 4, 2)).toEqual(['0111', '0000']);
    // prettier-ignore
    expect(rowsOf([[-9, -9], [9, -9], [9, 9], [-9, 9]], 3, 2)).toEqual(['111', '111']);
  });
});
