import { MdetrError } from '../../errors.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import type { DeviceTensor } from './runtime.ts';

/** A value of a device whose memory is the host's: reading it costs nothing. */
export class HostValue implements DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  private tensor: HostTensor | undefined;

  constructor(
    tensor: HostTensor,
    private readonly onRelease: () => void = () => undefined,
  ) {
    this.tensor = tensor;
    this.dtype = tensor.dtype;
    this.shape = tensor.shape;
  }

  get host(): HostTensor {
    if (this.tensor === undefined)
      throw new MdetrError(`a value ${this.dtype}[${this.shape.join(', ')}] is used after its release`);
    return this.tensor;
  }

  // A rejection, not an exception, for whoever handles the promise.
  // eslint-disable-next-line @typescript-eslint/require-await
  async read(): Promise<HostTensor> {
    return this.host;
  }

  release(): void {
    if (this.tensor === undefined) return;
    this.tensor = undefined;
    this.onRelease();
  }
}

/** The numbers of a value to feed, in place. Throws `MdetrError` for one that another device holds. */
export const hostOf = (name: string, value: HostTensor | DeviceTensor): HostTensor => {
  if ('data' in value) return value;
  if (value instanceof HostValue) return value.host;
  throw new MdetrError(`input "${name}" is a value of another runtime; feed what its read() gives`);
};
