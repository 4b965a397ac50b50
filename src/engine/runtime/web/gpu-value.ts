import type * as Ort from 'onnxruntime-web';
import { MdetrError } from '../../../errors.ts';
import type { DType, HostTensor } from '../../graph/dtype.ts';
import type { DeviceTensor } from '../runtime.ts';

/** Value in a buffer of the GPU. It is fed to other programs only: the binding cannot read it back. */
export class GpuValue implements DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  private tensor: Ort.Tensor | undefined;

  constructor(tensor: Ort.Tensor) {
    this.tensor = tensor;
    this.dtype = tensor.type as DType;
    this.shape = tensor.dims;
  }

  /** The value as an input of a session. @throws {MdetrError} after `release` */
  get onDevice(): Ort.Tensor {
    if (this.tensor === undefined)
      throw new MdetrError(`a value ${this.dtype}[${this.shape.join(', ')}] is used after its release`);
    return this.tensor;
  }

  read(): Promise<HostTensor> {
    return Promise.reject(new MdetrError('internal: an output that was loaded to stay on the device is read'));
  }

  release(): void {
    this.tensor?.dispose();
    this.tensor = undefined;
  }
}
