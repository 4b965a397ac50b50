import { MdetrError, messageOf } from '../../../errors.ts';
import { BYTES_PER_ELEMENT, hostTensorAt, type DType, type HostTensor } from '../../graph/dtype.ts';
import type { SymbolicDim } from '../../graph/dim.ts';
import type { Program, ProgramInput } from '../../graph/program.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { ONNX_DATA_TYPES } from '../../onnx/index.ts';
import { HostValue, hostOf } from '../host-value.ts';
import { FeedCheck, knownSize } from '../feeds.ts';
import type { DeviceTensor, Session, Values } from '../runtime.ts';
import { KeptValues } from './kept-values.ts';
import type { Address, OrtLibrary } from './library.ts';
import type { Block, SharedArena } from './shared-arena.ts';
import { SpareBuffers } from '../spare-buffers.ts';

/** Memory of an output, and the arena block that it occupies. */
interface OutputBuffer {
  readonly tensor: HostTensor;
  readonly block?: Block;
}

type Allocate = (dtype: DType, shape: readonly number[]) => OutputBuffer;

/** `OrtDeviceAllocator` of the C API. */
const DEVICE_ALLOCATOR = 0;
/** `OrtMemTypeDefault` of the C API. */
const DEFAULT_MEMORY_TYPE = 0;

/** Session that reads inputs and writes outputs in place, by address. */
export class NativeSession implements Session {
  private readonly inputNames: readonly string[];
  private readonly outputs: readonly (readonly [name: string, tensor: Tensor])[];
  private readonly feedCheck: FeedCheck;
  /** Symbolic sizes of all outputs by their key; outputs share most of them. */
  private readonly outputDims: ReadonlyMap<string, SymbolicDim>;
  private readonly inputStrings: CStrings;
  private readonly outputStrings: CStrings;
  private readonly memoryInfo: Address;
  private readonly running = new Set<Promise<unknown>>();
  private readonly spare: SpareBuffers;
  private readonly kept: KeptValues;
  private handle: Address | undefined;

  constructor(
    readonly program: Program,
    inputs: readonly ProgramInput[],
    private readonly library: OrtLibrary,
    handle: Address,
    private readonly arena: SharedArena,
    private readonly modes: { readonly isProfiled: boolean; readonly isBlocking: boolean },
    private readonly afterDispose: () => void,
  ) {
    this.handle = handle;
    this.memoryInfo = library.make('createCpuMemoryInfo', DEVICE_ALLOCATOR, DEFAULT_MEMORY_TYPE);
    // Inputs that only carry shapes may have been optimized away; the session rejects them.
    this.inputNames = inputNamesOf(library, handle);
    this.outputs = Object.entries(program.outputs);
    this.feedCheck = new FeedCheck(program, inputs);
    const dims = this.outputs.flatMap(([, { shape }]) => shape.filter((dim) => typeof dim !== 'number'));
    this.outputDims = new Map(dims.map((dim) => [dim.key, dim]));
    this.spare = new SpareBuffers(2 * this.outputs.length);
    this.kept = new KeptValues(
      program,
      (tensor) => this.wrap(tensor),
      (value) => library.release('releaseValue', value),
    );
    this.inputStrings = new CStrings(library, this.inputNames);
    this.outputStrings = new CStrings(
      library,
      this.outputs.map(([name]) => name),
    );
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    const buffers = await this.execute(feeds, (dtype, shape) => ({
      tensor: hostTensorAt(dtype, shape, this.spare.take(byteLengthOf(dtype, shape))),
    }));
    return Object.fromEntries(this.outputs.map(([name], index) => [name, buffers[index]!.tensor]));
  }

