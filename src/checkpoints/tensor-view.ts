import { elementCount } from './dtype.ts';
import { allocate, type ByteSource, readBytes } from './byte-source.ts';

/** A strided array in a file, already checked to lie inside it. Strides count elements. */
export interface StridedView {
  /** Byte position of the first element. */
  readonly position: number;
  readonly elementBytes: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

type Elements = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** Most bytes that are read at once to gather scattered elements. */
const LARGEST_SPAN_BYTES = 64 * 2 ** 20;

const asElements = (bytes: Uint8Array, elementBytes: number): Elements => {
  const count = bytes.byteLength / elementBytes;
  switch (elementBytes) {
    case 1:
      return bytes;
    case 2:
      return new Uint16Array(bytes.buffer, bytes.byteOffset, count);
    case 4:
      return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
    case 8:
      return new BigUint64Array(bytes.buffer, bytes.byteOffset, count);
    default:
      throw new Error(`internal: elements of ${elementBytes} bytes`);
  }
};

/** Strides of a contiguous array, in elements. */
export const rowMajorStrides = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
};

interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Number of elements between the first and the last that the axes reach, both included. */
const spanOf = (axes: readonly Axis[]): number => axes.reduce((sum, { size, from }) => sum + (size - 1) * from, 1);

const gather = (source: Elements, target: Elements, axes: readonly Axis[], from: number, to: number): void => {
  const [axis, ...inner] = axes;
  if (axis === undefined) {
    target[to] = source[from]!;
  } else if (inner.length > 0) {
    for (let i = 0; i < axis.size; i++) gather(source, target, inner, from + i * axis.from, to + i * axis.to);
  } else {
    for (let i = 0; i < axis.size; i++) target[to + i * axis.to] = source[from + i * axis.from]!;
  }
};

/** Reads the contents of a view into newly allocated memory, contiguous and row-major. */
export const readView = async (file: ByteSource, view: StridedView): Promise<Uint8Array> => {
  const { shape, strides, elementBytes } = view;
  const count = elementCount(shape);
  if (count === undefined) throw new Error('internal: the shape was not checked');
  if (count === 0) return new Uint8Array(0);
  const rowMajor = rowMajorStrides(shape);
  const axes = shape
    .map((size, axis): Axis => ({ size, from: strides[axis]!, to: rowMajor[axis]! }))
    .filter(({ size }) => size > 1);
  if (axes.every(({ from, to }) => from === to)) return readBytes(file, view.position, count * elementBytes);

  const out = allocate(count * elementBytes, file.name);
  const target = asElements(out, elementBytes);
  const largestSpan = Math.max(LARGEST_SPAN_BYTES, 2 * out.byteLength) / elementBytes;
  const readPart = async (part: readonly Axis[], from: number, to: number): Promise<void> => {
    const span = spanOf(part);
    if (span <= largestSpan) {
      const bytes = await readBytes(file, view.position + from * elementBytes, span * elementBytes);
      gather(asElements(bytes, elementBytes), target, part, 0, to);
      return;
    }
    // Split the axis with the largest extent into runs that fit.
    const widest = part.reduce((best, axis) =>
      (axis.size - 1) * axis.from > (best.size - 1) * best.from ? axis : best,
    );
    const rest = part.filter((axis) => axis !== widest);
    const room = Math.floor((largestSpan - spanOf(rest)) / widest.from) + 1;
    const run = Math.min(widest.size, Math.max(1, room));
    for (let i = 0; i < widest.size; i += run) {
      const size = Math.min(run, widest.size - i);
      const pieces = size === 1 ? rest : [...rest, { ...widest, size }];
      await readPart(pieces, from + i * widest.from, to + i * widest.to);
    }
  };
  await readPart(axes, 0, 0);
  return out;
};
