import { MdetrError } from '../../errors.ts';
import type { RawImage } from './raw-image.ts';

/** Header of a BMP file. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  /** Rows are stored from the top; usually they are stored from the bottom. */
  readonly isTopDown: boolean;
  readonly bitsPerPixel: number;
  readonly compression: number;
  /** Offset of the pixels. */
  readonly pixels: number;
  /** RGB of every color that a pixel can name, black where the file lacks it; empty without palette. */
  readonly palette: Uint8Array;
  /** Bit masks of red, green and blue for 16 and 32 bits a pixel. */
  readonly masks: readonly [red: number, green: number, blue: number];
}

const [RGB, RLE8, RLE4, BITFIELDS, ALPHA_BITFIELDS] = [0, 1, 2, 3, 6] as const;
const FILE_HEADER_BYTES = 14;
const CORE_HEADER_BYTES = 12;
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [RGB]: [1, 4, 8, 16, 24, 32],
  [RLE8]: [8],
  [RLE4]: [4],
  [BITFIELDS]: [16, 32],
  [ALPHA_BITFIELDS]: [16, 32],
};

const damaged = (reason: string): MdetrError =>
  new MdetrError(`the image data are damaged or incomplete (BMP: ${reason})`);

/**
 * Reads the header of a Windows or OS/2 bitmap, of every version from the core header to version 5.
 *
 * @throws {MdetrError} for a damaged header, and for JPEG or PNG data inside a bitmap
 */
export const readBmpHeader = (bytes: Uint8Array): BmpHeader => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.byteLength < FILE_HEADER_BYTES + 4 ? Infinity : view.getUint32(FILE_HEADER_BYTES, true);
  if (FILE_HEADER_BYTES + headerBytes > view.byteLength) throw damaged('the header ends early');
  const isCore = headerBytes === CORE_HEADER_BYTES;
  if (!isCore && headerBytes < 16) throw damaged(`a header of ${headerBytes} bytes`);
  const signedHeight = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const bitsPerPixel = view.getUint16(isCore ? 24 : 28, true);
  const field = (offset: number): number =>
    offset + 4 <= FILE_HEADER_BYTES + headerBytes ? view.getUint32(offset, true) : 0;
  const compression = field(30);
  if (width < 1 || signedHeight === 0) throw damaged(`${width} x ${signedHeight} pixels`);
  if (!(DEPTHS[compression]?.includes(bitsPerPixel) ?? false))
    throw new MdetrError(
      `this kind of BMP is not supported (compression ${compression}, ${bitsPerPixel} bits a pixel); convert it to PNG or JPEG`,
    );
  const hasMasks = compression === BITFIELDS || compression === ALPHA_BITFIELDS;
  // In the 40-byte header the masks stand behind it, later versions have them in the same place as part of the header.
  const maskBytes = hasMasks && headerBytes === 40 ? (compression === BITFIELDS ? 12 : 16) : 0;
  if (hasMasks && FILE_HEADER_BYTES + headerBytes + maskBytes < 66) throw damaged('the header has no bit masks');
  const paletteAt = FILE_HEADER_BYTES + headerBytes + maskBytes;
  if (paletteAt > view.byteLength) throw damaged('the header ends early');
  const pixels = view.getUint32(10, true);
  const colors = bitsPerPixel > 8 ? 0 : 2 ** bitsPerPixel;
  const storedColors = Math.min(field(46) || colors, colors);
  return {
    width,
    height: Math.abs(signedHeight),
    isTopDown: signedHeight < 0,
    bitsPerPixel,
    compression,
    pixels,
    palette: readPalette(bytes.subarray(paletteAt, Math.max(paletteAt, pixels)), colors, storedColors, isCore ? 3 : 4),
    masks: hasMasks
      ? [view.getUint32(54, true), view.getUint32(58, true), view.getUint32(62, true)]
      : bitsPerPixel === 16
        ? [0x7c00, 0x03e0, 0x001f]
        : [0xff0000, 0xff00, 0xff],
  };
};

const readPalette = (stored: Uint8Array, colors: number, storedColors: number, bytesPerColor: number): Uint8Array => {
  const palette = new Uint8Array(colors * 3);
  const given = Math.min(storedColors, Math.floor(stored.length / bytesPerColor));
  for (let color = 0; color < given; color++)
    for (let channel = 0; channel < 3; channel++)
      palette[color * 3 + channel] = stored[color * bytesPerColor + 2 - channel]!;
  return palette;
};

/**
 * Decodes a bitmap to 8-bit RGB, as Pillow's `convert('RGB')` does: alpha is dropped. The header must be that of the same
 * bytes; its size bounds the memory.
 *
 * @throws {MdetrError} for pixels that are missing or outside the image
 */
