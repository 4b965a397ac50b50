import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import { decideOrientation, turnedSize, type Orientation, type PixelSize } from './orientation.ts';

const size = (width: number, height: number): PixelSize => ({ width, height });
const stored = size(40, 30);

describe('decideOrientation', () => {
  it.each<[what: string, exif: number, row: PixelSize | undefined, Orientation]>([
    ['the stored size', 6, size(40, 30), 'stored'],
    ['the turned size', 6, size(30, 40), 'exif'],
    ['no row', 6, undefined, 'exif'],
    ['a row without size', 6, size(0, 0), 'exif'],
    ['no orientation in the file', 1, size(40, 30), 'exif'],
  ])('%s decides', (_, exif, rowSize, orientation) => {
    expect(decideOrientation(stored, exif, { rowSize })).toEqual({ orientation, note: undefined });
  });

  it.each([
    ['a square image', size(30, 30), 8],
    ['an image that is upside down', stored, 3],
  ])('%s is turned, with a note', (_, both, exif) => {
    const { orientation, note } = decideOrientation(both, exif, { rowSize: both });
    expect(orientation).toBe('exif');
    expect(note).toMatch(`has EXIF orientation ${exif}`);
  });

  it('refuses another size, naming both', () => {
    const decide = (exif: number) => () => decideOrientation(stored, exif, { rowSize: size(20, 15) });
    expect(decide(6)).toThrow(MdetrError);
    expect(decide(6)).toThrow('is 40 x 30 as stored and 30 x 40 as turned by EXIF, but its row says 20 x 15');
    expect(decide(1)).toThrow('is 40 x 30, but its row says 20 x 15');
    // The stored size with one side exchanged is no match.
    expect(() => decideOrientation(stored, 1, { rowSize: size(30, 40) })).toThrow('its row says 30 x 40');
  });

  it.each(['exif', 'stored'] as const)('%s overrides the row', (orientation) => {
    expect(decideOrientation(stored, 6, { orientation, rowSize: size(1, 2) }).orientation).toBe(orientation);
  });
});

it.each([1, 2, 3, 4])('orientation %i keeps width and height', (exif) => {
  expect(turnedSize(stored, exif)).toEqual(stored);
});

it.each([5, 6, 7, 8])('orientation %i exchanges width and height', (exif) => {
  expect(turnedSize(stored, exif)).toEqual(size(30, 40));
});
