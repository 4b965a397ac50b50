import { MdetrError, messageOf } from '../../../errors.ts';
import { bytesPerElement, hostTensorAt, type DType, type HostTensor } from '../../graph/dtype.ts';
import type { Program, ProgramInput } from '../../graph/program.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { onnxDataType } from '../../onnx/index.ts';
import { HostValue, hostOf } from '../host-value.ts';
import { checkFeeds, knownSize, type DeviceTensor, type Session, type SizeBindings, type Values } from '../runtime.ts';
import type { Address, OrtLibrary } from './library.ts';
import type { Block, SharedArena } from './shared-arena.ts';

/** Where a result is to be written, and what gives that memory back. */
interface Place {
  readonly tensor: HostTensor;
  readonly block?: Block;
}

type Allocate = (dtype: DType, shape: readonly number[]) => Place;

const deviceAllocator = 0;
const defaultMemory = 0;

/** A loaded program. Inputs are read and results written in place, by addresses. */
export class NativeSession implements Session {
  private readonly inputNames: readonly string[];
  private readonly outputs: readonly (readonly [name: string, tensor: Tensor])[];
  private readonly inputTexts: CTexts;
  private readonly outputTexts: CTexts;
  private readonly memoryInfo: Address;
  private readonly running = new Set<Promise<unknown>>();
  private handle: Address | undefined;

  constructor(
    readonly program: Program,
    private readonly inputs: readonly ProgramInput[],
    private readonly library: OrtLibrary,
    handle: Address,
    private readonly arena: SharedArena,
    private readonly modes: { readonly isProfiled: boolean; readonly isBlocking: boolean },
    private readonly afterDispose: () => Promise<void>,
  ) {
    this.handle = handle;
    this.memoryInfo = library.make('createCpuMemoryInfo', deviceAllocator, defaultMemory);
    // Inputs that only carry sizes may have been optimised away in the session; it refuses to be given them.
    this.inputNames = inputNamesOf(library, handle);
    this.outputs = Object.entries(program.outputs);
    this.inputTexts = new CTexts(library, this.inputNames);
    this.outputTexts = new CTexts(
      library,
      this.outputs.map(([name]) => name),
    );
  }

  async run(feeds: Values): Promise<Record<string, HostTensor>> {
    const places = await this.execute(feeds, (dtype, shape) => ({
      tensor: hostTensorAt(dtype, shape, new ArrayBuffer(byteLengthOf(dtype, shape))),
    }));
    return Object.fromEntries(this.outputs.map(([name], index) => [name, places[index]!.tensor]));
  }

  async compute(feeds: Values): Promise<Record<string, DeviceTensor>> {
    const { arena } = this;
    const places = await this.execute(feeds, (dtype, shape) => {
      const block = arena.take(byteLengthOf(dtype, shape));
      return { tensor: hostTensorAt(dtype, shape, block.buffer, block.offset), block };
    });
    return Object.fromEntries(
      this.outputs.map(([name], index) => {
        const { tensor, block } = places[index]!;
        return [name, new HostValue(tensor, () => block !== undefined && arena.give(block))];
      }),
    );
  }

  async dispose(): Promise<void> {
    const { handle, library } = this;
    if (handle === undefined) return;
    this.handle = undefined;
    await Promise.allSettled(this.running);
    if (this.modes.isProfiled) {
      const allocator = library.make('getAllocatorWithDefaultOptions');
      library.call('allocatorFree', allocator, library.make('sessionEndProfiling', handle, allocator));
    }
    library.release('releaseSession', handle);
    library.release('releaseMemoryInfo', this.memoryInfo);
    await this.afterDispose();
  }

  private async execute(feeds: Values, allocate: Allocate): Promise<readonly Place[]> {
    if (this.handle === undefined) throw new MdetrError(`program "${this.program.name}" was disposed`);
    const sizes = checkFeeds(this.program, feeds, this.inputs);
    const given = this.inputNames.map((name) => hostOf(name, feeds[name]!));
    const places = this.outputs.map(([, tensor]) => placeFor(tensor, sizes, allocate));
    const running = this.runOn(this.handle, given, places, allocate);
    this.running.add(running);
    try {
      return await running;
    } catch (error) {
      for (const place of places) if (place?.block !== undefined) this.arena.give(place.block);
      throw new MdetrError(`program "${this.program.name}" failed: ${messageOf(error)}`, { cause: error });
    } finally {
      this.running.delete(running);
    }
  }