  recycle(results: Readonly<Record<string, HostTensor | undefined>>): void {
    for (const tensor of Object.values(results)) if (tensor !== undefined) this.spare.give(tensor.data);
  }

  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const { arena } = this;
    const buffers = await this.execute(feeds, (dtype, shape) => {
      const block = arena.allocate(byteLengthOf(dtype, shape));
      return { tensor: hostTensorAt(dtype, shape, block.buffer, block.offset), block };
    });
    return Object.fromEntries(
      this.outputs.map(([name], index) => {
        const { tensor, block } = buffers[index]!;
        return [name, new HostValue(tensor, () => block !== undefined && arena.release(block))];
      }),
    );
  }

  async dispose(): Promise<void> {
    const { handle, library } = this;
    if (handle === undefined) return;
    this.handle = undefined;
    await Promise.allSettled(this.running);
    this.kept.clear();
    if (this.modes.isProfiled) {
      const allocator = library.make('getAllocatorWithDefaultOptions');
      library.call('allocatorFree', allocator, library.make('sessionEndProfiling', handle, allocator));
    }
    library.release('releaseSession', handle);
    library.release('releaseMemoryInfo', this.memoryInfo);
    this.afterDispose();
  }

  private async execute(feeds: Values, allocate: Allocate): Promise<readonly OutputBuffer[]> {
    if (this.handle === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    const inputSizes = this.feedCheck.sizesOf(feeds);
    const sizes = new Map(Array.from(this.outputDims, ([key, dim]) => [key, knownSize(dim, inputSizes)]));
    const given = this.inputNames.map((name) => hostOf(name, feeds[name]!));
    const buffers = this.outputs.map(([, tensor]) => outputBufferFor(tensor, sizes, allocate));
    const running = this.runOn(this.handle, given, buffers, allocate);
    this.running.add(running);
    try {
      return await running;
    } catch (error) {
      for (const buffer of buffers) if (buffer?.block !== undefined) this.arena.release(buffer.block);
      throw new MdetrError(`program "${this.program.name}" failed: ${messageOf(error)}`, { cause: error });
    } finally {
      this.running.delete(running);
    }
  }

  private async runOn(
    session: Address,
    given: readonly HostTensor[],
    buffers: readonly (OutputBuffer | undefined)[],
    allocate: Allocate,
  ): Promise<readonly OutputBuffer[]> {
    const { library, inputStrings: inputNameStrings, outputStrings: outputNameStrings } = this;
    const inputs = new BigUint64Array(Math.max(1, given.length));
    const outputs = new BigUint64Array(Math.max(1, buffers.length));
    const own: Address[] = [];
    const wrapped = (tensor: HostTensor): Address => {
      const value = this.wrap(tensor);
      own.push(value);
      return value;
    };
    try {
      const isRunning = this.running.size > 0;
      given.forEach((tensor, index) => {
        inputs[index] = this.kept.of(this.inputNames[index]!, tensor, isRunning) ?? wrapped(tensor);
      });
      buffers.forEach((buffer, index) => (outputs[index] = buffer === undefined ? 0n : wrapped(buffer.tensor)));
      const args = [
        session,
        null,
        inputNameStrings.addresses,
        inputs,
        given.length,
        outputNameStrings.addresses,
        buffers.length,
        outputs,
      ] as const;
      if (this.modes.isBlocking) library.call('run', ...args);
      else await library.callAsync({ given, buffers }, 'run', ...args);
      return buffers.map(
        (buffer, index) => buffer ?? this.copyOut(outputs[index]!, this.outputs[index]![1].dtype, allocate),
      );
    } finally {
      const allocated = outputs.filter((value, index) => buffers[index] === undefined && value !== 0n);
      for (const value of [...own, ...allocated]) library.release('releaseValue', value);
    }
  }

  /** Creates an `OrtValue` for an array; the memory stays owned by the host. */
  private wrap({ dtype, shape, data }: HostTensor): Address {
    const sizes = BigInt64Array.from(shape, BigInt);
    return this.library.make(
      'createTensorWithDataAsOrtValue',
      this.memoryInfo,
      data.byteLength === 0 ? EMPTY_DATA : data,
      data.byteLength,
      sizes,
      sizes.length,
      ONNX_DATA_TYPES[dtype],
    );
  }

  /** Copies an output of data-dependent shape, which ONNX Runtime has allocated. */
  private copyOut(value: Address, dtype: DType, allocate: Allocate): OutputBuffer {
    const { library } = this;
    const info = library.make('getTensorTypeAndShape', value);
    try {
      const sizes = new BigInt64Array(Number(library.make('getDimensionsCount', info)));
      library.call('getDimensions', info, sizes, sizes.length);
      const buffer = allocate(dtype, Array.from(sizes, Number));
      const { data } = buffer.tensor;
      if (data.byteLength > 0) {
        const source = library.view(library.make('getTensorMutableData', value), data.byteLength);
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(new Uint8Array(source));
      }
      return buffer;
    } finally {
      library.release('releaseTensorTypeAndShapeInfo', info);
    }
  }
}

/** Memory that empty tensors point to. */
const EMPTY_DATA = new Uint8Array(new ArrayBuffer(64));

const byteLengthOf = (dtype: DType, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, BYTES_PER_ELEMENT[dtype]);

/**
 * Memory for an output; undefined if its shape does not follow from the inputs.
 *
 * @param sizes values of its symbolic sizes by key; undefined for those that do not follow from the inputs
 */
const outputBufferFor = (
  { dtype, shape }: Tensor,
  sizes: ReadonlyMap<string, number | undefined>,
  allocate: Allocate,
): OutputBuffer | undefined => {
  const known = shape.map((dim) => (typeof dim === 'number' ? dim : sizes.get(dim.key)));
  return known.every((size) => size !== undefined) ? allocate(dtype, known) : undefined;
};

const inputNamesOf = (library: OrtLibrary, session: Address): string[] => {
  const allocator = library.make('getAllocatorWithDefaultOptions');
  return Array.from({ length: Number(library.make('sessionGetInputCount', session)) }, (_, index) => {
    const address = library.make('sessionGetInputName', session, index, allocator);
    const name = library.stringAt(address);
    library.call('allocatorFree', allocator, address);
    return name;
  });
};

/** Array of C strings: addresses of null-terminated UTF-8 bytes. */
class CStrings {
  readonly addresses: BigUint64Array;
  private readonly bytes: Uint8Array;

  constructor(library: OrtLibrary, strings: readonly string[]) {
    const encoded = strings.map((string) => Buffer.from(`${string}\0`, 'utf8'));
    const length = encoded.reduce((sum, { byteLength }) => sum + byteLength, 0);
    // Backed by an ArrayBuffer: V8 may move small typed arrays.
    this.bytes = new Uint8Array(new ArrayBuffer(length + 1));
    this.addresses = new BigUint64Array(new ArrayBuffer((strings.length + 1) * 8));
    const start = library.address(this.bytes);
    let offset = 0;
    encoded.forEach((string, index) => {
      this.bytes.set(string, offset);
      this.addresses[index] = start + BigInt(offset);
      offset += string.byteLength;
    });
  }
}
