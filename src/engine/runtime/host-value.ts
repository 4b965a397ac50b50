import { MdetrError } from '../../errors.ts';
import type { DType, HostTensor } from '../graph/dtype.ts';
import type { DeviceTensor } from './runtime.ts';

/** Device value in host memory, which is read without a copy. */
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

  /** The value. @throws {MdetrError} after `release` */
  get host(): HostTensor {
    if (this.tensor === undefined)
      throw new MdetrError(`a value ${this.dtype}[${this.shape.join(', ')}] is used after its release`);
    return this.tensor;
  }

  // Async, so that a released value rejects the promise instead of throwing.
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

/** Host tensor of a fed value, without a copy. @throws {MdetrError} if another runtime holds the value, or it was released */
export const hostOf = (name: string, value: HostTensor | DeviceTensor): HostTensor => {
  if ('data' in value) return value;
  if (value instanceof HostValue) return value.host;
  throw new MdetrError(`input "${name}" is a value of another runtime; feed what its read() gives`);
};
