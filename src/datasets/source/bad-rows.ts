import type { OnBadRow } from '../../data/annotation-index/row-reader.ts';
import { MdetrError } from '../../errors.ts';
import type { Remarks } from '../preparation/remarks.ts';

/** An entry of a source file that cannot be used. The message names file, entry and field. */
export class BadRowError extends MdetrError {
  /** Name of the class. */
  override readonly name: string = 'BadRowError';
}

/** Stops at entries that cannot be used, or leaves them out and counts them in the report. */
export class BadRows {
  private readonly action: OnBadRow;
  private readonly leftOut: Remarks;

  constructor(action: OnBadRow = 'stop', leftOut: Remarks) {
    this.action = action;
    this.leftOut = leftOut;
  }

  /** Whether bad entries are left out. */
  get areSkipped(): boolean {
    return this.action === 'skip';
  }

  /**
   * Reads one entry.
   * @returns undefined if it cannot be used and is left out
   * @throws {MdetrError} if it cannot be used and the preparation stops at such entries
   */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.leaveOut(error);
      return undefined;
    }
  }

  /** Reads entries, and yields what `read` returns for those that can be used; the elements of arrays one by one. */
  *usable<Entry, Found>(
    entries: Iterable<Entry>,
    read: (entry: Entry, index: number) => Found | readonly Found[] | undefined,
  ): Generator<Found, void, undefined> {
    let index = 0;
    for (const entry of entries) {
      const position = index++;
      const found = this.attempt(() => read(entry, position));
      if (Array.isArray(found)) yield* found as readonly Found[];
      else if (found !== undefined) yield found as Found;
    }
  }

  /** Like {@link attempt}, for entries that are written at once. Resolves to whether the entry was used. */
  async attemptWrite(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      this.leaveOut(error);
      return false;
    }
  }

  private leaveOut(error: unknown): void {
    if (!(error instanceof BadRowError)) throw error;
    if (this.action !== 'skip')
      throw new MdetrError(`${error.message}. Fix the entry, or pass \`--on-bad-row skip\` to leave out such entries`, {
        cause: error,
      });
    this.leftOut.add('entries that cannot be used (--on-bad-row skip)', error.message);
  }
}
