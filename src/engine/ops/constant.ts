import { defineOp } from '../graph/define-op.ts';
import { BYTES_PER_ELEMENT, type DType, type HostTensor } from '../graph/dtype.ts';
import { formatShape, type Dim, type Shape } from '../graph/dim.ts';
import { constant, type Tensor } from '../graph/tensor.ts';

const arrayOf = (dtype: DType, values: readonly number[]): HostTensor['data'] => {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'float16':
      throw new Error('internal: programs are traced in float32; export converts them to float16');
    case 'int64':
      return BigInt64Array.from(values.map(BigInt));
    case 'int32':
      return Int32Array.from(values);
    case 'uint32':
      return Uint32Array.from(values);
    case 'int8':
      return Int8Array.from(values);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(values);
  }
};

/** Constant tensor with the given row-major values. */
export const literal = (values: readonly number[], shape: readonly number[], dtype: DType = 'float32'): Tensor =>
  constant({ dtype, shape, data: arrayOf(dtype, values) } as HostTensor);

/** Constant scalar (rank 0). */
export const scalar = (value: number, dtype: DType = 'float32'): Tensor => literal([value], [], dtype);

/** Value of a size at run time, as an int64 scalar. */
export const dimValue = (dim: Dim): Tensor =>
  typeof dim === 'number' ? scalar(dim, 'int64') : dimValueOp([], { dim });

const dimValueOp = defineOp<[], { readonly dim: Dim }>({
  name: 'dimValue',
  cheap: true,
  infer: () => ({ shape: [], dtype: 'int64' }),
  emit: (onnx, _inputs, { attrs }) => [onnx.dim(attrs.dim)],
  vjp: 'none',
});

/** Tensor filled with one value. */
export const fill = (value: number, shape: Shape, dtype: DType = 'float32'): Tensor =>
  fillOp([], { value, shape, dtype });

/** Zeros of the shape and type of a tensor. */
export const zerosLike = (tensor: Tensor): Tensor => fill(0, tensor.shape, tensor.dtype);

const fillOp = defineOp<[], { readonly value: number; readonly shape: Shape; readonly dtype: DType }>({
  name: 'fill',
  cheap: true,
  infer(_inputs, { shape, dtype }) {
    if (BYTES_PER_ELEMENT[dtype] === 0) throw new Error(`internal: fill ${formatShape(shape)}`);
    return { shape, dtype };
  },
  emit: (onnx, _inputs, { attrs }) =>
    onnx.node('Expand', [onnx.scalar(attrs.value, attrs.dtype), onnx.dims(attrs.shape)]),
  vjp: 'none',
});

/** Integers 0, 1, …, size − 1. */
export const iota = (size: Dim, dtype: 'int64' | 'int32' | 'float32' = 'int64'): Tensor => iotaOp([], { size, dtype });

const iotaOp = defineOp<[], { readonly size: Dim; readonly dtype: 'int64' | 'int32' | 'float32' }>({
  name: 'iota',
  cheap: true,
  infer: (_inputs, { size, dtype }) => ({ shape: [size], dtype }),
  emit(onnx, _inputs, { attrs: { size, dtype } }) {
    const range = onnx.node('Range', [onnx.scalar(0, 'int64'), onnx.dim(size), onnx.scalar(1, 'int64')]);
    return dtype === 'int64' ? range : onnx.node('Cast', range, { to: { dtype } });
  },
  vjp: 'none',
});