  private async runOn(
    session: Address,
    given: readonly HostTensor[],
    places: readonly (Place | undefined)[],
    allocate: Allocate,
  ): Promise<readonly Place[]> {
    const { library, inputTexts, outputTexts } = this;
    const inputs = new BigUint64Array(Math.max(1, given.length));
    const outputs = new BigUint64Array(Math.max(1, places.length));
    try {
      given.forEach((tensor, index) => (inputs[index] = this.wrap(tensor)));
      places.forEach((place, index) => (outputs[index] = place === undefined ? 0n : this.wrap(place.tensor)));
      const args = [
        session,
        null,
        inputTexts.addresses,
        inputs,
        given.length,
        outputTexts.addresses,
        places.length,
        outputs,
      ] as const;
      if (this.modes.isBlocking) library.call('run', ...args);
      else await library.callAsync({ given, places }, 'run', ...args);
      return places.map(
        (place, index) => place ?? this.copyOut(outputs[index]!, this.outputs[index]![1].dtype, allocate),
      );
    } finally {
      for (const value of [...inputs, ...outputs]) if (value !== 0n) library.release('releaseValue', value);
    }
  }

  /** Makes ONNX Runtime's handle for an array, which goes on belonging to the host. */
  private wrap({ dtype, shape, data }: HostTensor): Address {
    const sizes = BigInt64Array.from(shape, BigInt);
    return this.library.make(
      'createTensorWithDataAsOrtValue',
      this.memoryInfo,
      data.byteLength === 0 ? nothing : data,
      data.byteLength,
      sizes,
      sizes.length,
      onnxDataType[dtype],
    );
  }

  /** A result whose sizes only the run has shown: it stands in ONNX Runtime's memory. */
  private copyOut(value: Address, dtype: DType, allocate: Allocate): Place {
    const { library } = this;
    const info = library.make('getTensorTypeAndShape', value);
    try {
      const sizes = new BigInt64Array(Number(library.make('getDimensionsCount', info)));
      library.call('getDimensions', info, sizes, sizes.length);
      const place = allocate(dtype, Array.from(sizes, Number));
      const { data } = place.tensor;
      if (data.byteLength > 0) {
        const source = library.view(library.make('getTensorMutableData', value), data.byteLength);
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(new Uint8Array(source));
      }
      return place;
    } finally {
      library.release('releaseTensorTypeAndShapeInfo', info);
    }
  }
}

/** What an empty tensor points to. */
const nothing = new Uint8Array(new ArrayBuffer(64));

const byteLengthOf = (dtype: DType, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, bytesPerElement[dtype]);

/** Memory for a result, if the inputs tell its sizes. */
const placeFor = ({ dtype, shape }: Tensor, sizes: SizeBindings, allocate: Allocate): Place | undefined => {
  const known = shape.map((dim) => knownSize(dim, sizes));
  return known.every((size) => size !== undefined) ? allocate(dtype, known) : undefined;
};

const inputNamesOf = (library: OrtLibrary, session: Address): string[] => {
  const allocator = library.make('getAllocatorWithDefaultOptions');
  return Array.from({ length: Number(library.make('sessionGetInputCount', session)) }, (_, index) => {
    const address = library.make('sessionGetInputName', session, index, allocator);
    const name = library.text(address);
    library.call('allocatorFree', allocator, address);
    return name;
  });
};

/** Texts as C has them: an array of addresses of what ends with a zero. */
class CTexts {
  readonly addresses: BigUint64Array;
  private readonly bytes: Uint8Array;

  constructor(library: OrtLibrary, texts: readonly string[]) {
    const encoded = texts.map((text) => Buffer.from(`${text}\0`, 'utf8'));
    const length = encoded.reduce((sum, { byteLength }) => sum + byteLength, 0);
    // A buffer of its own: small typed arrays may be moved.
    this.bytes = new Uint8Array(new ArrayBuffer(length + 1));
    this.addresses = new BigUint64Array(new ArrayBuffer((texts.length + 1) * 8));
    const start = library.address(this.bytes);
    let offset = 0;
    encoded.forEach((text, index) => {
      this.bytes.set(text, offset);
      this.addresses[index] = start + BigInt(offset);
      offset += text.byteLength;
    });
  }
}
