import { borrowScratch, HEAD_BYTES, memoryOf, returnScratch, SCRATCH_BYTES } from '../../threads/shared-memory.ts';
import { kernelLanes, kernelsOn, type UpdateKernels } from './update-kernels.ts';

/** Work on a block: `places` are the addresses of the arrays' elements in the memory of the kernels. */
export type Pass = (kernels: UpdateKernels, places: readonly number[], bytes: number) => void;

const mostArrays = 5;
const bytesPerElement = Float32Array.BYTES_PER_ELEMENT;
const blockBytes = SCRATCH_BYTES / mostArrays;
/** Elements of a block: what is copied stays in the cache. */
const blockLength = blockBytes / bytesPerElement;

/**
 * Runs a pass over elements `start` to `end` of arrays, block by block. Kernels see one memory, that of the last array.
 * What stands there is worked on in place; what stands elsewhere is copied there, and back; so is what does not fill the
 * kernels' lanes. The numbers are the same either way.
 *
 * @param unchanged so many arrays, the first ones, are not copied back
 */
export const inBlocks = (
  arrays: readonly Float32Array[],
  unchanged: number,
  start: number,
  end: number,
  pass: Pass,
): void => {
  const bench = Workbench.of(arrays.at(-1)!.buffer);
  try {
    for (let from = start; from < end; from += blockLength) {
      const to = Math.min(end, from + blockLength);
      const whole = to - ((to - from) % kernelLanes);
      if (whole > from) bench.run(arrays, unchanged, from, whole, pass);
      if (to > whole) bench.run(arrays, unchanged, whole, to, pass);
    }
  } finally {
    bench.close();
  }
};

/** A memory, its kernels, and a place in it for copies. */
class Workbench {
  private readonly kernels: UpdateKernels;
  private readonly buffer: ArrayBufferLike;
  private readonly places = new Array<number>(mostArrays).fill(0);

  private constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly scratch: number,
  ) {
    this.kernels = kernelsOn(memory);
    this.buffer = memory.buffer;
  }

  static of(buffer: ArrayBufferLike): Workbench {
    const memory = memoryOf(buffer);
    const scratch = memory && borrowScratch(memory);
    if (memory !== undefined && scratch !== undefined) return new Workbench(memory, scratch);
    // A thread works on one thing at a time, so that its own memory is always free.
    return new Workbench(ownMemory(), borrowScratch(ownMemory())!);
  }

  run(arrays: readonly Float32Array[], unchanged: number, from: number, to: number, pass: Pass): void {
    const { buffer, places, scratch } = this;
    const length = to - from;
    const padded = Math.ceil(length / kernelLanes) * kernelLanes;
    let copies: (Float32Array | undefined)[] | undefined;
    for (let index = 0; index < arrays.length; index++) {
      const array = arrays[index]!;
      if (padded === length && array.buffer === buffer) {
        places[index] = array.byteOffset + from * bytesPerElement;
        continue;
      }
      const copy = new Float32Array(buffer, scratch + index * blockBytes, padded);
      copy.set(array.subarray(from, to));
      copy.fill(0, length);
      places[index] = copy.byteOffset;
      if (index >= unchanged) (copies ??= [])[index] = copy;
    }
    pass(this.kernels, places, padded * bytesPerElement);
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
