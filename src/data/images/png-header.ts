import type { PixelSize } from './orientation.ts';

/** Length of the signature. */
const SIGNATURE_BYTES = 8;
/** Length, type and checksum of a chunk. */
const CHUNK_FRAME_BYTES = 12;
/** Length of the data of the header chunk. */
const HEADER_BYTES = 13;

/** Chunks that change neither the orientation nor the number of frames. */
const PLAIN_CHUNKS: ReadonlySet<string> = new Set([
  'IHDR',
  'PLTE',
  'IDAT',
  'IEND',
  'tRNS',
  'gAMA',
  'cHRM',
  'sRGB',
  'iCCP',
  'sBIT',
  'bKGD',
  'hIST',
  'pHYs',
  'tIME',
]);

/**
 * Size in pixels of a PNG file that consists of plain chunks only; undefined for all others, also damaged ones, whose header
 * needs the decoder. For a small image, opening the decoder for its header takes a fifth of the time of decoding it.
 *
 * @param bytes the file, with the signature of a PNG
 */
export const plainPngSize = (bytes: Uint8Array): PixelSize | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE_BYTES, type = ''; type !== 'IEND'; at += CHUNK_FRAME_BYTES + view.getUint32(at)) {
    if (at + CHUNK_FRAME_BYTES > bytes.length) return undefined;
    const end = at + CHUNK_FRAME_BYTES + view.getUint32(at);
    type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const isHeader = type === 'IHDR';
    if (end > bytes.length || !PLAIN_CHUNKS.has(type) || isHeader !== (at === SIGNATURE_BYTES)) return undefined;
    if (isHeader && view.getUint32(at) !== HEADER_BYTES) return undefined;
  }
  const width = view.getUint32(SIGNATURE_BYTES + 8);
  const height = view.getUint32(SIGNATURE_BYTES + 12);
  return width > 0 && height > 0 ? { width, height } : undefined;
};
