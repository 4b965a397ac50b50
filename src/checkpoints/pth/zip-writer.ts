import type { FileSink } from '../../files/atomic-file.ts';
import { crc32 } from 'node:zlib';

/** Alignment of tensor data in bytes, with which PyTorch can map tensors from the file. */
const ALIGNMENT = 64;
const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
/** Offset of the CRC in a local header. */
const LOCAL_CRC_OFFSET = 14;
const UTF8_NAMES = 0x800;
const VERSION_PLAIN = 20;
const VERSION_ZIP64 = 45;
/** 1 January 1980, the earliest date in zip files. A constant, so that equal weights give equal files. */
const DATE = 0x21;
const ZIP64_FIELD = 0x0001;
/** Id of the extra field that PyTorch also uses for padding. */
const PADDING_FIELD = 0x4246;
const IN_ZIP64 = 0xffff_ffff;

interface Written {
  readonly name: Buffer;
  readonly start: number;
  readonly size: number;
  readonly crc: number;
}

/** Sequential writer for zip files of stored entries. Uses zip64 where sizes require it. */
export class ZipWriter {
  readonly #sink: FileSink;
  readonly #zip64From: number;
  readonly #written: Written[] = [];

  /** @param zip64From smallest size or offset, in bytes, that is written in zip64 form */
  constructor(sink: FileSink, zip64From = IN_ZIP64) {
    this.#sink = sink;
    this.#zip64From = zip64From;
  }

  /** Appends an entry of known size whose contents are given in parts. */
  async add(name: string, size: number, parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const nameBytes = Buffer.from(name);
    const start = this.#sink.position;
    const zip64 = size >= this.#zip64From;
    const sizes = zip64 ? zip64Field([size, size]) : Buffer.alloc(0);
    const unpadded = start + LOCAL_HEADER_BYTES + nameBytes.byteLength + sizes.byteLength + 4;
    const padding = paddingField((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT);

    const header = Buffer.alloc(LOCAL_HEADER_BYTES);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(zip64 ? VERSION_ZIP64 : VERSION_PLAIN, 4);
    header.writeUInt16LE(UTF8_NAMES, 6);
    header.writeUInt16LE(DATE, 12);
    header.writeUInt32LE(zip64 ? IN_ZIP64 : size, 18);
    header.writeUInt32LE(zip64 ? IN_ZIP64 : size, 22);
    header.writeUInt16LE(nameBytes.byteLength, 26);
    header.writeUInt16LE(sizes.byteLength + padding.byteLength, 28);
    await this.#sink.write(Buffer.concat([header, nameBytes, sizes, padding]));

    const dataStart = this.#sink.position;
    let crc = 0;
    for await (const part of parts) {
      crc = crc32(part, crc);
      await this.#sink.write(part);
    }
    if (this.#sink.position - dataStart !== size) {
      throw new Error(`internal: zip entry ${name} has ${this.#sink.position - dataStart} bytes, not ${size}`);
    }
    // The checksum is known only now. Overwriting the header is simpler for readers than a data descriptor after the contents.
    const crcBytes = Buffer.alloc(4);
    crcBytes.writeUInt32LE(crc);
    await this.#sink.overwrite(crcBytes, start + LOCAL_CRC_OFFSET);
    this.#written.push({ name: nameBytes, start, size, crc });
  }

  /** Writes the central directory. No entries can be added afterwards. */
  async finish(): Promise<void> {
    const start = this.#sink.position;
    await this.#sink.write(Buffer.concat(this.#written.map((entry) => this.#centralHeader(entry))));
    const size = this.#sink.position - start;
    const count = this.#written.length;
    const zip64 = start >= this.#zip64From || size >= this.#zip64From || count >= 0xffff;
    if (zip64) await this.#sink.write(zip64End(count, size, start, this.#sink.position));
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(zip64 ? 0xffff : count, 8);
    end.writeUInt16LE(zip64 ? 0xffff : count, 10);
    end.writeUInt32LE(zip64 ? IN_ZIP64 : size, 12);
    end.writeUInt32LE(zip64 ? IN_ZIP64 : start, 16);
    await this.#sink.write(end);
  }

  #centralHeader({ name, start, size, crc }: Written): Buffer {
    const bigSize = size >= this.#zip64From;
    const bigStart = start >= this.#zip64From;
    const wide = [...(bigSize ? [size, size] : []), ...(bigStart ? [start] : [])];
    const extra = wide.length > 0 ? zip64Field(wide) : Buffer.alloc(0);
    const header = Buffer.alloc(CENTRAL_HEADER_BYTES);
    const version = wide.length > 0 ? VERSION_ZIP64 : VERSION_PLAIN;
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(version, 4);
    header.writeUInt16LE(version, 6);
    header.writeUInt16LE(UTF8_NAMES, 8);
    header.writeUInt16LE(DATE, 14);
    header.writeUInt32LE(crc, 16);
    header.writeUInt32LE(bigSize ? IN_ZIP64 : size, 20);
    header.writeUInt32LE(bigSize ? IN_ZIP64 : size, 24);
    header.writeUInt16LE(name.byteLength, 28);
    header.writeUInt16LE(extra.byteLength, 30);
    header.writeUInt32LE(bigStart ? IN_ZIP64 : start, 42);
    return Buffer.concat([header, name, extra]);
  }
}

const zip64Field = (values: readonly number[]): Buffer => {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(ZIP64_FIELD, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, i) => field.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return field;
};

const paddingField = (length: number): Buffer => {
  const field = Buffer.alloc(4 + length, 'Z');
  field.writeUInt16LE(PADDING_FIELD, 0);
  field.writeUInt16LE(length, 2);
  return field;
};

/** The zip64 end record and its locator. */
const zip64End = (count: number, size: number, start: number, recordStart: number): Buffer => {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(VERSION_ZIP64, 12);
  end.writeUInt16LE(VERSION_ZIP64, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(size), 40);
  end.writeBigUInt64LE(BigInt(start), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(recordStart), 64);
  end.writeUInt32LE(1, 72);
  return end;
};
