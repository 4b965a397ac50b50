import { createRequire } from 'node:module';
import { MdetrError, messageOf } from '../../../errors.ts';
import { requireNativeLibrary } from './library-file.ts';
import { apiPlaces, apiTable, apiVersion, type ApiFunction } from './api-table.ts';

/** An address in this process' memory; 0 is none. */
export type Address = bigint;
/** What goes where C wants a pointer: an address, or an array in place. */
export type Pointer = Address | ArrayBufferView | string | null;
export type Argument = Pointer | number;

type NativeFunction = ((...args: readonly Argument[]) => unknown) & {
  async(...args: readonly (Argument | ((error: Error | null, result: unknown) => void))[]): void;
};

/** The part of koffi that is used here; its own types say `any`. */
interface Koffi {
  load(path: string): { func(name: string, result: string, args: readonly string[]): NativeFunction };
  proto(name: null, result: string, args: readonly string[]): unknown;
  readonly decode: { (address: Address, type: unknown): NativeFunction; string(address: Address): string };
  view(address: Address, bytes: number): ArrayBuffer;
  address(array: ArrayBufferView): Address;
  config(settings?: Readonly<Record<string, number>>): Readonly<Record<string, number>>;
}

/** ONNX Runtime optimises graphs by recursion and multiplies matrices in blocks on the stack; koffi's are smaller. */
const stackBytes = 8 * 2 ** 20;

/** ONNX Runtime's shared library, called directly. One for each thread of JavaScript. */
export class OrtLibrary {
  private static opened: OrtLibrary | undefined;
  private readonly functions = new Map<ApiFunction, NativeFunction>();
  /** koffi does not keep what its functions are made of: collected, they crash. */
  private readonly kept: unknown[] = [];
  private readonly out = new BigUint64Array(1);
  private readonly inFlight = new Set<unknown>();

  private constructor(
    private readonly koffi: Koffi,
    path: string,
  ) {
    koffi.config({ ...koffi.config(), async_stack_size: stackBytes, sync_stack_size: stackBytes });
    const library = koffi.load(path);
    const getApiBase = library.func('OrtGetApiBase', 'void *', []);
    const [getApi] = new BigUint64Array(koffi.view(getApiBase() as Address, 8));
    const api = this.decode(getApi!, 'void *', ['uint32_t'])(apiVersion) as Address | null;
    this.kept.push(library, getApiBase);
    if (api === null) throw new Error(`it does not know version ${apiVersion} of its interface`);
    const places = new BigUint64Array(koffi.view(api, apiPlaces * 8));
    for (const [name, [place, declaration]] of Object.entries(apiTable)) {
      const { result, args } = parseDeclaration(declaration);
      this.functions.set(name as ApiFunction, this.decode(places[place]!, result, args));
    }
  }

  private decode(address: Address, result: string, args: readonly string[]): NativeFunction {
    const type = this.koffi.proto(null, result, args);
    this.kept.push(type);
    return this.koffi.decode(address, type);
  }

  /** Throws `MdetrError` where koffi or ONNX Runtime's library are not installed for this system. */
  static open(): OrtLibrary {
    if (this.opened !== undefined) return this.opened;
    try {
      const require = createRequire(import.meta.url);
      return (this.opened = new OrtLibrary(require('koffi') as Koffi, requireNativeLibrary()));
    } catch (error) {
      throw new MdetrError(`ONNX Runtime's library cannot be called directly here: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Calls a function that yields a status. Throws what the status says. */
  call(name: ApiFunction, ...args: readonly Argument[]): void {
    this.check(this.functions.get(name)!(...args));
  }

  /** Calls a function whose last argument is where the result goes, and returns the result. */
  make(name: ApiFunction, ...args: readonly Argument[]): Address {
    this.out[0] = 0n;
    this.call(name, ...args, this.out);
    return this.out[0];
  }

  /** Calls a function without result. */
  release(name: ApiFunction, handle: Address): void {
    this.functions.get(name)!(handle);
  }

  /**
   * As `call`, on another thread. Arrays among the arguments must not be written to until then.
   *
   * @param needed what the addresses among the arguments lead to
   */
  callAsync(needed: unknown, name: ApiFunction, ...args: readonly Argument[]): Promise<void> {
    // koffi keeps addresses alone: arrays that nobody else needs any more would be collected during the call.
    const kept = { needed, args };
    this.inFlight.add(kept);
    return new Promise((resolve, reject) => {
      this.functions.get(name)!.async(...args, (error, status) => {
        this.inFlight.delete(kept);
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

  /** Bytes at an address. They must not be looked at once what stands there is freed. */
  view(address: Address, bytes: number): ArrayBuffer {
    return this.koffi.view(address, bytes);
  }

  /** Where an array begins; it stays there as long as the array is alive. */
  address(array: ArrayBufferView): Address {
    return this.koffi.address(array);
  }

  /** The text at an address, up to its closing zero. */
  text(address: Address): string {
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

/** "void *F(void *a, size_t b)" → the types alone, as koffi wants them. */
const parseDeclaration = (declaration: string): { result: string; args: string[] } => {
  const [, result, parameters] = /^(.*?)\w+\((.*)\)$/.exec(declaration)!;
  return { result: result!.trim(), args: parameters!.split(', ').map((part) => part.replace(/\w+$/, '').trim()) };
};
