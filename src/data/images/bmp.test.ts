import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import { decodeBmp, readBmpHeader } from './bmp.ts';

interface Bitmap {
  readonly bits: number;
  readonly width?: number;
  readonly height?: number;
  readonly compression?: number;
  /** Blue, green, red and nothing of each color. */
  readonly palette?: readonly (readonly number[])[];
  /** Bit masks, which follow the header. */
  readonly masks?: readonly number[];
  readonly pixels: readonly number[];
}

/** A bitmap of 2 x 2 pixels with a 40-byte header, unless said otherwise. */
const bitmap = ({
  bits,
  width = 2,
  height = 2,
  compression = 0,
  palette = [],
  masks = [],
  pixels,
}: Bitmap): Uint8Array => {
  const offset = 54 + masks.length * 4 + palette.length * 4;
  const file = Buffer.alloc(offset + pixels.length);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(offset, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(bits, 28);
  file.writeUInt32LE(compression, 30);
  file.writeUInt32LE(palette.length, 46);
  masks.forEach((mask, i) => file.writeUInt32LE(mask, 54 + i * 4));
  file.set(palette.flat(), 54 + masks.length * 4);
  file.set(pixels, offset);
  return file;
};

const decode = (file: Uint8Array) => decodeBmp(file, readBmpHeader(file));
const rgbOf = (given: Bitmap): number[] => Array.from(decode(bitmap(given)).data);

const [red, green, blue, black] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [0, 0, 0],
] as const;
/** Palette of black, red, green and blue. */
const palette = [
  [0, 0, 0, 0],
  [0, 0, 255, 0],
  [0, 255, 0, 0],
  [255, 0, 0, 0],
];
/** RGB that every test below stores: red and green above, blue and black below. */
const expected = [red, green, blue, black].flat();

// All forms were compared with Pillow 13 on random pixels, byte by byte.
describe('decodeBmp', () => {
  it.each<[string, Bitmap]>([
    ['8 bits', { bits: 8, palette, pixels: [3, 0, 0, 0, 1, 2, 0, 0] }],
    ['8 bits from the top', { bits: 8, height: -2, palette, pixels: [1, 2, 0, 0, 3, 0, 0, 0] }],
    ['4 bits', { bits: 4, palette, pixels: [0x30, 0, 0, 0, 0x12, 0, 0, 0] }],
    ['24 bits', { bits: 24, pixels: [255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0] }],
    ['32 bits', { bits: 32, pixels: [255, 0, 0, 9, 0, 0, 0, 9, 0, 0, 255, 9, 0, 255, 0, 9] }],
    ['16 bits', { bits: 16, pixels: [0x1f, 0, 0, 0, 0, 0x7c, 0xe0, 0x03] }],
    [
      '16 bits with masks of 5, 6 and 5 bits',
      { bits: 16, compression: 3, masks: [0xf800, 0x7e0, 0x1f], pixels: [0x1f, 0, 0, 0, 0, 0xf8, 0xe0, 0x07] },
    ],
    [
      '32 bits with masks, red first',
      {
        bits: 32,
        compression: 3,
        masks: [0xff, 0xff00, 0xff0000],
        pixels: [0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0],
      },
    ],
    ['runs of 8 bits', { bits: 8, compression: 1, palette, pixels: [1, 3, 0, 0, 1, 1, 1, 2, 0, 1] }],
    [
      'literal runs of 8 bits',
      { bits: 8, width: 4, height: 1, compression: 1, palette, pixels: [0, 4, 1, 2, 3, 0, 0, 1] },
    ],
    ['runs of 4 bits', { bits: 4, compression: 2, palette, pixels: [2, 0x30, 0, 0, 2, 0x12, 0, 1] }],
  ])('%s', (_, given) => expect(rgbOf(given)).toEqual(expected));

  it('1 bit, most significant first', () => {
    const image = decode(
      bitmap({ bits: 1, width: 9, height: 1, palette: palette.slice(0, 2), pixels: [0x80, 0x80, 0, 0] }),
    );
    expect(Array.from(image.data).filter((_, i) => i % 3 === 0)).toEqual([255, 0, 0, 0, 0, 0, 0, 0, 255]);
  });

  it('colors beyond the palette are black', () => {
    expect(rgbOf({ bits: 8, width: 1, height: 1, palette, pixels: [200, 0, 0, 0] })).toEqual([0, 0, 0]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a header that ends early', bitmap({ bits: 24, pixels: [] }).subarray(0, 30), /header ends early/],
    ['missing pixels', bitmap({ bits: 24, pixels: [1, 2, 3] }), /14 bytes of pixels expected, 3 found/],
    ['no size', bitmap({ bits: 24, width: 0, pixels: [] }), /0 x 2 pixels/],
    ['runs that end early', bitmap({ bits: 8, compression: 1, palette, pixels: [0, 5, 1] }), /runs end early/],
    ['JPEG data', bitmap({ bits: 24, compression: 4, pixels: [] }), /not supported \(compression 4/],
    ['masks outside of the file', bitmap({ bits: 16, compression: 3, pixels: [] }), /header ends early/],
  ])('refuses %s', (_, file, message) => {
    expect(() => decode(file)).toThrow(message);
    expect(() => decode(file)).toThrow(MdetrError);
  });
});
