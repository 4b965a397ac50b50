import { ShapeError } from '../graph/define-op.ts';
import { dimsEqual, formatShape, type Dim, type Shape } from '../graph/dim.ts';
import type { Tensor } from '../graph/tensor.ts';

/** Broadcasts shapes by NumPy's rule. @throws {ShapeError} if they do not broadcast */
export const broadcastShapes = (op: string, ...shapes: readonly Shape[]): Shape => {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis): Dim => {
    let size: Dim = 1;
    for (const shape of shapes) {
      const own = shape[axis - (rank - shape.length)] ?? 1;
      if (own === 1) continue;
      if (size !== 1 && !dimsEqual(size, own)) {
        throw new ShapeError(op, `shapes ${shapes.map(formatShape).join(' and ')} do not broadcast`);
      }
      size = own;
    }
    return size;
  });
};

/** Non-negative index of an axis; negative axes count from the end. @throws {ShapeError} if out of range */
export const normalizeAxis = (op: string, axis: number, rank: number): number => {
  const normalized = axis < 0 ? axis + rank : axis;
  if (normalized < 0 || normalized >= rank) throw new ShapeError(op, `axis ${axis} is outside of rank ${rank}`);
  return normalized;
};

/** Checks that two operands have one element type. @throws {ShapeError} if they differ */
export const requireSameType = (op: string, a: Tensor, b: Tensor): void => {
  if (a.dtype !== b.dtype) throw new ShapeError(op, `element types differ: ${a.toString()} and ${b.toString()}`);
};

/** Checks that an operand is boolean. @throws {ShapeError} if it is not */
export const requireBool = (op: string, x: Tensor): void => {
  if (x.dtype !== 'bool') throw new ShapeError(op, `needs a bool tensor, got ${x.toString()}`);
};
