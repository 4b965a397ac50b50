import { leafName, type Program } from '../../graph/program.ts';
import type { HostTensor } from '../../graph/dtype.ts';
import type { Address } from './library.ts';

/**
 * `OrtValue`s of the parameters that a session is fed. A training feeds the same hundreds of arrays in every step, of which only
 * the contents change: making and releasing their values takes milliseconds.
 */
export class KeptValues {
  private readonly names: ReadonlySet<string>;
  private readonly kept = new Map<string, { readonly tensor: HostTensor; readonly value: Address }>();

  constructor(
    { parameters }: Program,
    private readonly make: (tensor: HostTensor) => Address,
    private readonly release: (value: Address) => void,
  ) {
    this.names = new Set(parameters.map(leafName));
  }

  /**
   * Value of an input, which stays valid until no run is in progress; undefined for an input whose value is not kept.
   *
   * @param isRunning whether a run is in progress, which may read the values that are kept
   */
  of(name: string, tensor: HostTensor, isRunning: boolean): Address | undefined {
    const known = this.kept.get(name);
    if (known?.tensor === tensor) return known.value;
    // Only shared memory is sure to stay where it is.
    const isKept = this.names.has(name) && tensor.data.buffer instanceof SharedArrayBuffer;
    if (!isKept || (known !== undefined && isRunning)) return undefined;
    if (known !== undefined) this.release(known.value);
    this.kept.delete(name); // in case that making the new value fails
    const value = this.make(tensor);
    this.kept.set(name, { tensor, value });
    return value;
  }

  /** Releases all values. */
  clear(): void {
    for (const { value } of this.kept.values()) this.release(value);
    this.kept.clear();
  }
}
