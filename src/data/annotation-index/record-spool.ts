import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

/** Records in ascending order of their first number. */
export interface SortedRecords {
  /** Holds the current record, from `offset` on. */
  numbers: Float64Array;
  offset: number;
  /** Moves to the next record; returns false after the last. */
  next(): boolean;
}

const BYTES_PER_NUMBER = 8;
const DEFAULT_MEMORY_BYTES = 48 * 1024 * 1024;

/**
 * Records of a few numbers each in a temporary file, read back in ascending order of their first number, an integer (the
 * sort is stable). Uses constant memory: records that were added in order are streamed, others are sorted in runs that fit
 * in memory, which are then merged.
 */
export class RecordSpool {
  /** Number of added records. */
  length = 0;
  private readonly fd: number;
  private readonly path: string;
  private readonly lanes: number;
  private readonly block: Float64Array;
  private readonly runRecords: number;
  private used = 0;
  private written = 0;
  private lastKey = -Infinity;
  private sorted = true;

  /**
   * @param path of the temporary file, which is deleted when the process ends or `close` is called
   * @param lanes numbers per record
   */
  constructor(path: string, lanes: number, memoryBytes = DEFAULT_MEMORY_BYTES) {
    this.path = path;
    this.lanes = lanes;
    this.runRecords = Math.max(2, Math.floor(memoryBytes / (lanes * BYTES_PER_NUMBER)));
    this.block = new Float64Array(Math.min(this.runRecords, 65_536) * lanes);
    this.fd = openSync(path, 'wx+', 0o600);
    // Unlinked while open, so that a killed process leaves no file. Where that is not allowed, `close` deletes it.
    rmIfAllowed(path);
  }

  add(record: Float64Array): void {
    const key = record[0]!;
    if (key < this.lastKey) this.sorted = false;
    this.lastKey = key;
    for (let lane = 0; lane < this.lanes; lane++) this.block[this.used++] = record[lane]!;
    if (this.used === this.block.length) this.flush();
    this.length++;
  }

  /** Sorts the records. May be called once, after the last `add`. */
  sort(): SortedRecords {
    this.flush();
    if (this.sorted) return this.stream(0, this.length, this.block);
    const runs: SortedRecords[] = [];
    const run = new Float64Array(Math.min(this.runRecords, this.length) * this.lanes);
    const runCount = Math.ceil(this.length / this.runRecords);
    const mergeRecords = Math.max(16, Math.floor(this.runRecords / runCount / 2));
    for (let first = 0; first < this.length; first += this.runRecords) {
      const count = Math.min(this.runRecords, this.length - first);
      this.sortRun(first, count, run);
      runs.push(this.stream(first, count, new Float64Array(Math.min(mergeRecords, count) * this.lanes)));
    }
    return runs.length === 1 ? runs[0]! : mergeRuns(runs);
  }

  close(): void {
    closeSync(this.fd);
    rmIfAllowed(this.path);
  }

  private flush(): void {
    if (this.used === 0) return;
    writeNumbers(this.fd, this.block.subarray(0, this.used), this.written);
    this.written += this.used * BYTES_PER_NUMBER;
    this.used = 0;
  }

  private stream(first: number, count: number, buffer: Float64Array): SortedRecords {
    const { fd, lanes } = this;
    const bufferRecords = buffer.length / lanes;
    let at = -1;
    return {
      numbers: buffer,
      offset: 0,
      next() {
        if (++at >= count) return false;
        const slot = at % bufferRecords;
        if (slot === 0) {
          const length = Math.min(bufferRecords, count - at) * lanes;
          readNumbers(fd, buffer.subarray(0, length), (first + at) * lanes * BYTES_PER_NUMBER);
        }
        this.offset = slot * lanes;
        return true;
      },
    };
  }

  /** Sorts `count` records of the file in place, using the buffer `run`. */
  private sortRun(first: number, count: number, run: Float64Array): void {
    const { lanes } = this;
    const records = run.subarray(0, count * lanes);
    const position = first * lanes * BYTES_PER_NUMBER;
    readNumbers(this.fd, records, position);
    const order = stableOrder(records, lanes);
    const out = new Float64Array(Math.min(count, 65_536) * lanes);
    let filled = 0;
    let written = position;
    for (let i = 0; i < count; i++) {
      const from = order[i]! * lanes;
      for (let lane = 0; lane < lanes; lane++) out[filled++] = records[from + lane]!;
      if (filled === out.length || i === count - 1) {
        writeNumbers(this.fd, out.subarray(0, filled), written);
        written += filled * BYTES_PER_NUMBER;
        filled = 0;
      }
    }
  }
}

/** The order that sorts records by their first number, stably: a radix sort by 16 bits at a time. */
const stableOrder = (records: Float64Array, lanes: number): Uint32Array => {
  const count = records.length / lanes;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < records.length; i += lanes) {
    min = Math.min(min, records[i]!);
    max = Math.max(max, records[i]!);
  }
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  let other = new Uint32Array(count);
  const starts = new Uint32Array(65_537);
  for (let unit = 1; unit <= max - min; unit *= 65_536) {
    const digit = (i: number): number => Math.floor((records[i * lanes]! - min) / unit) % 65_536;
    starts.fill(0);
    for (let i = 0; i < count; i++) starts[digit(i) + 1]!++;
    for (let d = 0; d < 65_536; d++) starts[d + 1]! += starts[d]!;
    for (let i = 0; i < count; i++) {
      const from = order[i]!;
      other[starts[digit(from)]!++] = from;
    }
    [order, other] = [other, order];
  }
  return order;
};

/** Merges sorted runs; of equal keys those of the earlier run come first. */
const mergeRuns = (runs: readonly SortedRecords[]): SortedRecords => {
  const live = runs.filter((run) => run.next());
  const keyOf = (run: SortedRecords): number => run.numbers[run.offset]!;
  let taken: SortedRecords | undefined;
  return {
    numbers: NOTHING,
    offset: 0,
    next() {
      if (taken !== undefined && !taken.next()) live.splice(live.indexOf(taken), 1);
      taken = live[0];
      if (taken === undefined) return false;
      for (let r = 1; r < live.length; r++) if (keyOf(live[r]!) < keyOf(taken)) taken = live[r]!;
      this.numbers = taken.numbers;
      this.offset = taken.offset;
      return true;
    },
  };
};

const NOTHING = new Float64Array(0);

const asBytes = (numbers: Float64Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);

const writeNumbers = (fd: number, numbers: Float64Array, position: number): void => {
  const bytes = asBytes(numbers);
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
};

const readNumbers = (fd: number, numbers: Float64Array, position: number): void => {
  const bytes = asBytes(numbers);
  for (let done = 0; done < bytes.length;) {
    const count = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (count === 0) throw new Error('internal: a spool file is shorter than the data written to it');
    done += count;
  }
};

const rmIfAllowed = (path: string): void => {
  try {
    rmSync(path, { force: true });
  } catch {
    // Windows does not unlink open files.
  }
};
