/**
 * Values that are read before they are needed, a limited number at a time, in their order. A failure is reported by the value
 * itself.
 */
export class ReadAhead<T> {
  private readonly begun: Promise<T>[] = [];

  /**
   * @param read begins to read the next value; called again before earlier ones have been read
   * @param depth number of values that are being read, or have been read and wait
   */
  constructor(
    private readonly read: () => Promise<T>,
    private readonly depth: number,
  ) {}

  /** Begins to read values, as many as may wait. */
  fill(): void {
    while (this.begun.length < this.depth) {
      const value = this.read();
      value.catch(() => undefined);
      this.begun.push(value);
    }
  }

  /** The next value. Another one is begun in its place. */
  next(): Promise<T> {
    this.fill();
    const value = this.begun.shift()!;
    this.fill();
    return value;
  }
}
