import { defineMultiOp, defineOp, ShapeError } from '../graph/define-op.ts';
import {
  addDims,
  dimKey,
  dimsEqual,
  formatShape,
  mulDims,
  scaleDim,
  shapesEqual,
  sizeOf,
  subDims,
  type Dim,
  type Shape,
} from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { fill } from './constant.ts';

/** The same values under other sizes; the number of elements must provably stay. */
export const reshape = (x: Tensor, shape: Shape): Tensor =>
  shapesEqual(x.shape, shape) ? x : reshapeOp([x], { shape });

const reshapeOp = defineOp<[x: Tensor], { readonly shape: Shape }>({
  name: 'reshape',
  cheap: true,
  infer([x], { shape }) {
    if (!dimsEqual(sizeOf(x.shape), sizeOf(shape)))
      throw new ShapeError('reshape', `${formatShape(x.shape)} has not the size of ${formatShape(shape)}`);
    return { shape, dtype: x.dtype };
  },
  emit(onnx, [x], { inputs: [tensor], attrs: { shape } }) {
    // ONNX: 0 copies the operand's size at the same axis, one −1 is found out; both keep the shape a constant.
    const codes = shape.map((dim, axis) =>
      typeof dim === 'number' ? dim : axis < tensor.rank && dimsEqual(dim, tensor.shape[axis]!) ? 0 : -1,
    );
    // Beside a size that may turn out to be 0 nothing can be found out.
    const found = codes.filter((code) => code === -1).length;
    const isConstant = !shape.includes(0) && (found === 0 || (found === 1 && !codes.includes(0)));
    return isConstant
      ? onnx.node('Reshape', [x!, onnx.int64s(codes)])
      : onnx.node('Reshape', [x!, onnx.dims(shape)], { allowzero: 1 });
  },
  vjp: (dy, { inputs: [x] }) => [reshape(dy, x.shape)],
});

/** Joins the axes from `first` to `last` (included) into one. */
export const mergeAxes = (x: Tensor, first: number, last: number): Tensor => {
  const from = normalizeAxis('mergeAxes', first, x.rank);
  const to = normalizeAxis('mergeAxes', last, x.rank);
  if (to < from)
    throw new ShapeError('mergeAxes', `axis ${last} stands before axis ${first} of ${formatShape(x.shape)}`);
  return reshape(x, [...x.shape.slice(0, from), mulDims(...x.shape.slice(from, to + 1)), ...x.shape.slice(to + 1)]);
};

/** Cuts one axis into several. */
export const splitAxis = (x: Tensor, axis: number, sizes: Shape): Tensor => {
  const at = normalizeAxis('splitAxis', axis, x.rank);
  return reshape(x, [...x.shape.slice(0, at), ...sizes, ...x.shape.slice(at + 1)]);
};

