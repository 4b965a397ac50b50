/** Offset of the EXIF data in a file, and the four letters that mark them. */
type ExifFinder = (bytes: Uint8Array, view: DataView) => number | undefined;

/**
 * A copy of an image file whose EXIF data, and with them its orientation, decoders do not see: `createImageBitmap` has no
 * setting that leaves pixels as they are stored in all browsers.
 *
 * @param format `JPEG`, `PNG` or `WebP`; files of other formats are returned as they are
 */
export const withoutExif = (bytes: Uint8Array<ArrayBuffer>, format: string): Uint8Array<ArrayBuffer> => {
  const at = FINDERS[format]?.(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (at === undefined) return bytes;
  const changed = bytes.slice();
  // Lower case keeps a PNG chunk optional; decoders skip what they do not know.
  for (let letter = 0; letter < 4; letter++) changed[at + letter] = 'xxxx'.charCodeAt(letter);
  return changed;
};

const lettersAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

const JPEG_APP1 = 0xe1;
const JPEG_SCAN = 0xda;

const FINDERS: Readonly<Record<string, ExifFinder>> = {
  // Segments: 0xff, marker, length of two bytes that counts itself.
  JPEG: (bytes, view) => {
    for (let at = 2; at + 10 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== JPEG_SCAN;) {
      if (bytes[at + 1] === JPEG_APP1 && lettersAt(bytes, at + 4) === 'Exif') return at + 4;
      at += 2 + view.getUint16(at + 2);
    }
    return undefined;
  },
  // Chunks: length, type, contents, checksum. Optional chunks with a wrong checksum are skipped.
  PNG: (bytes, view) => {
    for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at))
      if (lettersAt(bytes, at + 4) === 'eXIf') return at + 4;
    return undefined;
  },
  // Chunks: type, length, contents padded to an even length.
  WebP: (bytes, view) => {
    for (let at = 12; at + 8 <= bytes.length;) {
      if (lettersAt(bytes, at) === 'EXIF') return at;
      const length = view.getUint32(at + 4, true);
      at += 8 + length + (length % 2);
    }
    return undefined;
  },
};
