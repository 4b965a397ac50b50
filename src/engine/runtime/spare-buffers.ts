/**
 * Buffers of earlier runs that nothing reads any more. Values of thousands of small runs would otherwise be garbage that
 * V8 collects every few runs, which takes a tenth of the time of an embedded model.
 */
export class SpareBuffers {
  private readonly buffers: ArrayBuffer[] = [];

  /**
   * @param limit number of buffers that are kept
   * @param maxBytes size above which a buffer is not kept
   */
  constructor(
    private readonly limit: number,
    private readonly maxBytes = Infinity,
  ) {}

  /** A buffer of exactly this size: a spare one, whose contents are left as they are, or a new one. */
  take(bytes: number): ArrayBuffer {
    const index = this.buffers.findIndex(({ byteLength }) => byteLength === bytes);
    return index < 0 ? new ArrayBuffer(bytes) : this.buffers.splice(index, 1)[0]!;
  }

  /** Keeps the buffer of an array, if the array is all of it; the buffer that was given first makes room. */
  give({ buffer, byteLength }: ArrayBufferView): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== byteLength || this.buffers.includes(buffer)) return;
    if (byteLength > this.maxBytes) return;
    this.buffers.push(buffer);
    if (this.buffers.length > this.limit) this.buffers.shift();
  }
}
