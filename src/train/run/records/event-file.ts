/*
 * TensorBoard's event files: records of `length, masked CRC of the length, data, masked CRC of the data`. The data is a
 * protocol buffer `Event` with scalars or images. No npm package for this format is maintained.
 */
import { ProtoWriter } from '../../../engine/onnx/proto.ts';

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli), the checksum of TFRecord files. */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
};

/** TFRecord's masked CRC: rotated and offset, so that the CRC of data that contains CRCs is not degenerate. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

const record = (data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length, true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(data.length + 12, masked(crc32c(data)), true);
  return bytes;
};

/** Number of bytes at the start of a file that are complete records, checked by lengths and CRCs. */
export const completeRecordBytes = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; ;) {
    if (at + 16 > bytes.length) return at;
    const length = view.getUint32(at, true);
    const end = at + 16 + length;
    const isComplete =
      view.getUint32(at + 4, true) === 0 &&
      view.getUint32(at + 8, true) === masked(crc32c(bytes.subarray(at, at + 8))) &&
      end <= bytes.length &&
      view.getUint32(end - 4, true) === masked(crc32c(bytes.subarray(at + 12, end - 4)));
    if (!isComplete) return at;
    at = end;
  }
};

/** A record with an `Event` message: wall_time = 1, step = 2, and what `write` adds. */
const eventRecord = (wallTimeS: number, step: number, write: (event: ProtoWriter) => void): Uint8Array => {
  const event = new ProtoWriter().double(1, wallTimeS);
  if (step > 0) event.int(2, step);
  write(event);
  return record(event.finish());
};

/** First record of an event file: file_version = 3. */
export const eventFileStart = (wallTimeS: number): Uint8Array =>
  eventRecord(wallTimeS, 0, (event) => event.string(3, 'brain.Event:2'));

/** Scalars of one step: summary = 5 with values (tag = 1, simple_value = 2). */
export const scalarsEvent = (wallTimeS: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array =>
  eventRecord(wallTimeS, step, (event) =>
    event.message(5, (summary) => {
      for (const [tag, value] of Object.entries(scalars))
        summary.message(1, (entry) => entry.string(1, tag).float(2, value));
    }),
  );

/** An encoded image (PNG or JPEG) for TensorBoard. */
export interface EventImage {
  /** Name of the image in TensorBoard. */
  readonly tag: string;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Bytes of the encoded image. */
  readonly bytes: Uint8Array;
}

/** Images of one step: values with image = 4 (height = 1, width = 2, colorspace = 3, encoded_image_string = 4). */
export const imagesEvent = (wallTimeS: number, step: number, images: readonly EventImage[]): Uint8Array =>
  eventRecord(wallTimeS, step, (event) =>
    event.message(5, (summary) => {
      for (const { tag, width, height, bytes } of images)
        summary.message(1, (entry) =>
          entry.string(1, tag).message(4, (image) => image.int(1, height).int(2, width).int(3, RGB).bytes(4, bytes)),
        );
    }),
  );

/** TensorFlow's number of the color space. */
const RGB = 3;
