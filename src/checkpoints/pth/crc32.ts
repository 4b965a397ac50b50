import * as zlib from 'node:zlib';

let table: Uint32Array | undefined;

const buildTable = (): Uint32Array => {
  const entries = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++)
      remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0xedb8_8320 : remainder >>> 1;
    entries[byte] = remainder >>> 0;
  }
  return entries;
};

/** CRC-32 of zip files, one byte at a time. */
export const crc32ByTable = (bytes: Uint8Array, start = 0): number => {
  const entries = (table ??= buildTable());
  let crc = ~start;
  for (const byte of bytes) crc = (crc >>> 8) ^ entries[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
};

/** CRC-32 of zip files; `start` is the value of the bytes before. Node 20.15 and later have it built in. */
export const crc32 = (bytes: Uint8Array, start = 0): number =>
  'crc32' in zlib ? zlib.crc32(bytes, start) : crc32ByTable(bytes, start);
