import { koffiPackage } from '../../../files/native-calls.ts';
import { MdetrError, messageOf } from '../../../errors.ts';
import { disableTelemetry } from '../node/telemetry.ts';
import { requireNativeLibrary } from './library-file.ts';
import { API_SLOTS, API_TABLE, API_VERSION, type ApiFunction } from './api-table.ts';

/** Address in this process's memory; 0 is the null pointer. */
export type Address = bigint;
/** Argument of a C pointer type: an address, or an array in place. */
export type Pointer = Address | ArrayBufferView | string | null;
/** Argument of a C function. */
export type Argument = Pointer | number;

type NativeFunction = ((...args: readonly Argument[]) => unknown) & {
  async(...args: readonly (Argument | ((error: Error | null, result: unknown) => void))[]): void;
};

/** Subset of koffi's interface, whose own types use `any`. */
interface Koffi {
  load(path: string): { func(name: string, result: string, args: readonly string[]): NativeFunction };
  proto(name: null, result: string, args: readonly string[]): unknown;
  readonly decode: { (address: Address, type: unknown): NativeFunction; string(address: Address): string };
  view(address: Address, bytes: number): ArrayBuffer;
  address(array: ArrayBufferView): Address;
}

/** ONNX Runtime's shared library, called through its C API. There is one instance per JavaScript thread. */
export class OrtLibrary {
  private static opened: OrtLibrary | undefined;
  private readonly functions = new Map<ApiFunction, NativeFunction>();
  /** Objects that koffi's functions need but do not reference; calls crash once they are garbage-collected. */
  private readonly keptAlive: unknown[] = [];
  private readonly out = new BigUint64Array(1);
  private readonly inFlight = new Set<unknown>();

  private constructor(
    private readonly koffi: Koffi,
    readonly path: string,
  ) {
    const library = koffi.load(path);
    const getApiBase = library.func('OrtGetApiBase', 'void *', []);
    const [getApi] = new BigUint64Array(koffi.view(getApiBase() as Address, 8));
    const api = this.decode(getApi!, 'void *', ['uint32_t'])(API_VERSION) as Address | null;
    this.keptAlive.push(library, getApiBase);
    if (api === null) throw new Error(`it does not support version ${API_VERSION} of the C API`);
    const slots = new BigUint64Array(koffi.view(api, API_SLOTS * 8));
    for (const [name, [slot, declaration]] of Object.entries(API_TABLE)) {
      const { result, args } = parseDeclaration(declaration);
      this.functions.set(name as ApiFunction, this.decode(slots[slot]!, result, args));
    }
  }

  private decode(address: Address, result: string, args: readonly string[]): NativeFunction {
    const type = this.koffi.proto(null, result, args);
    this.keptAlive.push(type);
    return this.koffi.decode(address, type);
  }

  /** Opens the library. @throws {MdetrError} if koffi or ONNX Runtime's library is not installed for this system */
  static open(): OrtLibrary {
    if (this.opened !== undefined) return this.opened;
    disableTelemetry();
    try {
      return (this.opened = new OrtLibrary(koffiPackage() as Koffi, requireNativeLibrary()));
    } catch (error) {
      throw new MdetrError(`ONNX Runtime's library cannot be called directly here: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Calls a function that returns a status. @throws {Error} with the message of a failed status */
  call(name: ApiFunction, ...args: readonly Argument[]): void {
    this.check(this.functions.get(name)!(...args));
  }

  /** Calls a function that writes its result to its last argument, and returns that result. */
  make(name: ApiFunction, ...args: readonly Argument[]): Address {
    this.out[0] = 0n;
    this.call(name, ...args, this.out);
    return this.out[0];
  }

  /** Calls a function that releases a handle. */
  release(name: ApiFunction, handle: Address): void {
    this.functions.get(name)!(handle);
  }

  /**
   * Asynchronous variant of `call`, on another thread. Arrays among the arguments must not be written to until it settles.
   *
   * @param referenced objects that the addresses among the arguments point into, kept alive during the call
   */
  callAsync(referenced: unknown, name: ApiFunction, ...args: readonly Argument[]): Promise<void> {
    // koffi only holds addresses: otherwise unreferenced arrays could be garbage-collected during the call.
    const keptAlive = { referenced, args };
    this.inFlight.add(keptAlive);
    return new Promise((resolve, reject) => {
      this.functions.get(name)!.async(...args, (error, status) => {
        this.inFlight.delete(keptAlive);
        try {
          if (error !== null) throw error;
          this.check(status);
          resolve();
        } catch (failure) {
          reject(failure instanceof Error ? failure : new Error(messageOf(failure)));
        }
      });
    });
  }

  /** View of the bytes at an address. It must not be used after that memory was freed. */
  view(address: Address, bytes: number): ArrayBuffer {
    return this.koffi.view(address, bytes);
  }

  /** Address of an array, valid as long as the array is alive. */
  address(array: ArrayBufferView): Address {
    return this.koffi.address(array);
  }

  /** The null-terminated string at an address. */
  stringAt(address: Address): string {
    return this.koffi.decode.string(address);
  }

  private check(status: unknown): void {
    if (status === null) return;
    const handle = status as Address;
    const message = this.functions.get('getErrorMessage')!(handle) as string;
    this.functions.get('releaseStatus')!(handle);
    throw new Error(message);
  }
}

/** Types of a C declaration: "void *F(void *a, size_t b)" -> result "void *", args ["void *", "size_t"]. */
const parseDeclaration = (declaration: string): { result: string; args: string[] } => {
  const [, result, parameters] = /^(.*?)\w+\((.*)\)$/.exec(declaration)!;
  return { result: result!.trim(), args: parameters!.split(', ').map((part) => part.replace(/\w+$/, '').trim()) };
};