/** Inserts an axis of size 1 before `axis` (−1: after the last). */
export const unsqueeze = (x: Tensor, axis: number): Tensor => {
  const at = normalizeAxis('unsqueeze', axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
};

/** Removes an axis of size 1. */
export const squeeze = (x: Tensor, axis: number): Tensor => {
  const at = normalizeAxis('squeeze', axis, x.rank);
  if (x.shape[at] !== 1) throw new ShapeError('squeeze', `axis ${axis} of ${formatShape(x.shape)} is not 1`);
  return reshape(x, [...x.shape.slice(0, at), ...x.shape.slice(at + 1)]);
};

/** Reorders the axes: result axis i is operand axis `permutation[i]`. */
export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  permutation.length === x.rank && permutation.every((axis, index) => axis === index)
    ? x
    : transposeOp([x], { permutation });

const transposeOp = defineOp<[x: Tensor], { readonly permutation: readonly number[] }>({
  name: 'transpose',
  cheap: true,
  infer([x], { permutation }) {
    if (
      permutation.length !== x.rank ||
      new Set(permutation).size !== x.rank ||
      permutation.some((axis) => axis < 0 || axis >= x.rank)
    ) {
      throw new ShapeError(
        'transpose',
        `[${permutation.join(', ')}] does not reorder the axes of ${formatShape(x.shape)}`,
      );
    }
    return { shape: permutation.map((axis) => x.shape[axis]!), dtype: x.dtype };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('Transpose', inputs, { perm: attrs.permutation }),
  vjp: (dy, { attrs: { permutation } }) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
});

export const swapLastTwo = (x: Tensor): Tensor =>
  transpose(x, [...Array.from({ length: x.rank - 2 }, (_, axis) => axis), x.rank - 1, x.rank - 2]);

/** Joins tensors along an axis. */
export const concat = (parts: readonly Tensor[], axis: number): Tensor => {
  const [first] = parts;
  if (first === undefined) throw new ShapeError('concat', 'nothing to join');
  const at = normalizeAxis('concat', axis, first.rank);
  return parts.length === 1 ? first : concatOp(parts, { axis: at });
};

const concatOp = defineOp<readonly Tensor[], { readonly axis: number }>({
  name: 'concat',
  cheap: true,
  infer(parts, { axis }) {
    const first = parts[0]!;
    for (const part of parts) {
      const fits =
        part.dtype === first.dtype &&
        part.rank === first.rank &&
        part.shape.every((dim, at) => at === axis || dimsEqual(dim, first.shape[at]!));
      if (!fits)
        throw new ShapeError('concat', `${part.toString()} does not fit ${first.toString()} along axis ${axis}`);
    }
    return {
      shape: first.shape.map((dim, at) => (at === axis ? addDims(...parts.map((part) => part.shape[axis]!)) : dim)),
      dtype: first.dtype,
    };
  },
  emit: (onnx, inputs, { attrs }) => onnx.node('Concat', inputs, { axis: attrs.axis }),
  vjp(dy, { inputs, attrs: { axis }, needs }) {
    let offset: Dim = 0;
    return inputs.map((part, index) => {
      const start = offset;
      offset = addDims(offset, part.shape[axis]!);
      return needs(index) ? slice(dy, axis, start, offset) : undefined;
    });
  },
});

/** Elements start, start + step, … before `end` along one axis. */
export const slice = (x: Tensor, axis: number, start: Dim, end: Dim, step = 1): Tensor => {
  const at = normalizeAxis('slice', axis, x.rank);
  if (!Number.isInteger(step) || step < 1) throw new ShapeError('slice', `the step must be 1 or more, not ${step}`);
  if (step === 1 && start === 0 && dimsEqual(end, x.shape[at]!)) return x;
  return sliceOp([x], { axis: at, start, end, step });
};

interface SliceAttrs {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step: number;
}

const slicedSize = (start: Dim, end: Dim, step: number): Dim => {
  const span = subDims(end, start);
  if (step === 1) return span;
  if (typeof span === 'number') return Math.ceil(span / step);
  throw new ShapeError('slice', `a step needs a span known as a number; use strided() for symbolic sizes`);
};

const oneAxis = (rank: number, axis: number, value: Dim, other: Dim): Dim[] =>
  Array.from({ length: rank }, (_, at) => (at === axis ? value : other));

const sliceOp = defineOp<[x: Tensor], SliceAttrs>({
  name: 'slice',
  cheap: true,
  infer([x], { axis, start, end, step }) {
    const size = x.shape[axis]!;
    if (typeof start === 'number' && start < 0)
      throw new ShapeError('slice', `start ${start} is negative; count from the front`);
    if (typeof end === 'number' && typeof size === 'number' && end > size)
      throw new ShapeError('slice', `end ${end} is beyond size ${size} of axis ${axis}`);
    const length = slicedSize(start, end, step);
    if (typeof length === 'number' && length < 0)
      throw new ShapeError('slice', `from ${dimKey(start)} to ${dimKey(end)} is negative`);
    return { shape: x.shape.map((dim, at) => (at === axis ? length : dim)), dtype: x.dtype };
  },
  emit: (onnx, [x], { attrs: { axis, start, end, step } }) =>
    onnx.node('Slice', [x!, onnx.dims([start]), onnx.dims([end]), onnx.int64s([axis]), onnx.int64s([step])]),
  vjp(dy, { inputs: [x], attrs: { axis, start, end, step } }) {
    const size = x.shape[axis]!;
    if (step !== 1) {
      const spread = interleaveZeros(dy, axis, step);
      const fitted = slice(pad(spread, axis, 0, step), axis, 0, subDims(end, start));
      return [pad(fitted, axis, start, subDims(size, end))];
    }
    return [pad(dy, axis, start, subDims(size, end))];
  },
});

/** Adds `before` and `after` elements of `value` along one axis. Negative amounts crop. */
export const pad = (x: Tensor, axis: number, before: Dim, after: Dim, value = 0): Tensor => {
  const at = normalizeAxis('pad', axis, x.rank);
  return before === 0 && after === 0 ? x : padOp([x], { axis: at, before, after, value });
};

const padOp = defineOp<
  [x: Tensor],
  { readonly axis: number; readonly before: Dim; readonly after: Dim; readonly value: number }
>({
  name: 'pad',
  cheap: true,
  infer([x], { axis, before, after }) {
    const padded = addDims(before, x.shape[axis]!, after);
    if (typeof padded === 'number' && padded < 0)
      throw new ShapeError(
        'pad',
        `${dimKey(before)} before and ${dimKey(after)} behind crop more than axis ${axis} of ${formatShape(x.shape)} has`,
      );
    return { shape: x.shape.map((dim, at) => (at === axis ? padded : dim)), dtype: x.dtype };
  },
  emit(onnx, [x], { inputs: [tensor], attrs: { axis, before, after, value } }) {
    const amounts = [...oneAxis(tensor.rank, axis, before, 0), ...oneAxis(tensor.rank, axis, after, 0)];
    return onnx.node('Pad', [x!, onnx.dims(amounts), onnx.scalar(value, tensor.dtype)]);
  },
  vjp: (dy, { attrs: { axis, before, after } }) => [pad(dy, axis, scaleDim(before, -1), scaleDim(after, -1))],
});

/** The elements of one axis from the last to the first. */
export const flip = (x: Tensor, axis: number): Tensor => flipOp([x], { axis: normalizeAxis('flip', axis, x.rank) });

const flipOp = defineOp<[x: Tensor], { readonly axis: number }>({
  name: 'flip',
  cheap: true,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, [x], { attrs: { axis } }) =>
    // An end this far below is before the first element, whatever the size.
    onnx.node('Slice', [x!, onnx.int64s([-1]), onnx.int64s([-(2 ** 31)]), onnx.int64s([axis]), onnx.int64s([-1])]),
  vjp: (dy, { attrs: { axis } }) => [flip(dy, axis)],
});

/** Every step-th element from `start`, `count` of them, along one axis; sizes may be symbolic. */
export const strided = (x: Tensor, axis: number, start: number, count: Dim, step: number): Tensor => {
  const at = normalizeAxis('strided', axis, x.rank);
  if (step === 1) return slice(x, at, start, addDims(start, count));
  return stridedOp([x], { axis: at, start, count, step });
};

const stridedOp = defineOp<
  [x: Tensor],
  { readonly axis: number; readonly start: number; readonly count: Dim; readonly step: number }
>({
  name: 'strided',
  cheap: true,
  infer([x], { axis, start, count, step }) {
    const size = x.shape[axis]!;
    if (typeof size === 'number' && typeof count === 'number' && count > 0 && start + (count - 1) * step >= size)
      throw new ShapeError(
        'strided',
        `${count} elements from ${start} in steps of ${step} reach beyond axis ${axis} of ${formatShape(x.shape)}`,
      );
    return { shape: x.shape.map((dim, at) => (at === axis ? count : dim)), dtype: x.dtype };
  },
  emit(onnx, [x], { attrs: { axis, start, count, step } }) {
    const end = addDims(start, mulDims(count, step));
    return onnx.node('Slice', [x!, onnx.int64s([start]), onnx.dims([end]), onnx.int64s([axis]), onnx.int64s([step])]);
  },
  vjp(dy, { inputs: [x], attrs: { axis, start, step } }) {
    const spread = interleaveZeros(dy, axis, step);
    const size = x.shape[axis]!;
    // Long enough for any size, then cut to it; the zeros behind every element make the tail harmless.
    return [slice(pad(spread, axis, start, subDims(addDims(size, step), spread.shape[axis]!)), axis, 0, size)];
  },
});

/** Puts step − 1 zeros behind every element along one axis. */
export const interleaveZeros = (x: Tensor, axis: number, step: number): Tensor => {
  if (step === 1) return x;
  const at = normalizeAxis('interleaveZeros', axis, x.rank);
  return mergeAxes(pad(unsqueeze(x, at + 1), at + 1, 0, step - 1), at, at + 1);
};

/** Cuts an axis into parts of the given sizes. */
export const split = (x: Tensor, axis: number, sizes: readonly Dim[]): readonly Tensor[] => {
  const at = normalizeAxis('split', axis, x.rank);
  return sizes.length === 1 && dimsEqual(sizes[0]!, x.shape[at]!) ? [x] : splitOp([x], { axis: at, sizes });
};

const splitOp = defineMultiOp<[x: Tensor], { readonly axis: number; readonly sizes: readonly Dim[] }>({
  name: 'split',
  cheap: true,
  infer([x], { axis, sizes }) {
    if (!dimsEqual(addDims(...sizes), x.shape[axis]!))
      throw new ShapeError(
        'split',
        `sizes ${sizes.map(dimKey).join(' + ')} do not add up to axis ${axis} of ${formatShape(x.shape)}`,
      );
    return sizes.map((size) => ({ shape: x.shape.map((dim, at) => (at === axis ? size : dim)), dtype: x.dtype }));
  },
  emit: (onnx, [x], { attrs: { axis, sizes } }) =>
    onnx.node('Split', [x!, onnx.dims(sizes)], { axis }, { outputs: sizes.length }),
  vjp: (cotangents, { outputs, attrs: { axis } }) => [
    concat(
      outputs.map((output, index) => cotangents[index] ?? fill(0, output.shape, output.dtype)),
      axis,
    ),
  ],
});
