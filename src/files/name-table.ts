import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileReason, MdetrError } from '../errors.ts';

/** Entries that are held in memory, before the table moves to a file. */
const HELD_ENTRIES = 1 << 15;
/** A slot of the file: the hash of a name, and its number plus 1. A slot of zeros is free. */
const KEY_BYTES = 12;
const SLOT_BYTES = 16;
const SLOTS_PER_READ = 32;
const FIRST_SLOTS = 1 << 16;
const MAX_LOAD = 0.5;
const GROWTH = 4;

/**
 * Table from names to numbers (integers from 0 to 2³² - 2) in bounded memory: a larger table is a hash table in a temporary
 * file, which holds 96 bits of the SHA-256 of each name. `close` removes the file.
 */
export class NameTable {
  private held: Map<string, number> | undefined = new Map();
  private file: SlotFile | undefined;

  constructor(private readonly heldEntries = HELD_ENTRIES) {}

  /** Number of a name; undefined if it has none. */
  get(name: string): number | undefined {
    return this.held === undefined ? this.file!.get(keyOf(name)) : this.held.get(name);
  }

  /** @throws {MdetrError} if the temporary file cannot be written */
  set(name: string, value: number): void {
    if (this.held === undefined) {
      this.file!.set(keyOf(name), value);
      return;
    }
    this.held.set(name, value);
    if (this.held.size <= this.heldEntries) return;
    this.file = new SlotFile();
    for (const [text, number] of this.held) this.file.set(keyOf(text), number);
    this.held = undefined;
  }

  /** Adds a name to a set of names, and returns whether it is new. */
  add(name: string): boolean {
    if (this.get(name) !== undefined) return false;
    this.set(name, 0);
    return true;
  }

  /** Removes the temporary file. The table is empty afterwards. */
  close(): void {
    this.file?.close();
    this.file = undefined;
    this.held = new Map();
  }
}

const keyOf = (name: string): Buffer => createHash('sha256').update(name).digest().subarray(0, KEY_BYTES);

/** Hash table with open addressing in a temporary file. */
class SlotFile {
  private readonly folder: string;
  private handle: number;
  private slots = FIRST_SLOTS;
  private entries = 0;
  private readonly window = Buffer.alloc(SLOTS_PER_READ * SLOT_BYTES);
  private readonly slot = Buffer.alloc(SLOT_BYTES);

  constructor() {
    this.folder = guarded(() => mkdtempSync(join(tmpdir(), 'mdetr-names-')));
    this.handle = this.create();
  }

  get(key: Buffer): number | undefined {
    const { value } = this.find(key);
    return value === 0 ? undefined : value - 1;
  }

  set(key: Buffer, value: number): void {
    if (this.entries >= this.slots * MAX_LOAD) this.grow();
    const found = this.find(key);
    if (found.value === 0) this.entries++;
    key.copy(this.slot);
    this.slot.writeUInt32LE(value + 1, KEY_BYTES);
    guarded(() => writeSync(this.handle, this.slot, 0, SLOT_BYTES, found.slot * SLOT_BYTES));
  }

  close(): void {
    closeSync(this.handle);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Slot of a key, or the free one that it would take. */
  private find(key: Buffer): { readonly slot: number; readonly value: number } {
    let slot = key.readUInt32LE(0) % this.slots;
    for (;;) {
      const count = Math.min(SLOTS_PER_READ, this.slots - slot);
      // The end of the file that was never written reads as free slots.
      const bytes = readSync(this.handle, this.window, 0, count * SLOT_BYTES, slot * SLOT_BYTES);
      this.window.fill(0, bytes);
      for (let i = 0; i < count; i++) {
        const at = i * SLOT_BYTES;
        const value = this.window.readUInt32LE(at + KEY_BYTES);
        if (value === 0 || this.window.compare(key, 0, KEY_BYTES, at, at + KEY_BYTES) === 0)
          return { slot: slot + i, value };
      }
      slot = (slot + count) % this.slots;
    }
  }

  private grow(): void {
    const [old, oldSlots] = [this.handle, this.slots];
    this.slots *= GROWTH;
    this.entries = 0;
    this.handle = this.create();
    const chunk = Buffer.alloc(4096 * SLOT_BYTES);
    for (let at = 0; at < oldSlots * SLOT_BYTES;) {
      const bytes = readSync(old, chunk, 0, chunk.length, at);
      if (bytes === 0) break;
      for (let slot = 0; slot + SLOT_BYTES <= bytes; slot += SLOT_BYTES) {
        const value = chunk.readUInt32LE(slot + KEY_BYTES);
        if (value > 0) this.set(chunk.subarray(slot, slot + KEY_BYTES), value - 1);
      }
      at += bytes;
    }
    closeSync(old);
    rmSync(this.pathOf(oldSlots), { force: true });
  }

  private pathOf(slots: number): string {
    return join(this.folder, `${slots}.table`);
  }

  private create(): number {
    return guarded(() => openSync(this.pathOf(this.slots), 'wx+'));
  }
}

/** @throws {MdetrError} naming the folder of temporary files if the operation fails */
const guarded = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw new MdetrError(
      `${tmpdir()}: temporary files cannot be written (${fileReason(error)}); TMPDIR names another folder`,
      { cause: error },
    );
  }
};
