/*
 * TensorBoard's event files: records of `length, masked CRC of it, data, masked CRC of it`, each a protocol buffer
 * `Event` with scalars. Few lines, and no npm package for it is kept up.
 */

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli), as TFRecord wants it. */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
};

/** Rotated and shifted, so that a CRC of data that hold CRCs is no accident. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
};

const lengthDelimited = (field: number, bytes: Uint8Array | readonly number[]): number[] => [
  field * 8 + 2,
  ...varint(bytes.length),
  ...bytes,
];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const fixed = (field: number, wire: 1 | 5, write: (view: DataView) => void): number[] => {
  const bytes = new Uint8Array(wire === 1 ? 8 : 4);
  write(new DataView(bytes.buffer));
  return [field * 8 + wire, ...bytes];
};

const record = (data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(data.length + 12, masked(crc32c(data)), true);
  return bytes;
};

/** How many bytes of a file are whole records, by their lengths and CRCs. */
export const wholeRecords = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; ;) {
    if (at + 16 > bytes.length) return at;
    const length = view.getUint32(at, true);
    const end = at + 16 + length;
    const isWhole =
      view.getUint32(at + 4, true) === 0 &&
      view.getUint32(at + 8, true) === masked(crc32c(bytes.subarray(at, at + 8))) &&
      end <= bytes.length &&
      view.getUint32(end - 4, true) === masked(crc32c(bytes.subarray(at + 12, end - 4)));
    if (!isWhole) return at;
    at = end;
  }
};

const event = (wallTimeS: number, step: number, rest: readonly number[]): Uint8Array =>
  record(
    Uint8Array.from([
      ...fixed(1, 1, (view) => view.setFloat64(0, wallTimeS, true)),
      ...(step > 0 ? [2 * 8, ...varint(step)] : []),
      ...rest,
    ]),
  );

/** What an event file begins with. */
export const eventFileStart = (wallTimeS: number): Uint8Array =>
  event(wallTimeS, 0, lengthDelimited(3, text('brain.Event:2')));

/** Scalars of one step. */
export const scalarsEvent = (
  wallTimeS: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array => {
  const values = Object.entries(scalars).flatMap(([tag, value]) =>
    lengthDelimited(1, [...lengthDelimited(1, text(tag)), ...fixed(2, 5, (view) => view.setFloat32(0, value, true))]),
  );
  return event(wallTimeS, step, lengthDelimited(5, values));
};
