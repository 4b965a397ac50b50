import yauzl from 'yauzl';
import { MdetrError, messageOf, quoted } from '../../errors.ts';
import { type ByteSource, readBytes } from '../byte-source.ts';

/** A stored (uncompressed) zip entry. */
export interface ZipRecord {
  readonly name: string;
  readonly byteLength: number;
  /** Returns the position of its first byte, after checking its local header against the directory. */
  locate(): Promise<number>;
}

const MAX_ENTRIES = 250_000;
const LOCAL_HEADER_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const HAS_DATA_DESCRIPTOR = 0x8;
/** Marks a size that is stored in the zip64 field. */
const SIZE_ELSEWHERE = 0xffff_ffff;
const BLOCK_BYTES = 2 ** 18;

/** Adapter for yauzl that reads the central directory in blocks and passes on errors of the source. */
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
 * Reads the entries of a zip file by name and checks that each is stored, lies inside the file and overlaps no other.
 * Local headers are checked when an entry is located, so that a checkpoint of 4,000 entries opens without 4,000 reads.
 * @throws {MdetrError} for a damaged, compressed or encrypted zip file
 */
export const readZipRecords = async (source: ByteSource): Promise<ReadonlyMap<string, ZipRecord>> => {
  const entries = await readCentralDirectory(source);
  const records = new Map<string, ZipRecord>();
  entries.sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  entries.forEach((entry, i) => {
    const { fileName: name, uncompressedSize: byteLength } = entry;
    if (records.has(name)) throw new MdetrError(`${source.name}: refused, the zip holds ${quoted(name)} twice`);
    const next = entries[i + 1];
    const room: Room = { end: next?.relativeOffsetOfLocalHeader ?? source.size, next: next?.fileName };
    checkEntry(source, entry, room);
    records.set(name, { name, byteLength, locate: () => locate(source, entry, room) });
  });
  return records;
};

/** Upper limit for the end of an entry: the start of the next one. */
interface Room {
  readonly end: number;
  readonly next: string | undefined;
}

const refusal = (source: ByteSource, entry: yauzl.Entry, what: string): MdetrError =>
  new MdetrError(`${source.name}: refused, the zip entry ${quoted(entry.fileName)} ${what}`);

const checkEnd = (source: ByteSource, entry: yauzl.Entry, end: number, room: Room): void => {
  if (end <= room.end) return;
  const into = room.next === undefined ? 'exceeds the file' : `overlaps ${quoted(room.next)}`;
  throw refusal(source, entry, into);
};

/** Checks an entry by its directory record alone. */
const checkEntry = (source: ByteSource, entry: yauzl.Entry, room: Room): void => {
  if (entry.isEncrypted()) throw refusal(source, entry, 'is encrypted');
  if (entry.compressionMethod !== 0) {
    const advice = 'a TorchScript program or a repacked file; save the weights with torch.save';
    throw refusal(source, entry, `is compressed: ${advice}`);
  }
  const headerBytes = LOCAL_HEADER_BYTES + entry.fileNameRaw.byteLength;
  checkEnd(source, entry, entry.relativeOffsetOfLocalHeader + headerBytes + entry.uncompressedSize, room);
};

const readCentralDirectory = async (source: ByteSource): Promise<yauzl.Entry[]> => {
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

const locate = async (source: ByteSource, entry: yauzl.Entry, room: Room): Promise<number> => {
  const start = entry.relativeOffsetOfLocalHeader;
  const bytes = await readBytes(source, start, LOCAL_HEADER_BYTES + entry.fileNameRaw.byteLength);
  const header = Buffer.from(bytes.buffer);
  const refuse = (what: string): MdetrError => refusal(source, entry, what);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE)
    throw refuse('has no local header at the position given by the directory');
  if (header.readUInt16LE(8) !== 0) throw refuse('is compressed according to its local header');
  const nameMatches =
    header.readUInt16LE(26) === entry.fileNameRaw.byteLength &&
    header.subarray(LOCAL_HEADER_BYTES).equals(entry.fileNameRaw);
  if (!nameMatches) throw refuse('has a different name in its local header');
  const sizesFollow = (header.readUInt16LE(6) & HAS_DATA_DESCRIPTOR) !== 0;
  for (const size of [header.readUInt32LE(18), header.readUInt32LE(22)]) {
    if (size === entry.uncompressedSize || size === SIZE_ELSEWHERE || (sizesFollow && size === 0)) continue;
    throw refuse(`has ${entry.uncompressedSize} bytes in the directory and ${size} in its local header`);
  }
  const position = start + header.byteLength + header.readUInt16LE(28);
  checkEnd(source, entry, position + entry.uncompressedSize, room);
  return position;
};