export const decodeBmp = (bytes: Uint8Array, header: BmpHeader): RawImage => {
  const { width, height, isTopDown, bitsPerPixel, compression } = header;
  const stored = bytes.subarray(header.pixels);
  const isRunLength = compression === RLE8 || compression === RLE4;
  const rowBytes = Math.ceil((width * bitsPerPixel) / 32) * 4;
  // The last row needs no padding.
  const needed = rowBytes * (height - 1) + Math.ceil((width * bitsPerPixel) / 8);
  if (header.pixels < FILE_HEADER_BYTES || (!isRunLength && stored.length < needed))
    throw damaged(`${needed} bytes of pixels expected, ${stored.length} found`);
  const data = new Uint8Array(width * height * 3);
  const rowOf = isRunLength ? indexRows(decodeRuns(stored, header), header) : rowReader(stored, rowBytes, header);
  for (let row = 0; row < height; row++) rowOf(row, data, (isTopDown ? row : height - 1 - row) * width * 3);
  return { width, height, channels: 3, data };
};

/** Writes one stored row as RGB to `to` from `start` on. */
type RowReader = (row: number, to: Uint8Array, start: number) => void;

const rowReader = (stored: Uint8Array, rowBytes: number, header: BmpHeader): RowReader => {
  const { width, bitsPerPixel, palette } = header;
  if (bitsPerPixel <= 8) {
    const perByte = 8 / bitsPerPixel;
    const mask = 2 ** bitsPerPixel - 1;
    return (row, to, start) => {
      for (let x = 0; x < width; x++) {
        const byte = stored[row * rowBytes + Math.floor(x / perByte)]!;
        putColor(palette, (byte >> (8 - bitsPerPixel * ((x % perByte) + 1))) & mask, to, start + x * 3);
      }
    };
  }
  if (bitsPerPixel === 24)
    return (row, to, start) => {
      for (let x = 0, from = row * rowBytes; x < width; x++, from += 3)
        for (let channel = 0; channel < 3; channel++) to[start + x * 3 + channel] = stored[from + 2 - channel]!;
    };
  const channels = header.masks.map(channelOf);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const bytesPerPixel = bitsPerPixel / 8;
  return (row, to, start) => {
    for (let x = 0; x < width; x++) {
      const from = row * rowBytes + x * bytesPerPixel;
      const value = bytesPerPixel === 2 ? view.getUint16(from, true) : view.getUint32(from, true);
      for (let channel = 0; channel < 3; channel++) to[start + x * 3 + channel] = channels[channel]!(value);
    }
  };
};

/** The channel that a bit mask selects, scaled to 0 to 255. */
const channelOf = (mask: number): ((value: number) => number) => {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const max = mask >>> shift;
  return (value) => Math.floor(((((value & mask) >>> shift) & max) * 255) / max);
};

const putColor = (palette: Uint8Array, color: number, to: Uint8Array, at: number): void => {
  for (let channel = 0; channel < 3; channel++) to[at + channel] = palette[color * 3 + channel]!;
};

const indexRows =
  (indices: Uint8Array, { width, palette }: BmpHeader): RowReader =>
  (row, to, start) => {
    for (let x = 0; x < width; x++) putColor(palette, indices[row * width + x]!, to, start + x * 3);
  };

/** Run-length decoding to one palette index a pixel. Pixels that the runs skip have color 0. */
const decodeRuns = (stored: Uint8Array, { width, height, compression }: BmpHeader): Uint8Array => {
  const colors = new Uint8Array(width * height);
  const isNibbles = compression === RLE4;
  let [x, y, at] = [0, 0, 0];
  const put = (color: number): void => {
    // Encoders may fill the padding of a row.
    if (x < width) colors[y * width + x] = color;
    x++;
  };
  const nibble = (byte: number, index: number): number => (index % 2 === 0 ? byte >> 4 : byte & 15);
  while (y < height) {
    if (at + 2 > stored.length) throw damaged('the runs end early');
    const [count, value] = [stored[at++]!, stored[at++]!];
    if (count > 0) for (let i = 0; i < count; i++) put(isNibbles ? nibble(value, i) : value);
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) break;
    else if (value === 2) {
      if (at + 2 > stored.length) throw damaged('the runs end early');
      x += stored[at++]!;
      y += stored[at++]!;
    } else {
      const length = isNibbles ? Math.ceil(value / 2) : value;
      if (at + length > stored.length) throw damaged('the runs end early');
      for (let i = 0; i < value; i++) put(isNibbles ? nibble(stored[at + Math.floor(i / 2)]!, i) : stored[at + i]!);
      at += length + (length % 2);
    }
  }
  return colors;
};
