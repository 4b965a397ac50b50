import { borrowScratch, HEAD_BYTES, memoryOf, returnScratch, SCRATCH_BYTES } from '../../threads/shared-memory.ts';
import { KERNEL_LANES, kernelsOn, type UpdateKernels } from './update-kernels.ts';

/** Work on a block. `addresses` are those of the arrays' elements in the memory of the kernels. */
export type Pass = (kernels: UpdateKernels, addresses: readonly number[], bytes: number) => void;

const MAX_ARRAYS = 5;
const BYTES_PER_ELEMENT = Float32Array.BYTES_PER_ELEMENT;
const BLOCK_BYTES = SCRATCH_BYTES / MAX_ARRAYS;
/** Elements of a block; copies of this length stay in the cache. */
export const BLOCK_LENGTH = BLOCK_BYTES / BYTES_PER_ELEMENT;

/**
 * Runs a pass over elements `start` to `end` of arrays, block by block. Kernels see one memory, that of the last array.
 * Arrays in this memory are updated in place; arrays elsewhere are copied in and out, and so are elements that do not fill
 * the kernels' lanes. The results are the same.
 *
 * @param unchanged number of arrays, the first ones, that are not copied back
 */
export const inBlocks = (
  arrays: readonly Float32Array[],
  unchanged: number,
  start: number,
  end: number,
  pass: Pass,
): void => {
  const scratch = ScratchMemory.of(arrays.at(-1)!.buffer);
  try {
    for (let from = start; from < end; from += BLOCK_LENGTH) {
      const to = Math.min(end, from + BLOCK_LENGTH);
      const aligned = to - ((to - from) % KERNEL_LANES);
      if (aligned > from) scratch.run(arrays, unchanged, from, aligned, pass);
      if (to > aligned) scratch.run(arrays, unchanged, aligned, to, pass);
    }
  } finally {
    scratch.close();
  }
};

/** A memory with its kernels and scratch space for copies. */
class ScratchMemory {
  private readonly kernels: UpdateKernels;
  private readonly buffer: ArrayBufferLike;
  private readonly addresses = new Array<number>(MAX_ARRAYS).fill(0);

  private constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly scratch: number,
  ) {
    this.kernels = kernelsOn(memory);
    this.buffer = memory.buffer;
  }

  static of(buffer: ArrayBufferLike): ScratchMemory {
    const memory = memoryOf(buffer);
    const scratch = memory && borrowScratch(memory);
    if (memory !== undefined && scratch !== undefined) return new ScratchMemory(memory, scratch);
    // A thread runs one pass at a time, so its own memory is always free.
    return new ScratchMemory(ownMemory(), borrowScratch(ownMemory())!);
  }

  run(arrays: readonly Float32Array[], unchanged: number, from: number, to: number, pass: Pass): void {
    const { buffer, addresses, scratch } = this;
    const length = to - from;
    const padded = Math.ceil(length / KERNEL_LANES) * KERNEL_LANES;
    let copies: (Float32Array | undefined)[] | undefined;
    for (let index = 0; index < arrays.length; index++) {
      const array = arrays[index]!;
      if (padded === length && array.buffer === buffer) {
        addresses[index] = array.byteOffset + from * BYTES_PER_ELEMENT;
        continue;
      }
      const copy = new Float32Array(buffer, scratch + index * BLOCK_BYTES, padded);
      copy.set(array.subarray(from, to));
      copy.fill(0, length);
      addresses[index] = copy.byteOffset;
      if (index >= unchanged) (copies ??= [])[index] = copy;
    }
    pass(this.kernels, addresses, padded * BYTES_PER_ELEMENT);
    copies?.forEach((copy, index) => arrays[index]!.set(copy!.subarray(0, length), from));
  }

  close(): void {
    returnScratch(this.memory, this.scratch);
  }
}

const ownMemory = (): WebAssembly.Memory => {
  const pages = Math.ceil(HEAD_BYTES / 2 ** 16);
  return (own ??= new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
};
let own: WebAssembly.Memory | undefined;
