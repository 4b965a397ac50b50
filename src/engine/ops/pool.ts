import { defineMultiOp, ShapeError } from '../graph/define-op.ts';
import { addDims, floorDivDim, formatShape, sizeOf } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { scatterAddFlat } from './gather.ts';
import { reshape } from './reshape.ts';

interface PoolAttrs {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Max pooling of x (B, C, H, W). Of equal maxima in a window the first gets the gradient. */
export const maxPool = (
  x: Tensor,
  kernel: number,
  options: { readonly stride: number; readonly padding: number },
): Tensor => maxPoolOp([x], { kernel, ...options })[0]!;

/** Outputs: the maxima, and their indices into the flattened x. */
const maxPoolOp = defineMultiOp<[x: Tensor], PoolAttrs>({
  name: 'maxPool',
  cheap: false,
  infer([x], { kernel, stride, padding }) {
    if (x.rank !== 4) throw new ShapeError('maxPool', `needs (B, C, H, W), got ${formatShape(x.shape)}`);
    const shape = x.shape.map((dim, axis) => {
      if (axis < 2) return dim;
      const free = addDims(dim, 2 * padding - kernel);
      if (typeof free === 'number' && free < 0)
        throw new ShapeError(
          'maxPool',
          `a window of ${kernel} does not fit ${formatShape(x.shape)} with padding ${padding}`,
        );
      return addDims(floorDivDim(free, stride), 1);
    });
    return [
      { shape, dtype: x.dtype },
      { shape, dtype: 'int64' },
    ];
  },
  emit: (onnx, inputs, { attrs: { kernel, stride, padding } }) =>
    onnx.node(
      'MaxPool',
      inputs,
      { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [padding, padding, padding, padding] },
      { outputs: 2, optionalOutputs: true },
    ),
  vjp([dy], { inputs: [x], outputs: [, indices] }) {
    if (dy === undefined) return [undefined];
    const count = sizeOf(dy.shape);
    return [reshape(scatterAddFlat(sizeOf(x.shape), reshape(indices!, [count]), reshape(dy, [count])), x.shape)];
  },
});
