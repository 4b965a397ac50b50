import { defineMultiOp, defineOp, ShapeError } from '../graph/define-op.ts';
import { addDims, dimKey, dimsEqual, formatShape, mulDims, scaleDim, subDims, type Dim } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';
import { normalizeAxis } from './broadcast.ts';
import { fill } from './constant.ts';
import { mergeAxes, unsqueeze } from './reshape.ts';

/** Concatenates tensors along an axis. */
export const concat = (parts: readonly Tensor[], axis: number): Tensor => {
  const [first] = parts;
  if (first === undefined) throw new ShapeError('concat', 'needs at least one tensor');
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

/** Slices one axis: elements start, start + step, … below `end`. */
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
  throw new ShapeError('slice', `a step needs start and end at a constant distance; use strided() for symbolic sizes`);
};

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

/** Amounts by which {@link padAxes} pads an axis; negative ones crop. */
export interface AxisPadding {
  /** Index of the axis. */
  readonly axis: number;
  /** Elements added before the start. */
  readonly before: Dim;
  /** Elements added after the end. */
  readonly after: Dim;
}

/** Pads one axis with `before` and `after` elements of `value`. Negative amounts crop. */
export const pad = (x: Tensor, axis: number, before: Dim, after: Dim, value = 0): Tensor =>
  padAxes(x, [{ axis, before, after }], value);

/** Pads several axes with `value`. Negative amounts crop. */
export const padAxes = (x: Tensor, paddings: readonly AxisPadding[], value = 0): Tensor => {
  const kept = paddings
    .filter(({ before, after }) => before !== 0 || after !== 0)
    .map((padding) => ({ ...padding, axis: normalizeAxis('pad', padding.axis, x.rank) }));
  return kept.length === 0 ? x : padOp([x], { paddings: kept, value });
};

const padOp = defineOp<[x: Tensor], { readonly paddings: readonly AxisPadding[]; readonly value: number }>({
  name: 'pad',
  cheap: true,
  infer([x], { paddings }) {
    const shape = [...x.shape];
    for (const { axis, before, after } of paddings) {
      const padded = addDims(before, shape[axis]!, after);
      if (typeof padded === 'number' && padded < 0)
        throw new ShapeError(
          'pad',
          `${dimKey(before)} before and ${dimKey(after)} after crop more than axis ${axis} of ${formatShape(x.shape)} has`,
        );
      shape[axis] = padded;
    }
    return { shape, dtype: x.dtype };
  },
  emit(onnx, [x], { inputs: [tensor], attrs: { paddings, value } }) {
    const amounts = (['before', 'after'] as const).flatMap((end) =>
      tensor.shape.map((_, axis) => paddings.find((padding) => padding.axis === axis)?.[end] ?? 0),
    );
    return onnx.node('Pad', [x!, onnx.dims(amounts), onnx.scalar(value, tensor.dtype)]);
  },
  vjp: (dy, { attrs: { paddings } }) => [
    padAxes(
      dy,
      paddings.map(({ axis, before, after }) => ({ axis, before: scaleDim(before, -1), after: scaleDim(after, -1) })),
    ),
  ],
});

/** Reverses the order of the elements along one axis. */
export const flip = (x: Tensor, axis: number): Tensor => flipOp([x], { axis: normalizeAxis('flip', axis, x.rank) });

const flipOp = defineOp<[x: Tensor], { readonly axis: number }>({
  name: 'flip',
  cheap: true,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, [x], { attrs: { axis } }) =>
    // An end this low includes the first element for every size.
    onnx.node('Slice', [x!, onnx.int64s([-1]), onnx.int64s([-(2 ** 31)]), onnx.int64s([axis]), onnx.int64s([-1])]),
  vjp: (dy, { attrs: { axis } }) => [flip(dy, axis)],
});

/** Elements that {@link window} takes along an axis: `count` of them, every step-th from `start`. */
export interface AxisWindow {
  /** Index of the axis. */
  readonly axis: number;
  /** Index of the first element. */
  readonly start: number;
  /** Number of elements. */
  readonly count: Dim;
  /** Distance of the elements. */
  readonly step: number;
}

/** Takes `count` elements along one axis, every step-th from `start`; sizes may be symbolic. */
export const strided = (x: Tensor, axis: number, start: number, count: Dim, step: number): Tensor => {
  const at = normalizeAxis('strided', axis, x.rank);
  if (step === 1) return slice(x, at, start, addDims(start, count));
  return window(x, [{ axis: at, start, count, step }]);
};

/** Takes elements along several axes at once, as {@link strided} does along one. */
export const window = (x: Tensor, windows: readonly AxisWindow[]): Tensor => {
  const kept = windows
    .map((part) => ({ ...part, axis: normalizeAxis('strided', part.axis, x.rank) }))
    .filter(({ axis, start, count, step }) => start !== 0 || step !== 1 || !dimsEqual(count, x.shape[axis]!));
  return kept.length === 0 ? x : stridedOp([x], { windows: kept });
};

const stridedOp = defineOp<[x: Tensor], { readonly windows: readonly AxisWindow[] }>({
  name: 'strided',
  cheap: true,
  infer([x], { windows }) {
    const shape = [...x.shape];
    for (const { axis, start, count, step } of windows) {
      const size = x.shape[axis]!;
      if (typeof size === 'number' && typeof count === 'number' && count > 0 && start + (count - 1) * step >= size)
        throw new ShapeError(
          'strided',
          `${count} elements from ${start} in steps of ${step} exceed axis ${axis} of ${formatShape(x.shape)}`,
        );
      shape[axis] = count;
    }
    return { shape, dtype: x.dtype };
  },
  emit: (onnx, [x], { attrs: { windows } }) =>
    onnx.node('Slice', [
      x!,
      onnx.int64s(windows.map(({ start }) => start)),
      onnx.dims(windows.map(({ start, count, step }) => addDims(start, mulDims(count, step)))),
      onnx.int64s(windows.map(({ axis }) => axis)),
      onnx.int64s(windows.map(({ step }) => step)),
    ]),
  vjp: (dy, { inputs: [x], attrs: { windows } }) => [
    windows.reduce((value, { axis, start, step }) => {
      const spread = interleaveZeros(value, axis, step);
      const size = x.shape[axis]!;
      // Padded for every size, then cropped; the excess consists of the interleaved zeros.
      return slice(pad(spread, axis, start, subDims(addDims(size, step), spread.shape[axis]!)), axis, 0, size);
    }, dy),
  ],
});

/** Inserts step − 1 zeros after every element along one axis. */
export const interleaveZeros = (x: Tensor, axis: number, step: number): Tensor => {
  if (step === 1) return x;
  const at = normalizeAxis('interleaveZeros', axis, x.rank);
  const spread = unsqueeze(x, at + 1);
  const zeros = fill(0, [...x.shape.slice(0, at + 1), step - 1, ...x.shape.slice(at + 1)], x.dtype);
  // A concatenation: ONNX Runtime pads single elements six times slower.
  return mergeAxes(concat([spread, zeros], at + 1), at, at + 1);
};

/** Splits an axis into parts of the given sizes. */
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
