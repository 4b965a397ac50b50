import yauzl from 'yauzl';
import { MdetrError, messageOf } from '../errors.ts';
import { type ByteSource, readBytes } from './file-source.ts';

/** A stored (uncompressed) entry: its bytes lie in the file as they are. */
export interface ZipRecord {
  readonly name: string;
  /** First byte of its contents in the file. */
  readonly position: number;
  readonly byteLength: number;
}

const MAX_ENTRIES = 250_000;
const LOCAL_HEADER_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const HAS_DATA_DESCRIPTOR = 0x8;
/** The true size stands in the zip64 field. */
const SIZE_ELSEWHERE = 0xffff_ffff;
const BLOCK_BYTES = 2 ** 18;
const HEADERS_AT_ONCE = 16;

/** Serves yauzl's many small reads of the central directory from blocks, and errors as errors. */
class BlockReader extends yauzl.RandomAccessReader {
  readonly #source: ByteSource;
  #start = 0;
  #block: Uint8Array = new Uint8Array(0);

  constructor(source: ByteSource) {
    super();
    this.#source = source;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    this.#bytes(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null, length);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  async #bytes(position: number, length: number): Promise<Uint8Array> {
    if (position < this.#start || position + length > this.#start + this.#block.byteLength) {
      const available = this.#source.size - position;
      this.#block = await readBytes(this.#source, position, Math.max(length, Math.min(BLOCK_BYTES, available)));
      this.#start = position;
    }
    return this.#block.subarray(position - this.#start, position - this.#start + length);
  }
}

/**
 * The entries of a zip file by name, after checking that central directory and local headers agree, that every entry
 * is stored, lies inside the file and overlaps no other.
 */
export const readZipRecords = async (source: ByteSource): Promise<ReadonlyMap<string, ZipRecord>> => {
  const entries = await readCentralDirectory(source);
  const records = new Map<string, ZipRecord>();
  const spans: { name: string; start: number; end: number }[] = [];
  for (let i = 0; i < entries.length; i += HEADERS_AT_ONCE) {
    const group = entries.slice(i, i + HEADERS_AT_ONCE);
    const positions = await Promise.all(group.map((entry) => dataPosition(source, entry)));
    group.forEach((entry, k) => {
      const name = entry.fileName;
      if (records.has(name)) throw new MdetrError(`${source.name}: refused, the zip holds "${name}" twice`);
      const position = positions[k]!;
      records.set(name, { name, position, byteLength: entry.uncompressedSize });
      spans.push({ name, start: entry.relativeOffsetOfLocalHeader, end: position + entry.uncompressedSize });
    });
  }
  spans.sort((a, b) => a.start - b.start);
  for (let i = 1; i < spans.length; i++) {
    if (spans[i]!.start < spans[i - 1]!.end) {
      throw new MdetrError(
        `${source.name}: refused, the zip entries "${spans[i - 1]!.name}" and "${spans[i]!.name}" overlap`,
      );
    }
  }
  return records;
};

const readCentralDirectory = async (source: ByteSource): Promise<readonly yauzl.Entry[]> => {
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(new BlockReader(source), source.size, {
      autoClose: false,
      strictFileNames: true,
    });
    if (zip.entryCount > MAX_ENTRIES) throw new Error(`${zip.entryCount} entries, more than ${MAX_ENTRIES}`);
    const entries: yauzl.Entry[] = [];
    for await (const entry of zip.eachEntry()) entries.push(entry);
    return entries;
  } catch (error) {
    if (error instanceof MdetrError) throw error;
    throw new MdetrError(`${source.name}: truncated or damaged zip file: ${messageOf(error)}`, { cause: error });
  }
};

/** Checks one local header against the central directory. */
const dataPosition = async (source: ByteSource, entry: yauzl.Entry): Promise<number> => {
  const refuse = (what: string): MdetrError =>
    new MdetrError(`${source.name}: refused, the zip entry ${JSON.stringify(entry.fileName)} ${what}`);
  if (entry.isEncrypted()) throw refuse('is encrypted');
  if (entry.compressionMethod !== 0) {
    throw refuse('is compressed: a TorchScript program or a repacked file; save the weights with torch.save');
  }
  const start = entry.relativeOffsetOfLocalHeader;
  const bytes = await readBytes(source, start, LOCAL_HEADER_BYTES + entry.fileNameRaw.byteLength);
  const header = Buffer.from(bytes.buffer);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw refuse('has no local header where the directory says');
  if (header.readUInt16LE(8) !== 0) throw refuse('has a local header that says it is compressed');
  const nameMatches =
    header.readUInt16LE(26) === entry.fileNameRaw.byteLength &&
    header.subarray(LOCAL_HEADER_BYTES).equals(entry.fileNameRaw);
  if (!nameMatches) throw refuse('has another name in its local header');
  const sizesFollow = (header.readUInt16LE(6) & HAS_DATA_DESCRIPTOR) !== 0;
  for (const size of [header.readUInt32LE(18), header.readUInt32LE(22)]) {
    if (size === entry.uncompressedSize || size === SIZE_ELSEWHERE || (sizesFollow && size === 0)) continue;
    throw refuse(`has ${entry.uncompressedSize} bytes in the directory and ${size} in its local header`);
  }
  const position = start + header.byteLength + header.readUInt16LE(28);
  if (position + entry.uncompressedSize > source.size) throw refuse('reaches beyond the end of the file');
  return position;
};
