import { describe, expect, it } from 'vitest';
import { input, scaleDim, ShapeError, symbolicDim, type DType, type Shape, type Tensor } from '../graph/index.ts';
import * as ops from './index.ts';

const tensor = (shape: Shape, dtype: DType = 'float32'): Tensor => input('x', shape, dtype);
const [batch, length] = [symbolicDim('batch'), symbolicDim('length')];
const x = tensor([2, 3, 4]);
const ids = tensor([5], 'int64');

/** Message of each op for operands that do not fit: its name, the values, and the expectation. */
const wrongCalls: readonly (readonly [string, () => unknown])[] = [
  ['add: shapes [2, 3, 4] and [3] do not broadcast', () => ops.add(x, tensor([3]))],
  ['mul: shapes [batch] and [length] do not broadcast', () => ops.mul(tensor([batch]), tensor([length]))],
  ['sub: element types differ: float32[2, 3, 4] and int64[5]', () => ops.sub(x, ids)],
  ['and: needs a bool tensor, got float32[2, 3, 4]', () => ops.and(x, x)],
  ['not: needs a bool tensor, got int64[5]', () => ops.not(ids)],
  ['where: needs a bool tensor, got int64[5]', () => ops.where(ids, x, x)],
  ['where: element types differ: float32[2, 3, 4] and int64[5]', () => ops.where(tensor([1], 'bool'), x, ids)],
  ['where: shapes [7] and [2, 3, 4] and [] do not broadcast', () => ops.where(tensor([7], 'bool'), x, 0)],
  ['reshape: [2, 3, 4] does not have as many elements as [5, 5]', () => ops.reshape(x, [5, 5])],
  [
    'reshape: [batch, 4] does not have as many elements as [4*length]',
    () => ops.reshape(tensor([batch, 4]), [scaleDim(length, 4)]),
  ],
  ['mergeAxes: axis 3 is outside of rank 3', () => ops.mergeAxes(x, 0, 3)],
  ['mergeAxes: axis 0 precedes axis 1 of [2, 3, 4]', () => ops.mergeAxes(x, 1, 0)],
  ['splitAxis: axis -4 is outside of rank 3', () => ops.splitAxis(x, -4, [1, 2])],
  ['unsqueeze: axis 5 is outside of rank 4', () => ops.unsqueeze(x, 5)],
  ['squeeze: axis -1 of [2, 3, 4] is not 1', () => ops.squeeze(x, -1)],
  ['squeeze: axis 0 of [batch, 4] is not 1', () => ops.squeeze(tensor([batch, 4]), 0)],
  ['transpose: [0, 1] is not a permutation of the axes of [2, 3, 4]', () => ops.transpose(x, [0, 1])],
  ['transpose: [0, 1, 1] is not a permutation of the axes of [2, 3, 4]', () => ops.transpose(x, [0, 1, 1])],
  ['expand: [2, 3, 4] does not broadcast to [1, 3, 4]', () => ops.expand(x, [1, 3, 4])],
  ['expand: shapes [2, 3, 4] and [5, 4] do not broadcast', () => ops.expand(x, [5, 4])],
  ['concat: needs at least one tensor', () => ops.concat([], 0)],
  ['concat: axis 3 is outside of rank 3', () => ops.concat([x], 3)],
  ['concat: float32[2, 4, 4] does not fit float32[2, 3, 4] along axis 0', () => ops.concat([x, tensor([2, 4, 4])], 0)],
  [
    'concat: int64[2, 3, 4] does not fit float32[2, 3, 4] along axis 0',
    () => ops.concat([x, tensor([2, 3, 4], 'int64')], 0),
  ],
  ['slice: end 5 is beyond size 4 of axis 2', () => ops.slice(x, -1, 0, 5)],
  ['slice: start -1 is negative; count from the front', () => ops.slice(x, 0, -1, 2)],
  ['slice: from 3 to 1 is negative', () => ops.slice(x, 2, 3, 1)],
  ['slice: the step must be 1 or more, not -1', () => ops.slice(x, 2, 0, 3, -1)],
  ['slice: a step needs start and end at a constant distance', () => ops.slice(tensor([batch]), 0, 0, batch, 2)],
  ['strided: 3 elements from 0 in steps of 2 exceed axis 2 of [2, 3, 4]', () => ops.strided(x, 2, 0, 3, 2)],
  ['pad: -2 before and -3 after crop more than axis 2 of [2, 3, 4] has', () => ops.pad(x, 2, -2, -3)],
  ['pad: axis 3 is outside of rank 3', () => ops.pad(x, 3, 1, 1)],
  ['interleaveZeros: axis 9 is outside of rank 3', () => ops.interleaveZeros(x, 9, 2)],
  ['split: sizes 1 + 2 do not add up to axis 2 of [2, 3, 4]', () => ops.split(x, 2, [1, 2])],
  ['split: sizes 3 do not add up to axis 2 of [2, 3, 4]', () => ops.split(x, 2, [3])],
  ['matmul: inner sizes differ: [2, 3, 4] @ [3, 4]', () => ops.matmul(x, tensor([3, 4]))],
  ['matmul: cannot multiply float32[2, 3, 4] and float32[4]', () => ops.matmul(x, tensor([4]))],
  ['matmul: cannot multiply float32[2, 3, 4] and float64[4, 4]', () => ops.matmul(x, tensor([4, 4], 'float64'))],
  ['matmul: shapes [2] and [3] do not broadcast', () => ops.matmul(x, tensor([3, 4, 5]))],
  ['gemm: cannot multiply float32[2, 3, 4] and float32[4, 5]', () => ops.gemm(x, tensor([4, 5]))],
  ['gemm: inner sizes differ: [2, 3] @ [4, 3]', () => ops.gemm(tensor([2, 3]), tensor([4, 3]))],
  [
    'gemm: inner sizes differ: [2, 3]ᵀ @ [4, 3]ᵀ',
    () => ops.gemm(tensor([2, 3]), tensor([4, 3]), { transA: true, transB: true }),
  ],
  ['gemm: bias float32[3] for [2, 4]', () => ops.gemm(tensor([2, 3]), tensor([3, 4]), {}, tensor([3]))],
  ['linear: the weight float32[5, 3] does not fit float32[2, 3, 4]', () => ops.linear(x, tensor([5, 3]))],
  ['linear: the weight float32[5, 3] does not fit float32[]', () => ops.linear(tensor([]), tensor([5, 3]))],
  ['sum: axis 3 is outside of rank 3', () => ops.sum(x, [3])],
  ['mean: axes [2, 2] of [2, 3, 4] contain a duplicate', () => ops.mean(x, [2, -1])],
  ['max: axis -4 is outside of rank 3', () => ops.max(x, [-4])],
  ['logSumExp: axis 4 is outside of rank 3', () => ops.logSumExp(x, [4])],
  ['argMax: axis 3 is outside of rank 3', () => ops.argMax(x, 3)],
  ['cumSum: cannot add up [3] of bool', () => ops.cumSum(tensor([3], 'bool'), 0)],
  ['softmax: axis 3 is outside of rank 3', () => ops.softmax(x, 3)],
  ['biasedScores: queries', () => ops.biasedScores(x, x, x)],
  ['attendScores: scores', () => ops.attendScores(x, x)],
  ['logSoftmax: axis 3 is outside of rank 3', () => ops.logSoftmax(x, 3)],
  ['gather: indices must be integers, not float32[2, 3, 4]', () => ops.gather(x, x)],
  ['gather: axis 3 is outside of rank 3', () => ops.gather(x, ids, 3)],
  ['scatterAddRows: indices must be integers, not float32[2, 3, 4]', () => ops.scatterAddRows(3, x, x)],
  ['scatterAddRows: indices [5] for rows [2, 3, 4]', () => ops.scatterAddRows(3, ids, x)],
  ['scatterAddRows: indices [5] for rows []', () => ops.scatterAddRows(3, ids, tensor([]))],
  ['gatherElements: indices [5] for [2, 3, 4] along axis 2', () => ops.gatherElements(x, ids, -1)],
  [
    'gatherElements: indices [2, 2, 1] for [2, 3, 4] along axis 2',
    () => ops.gatherElements(x, tensor([2, 2, 1], 'int64'), 2),
  ],
  [
    'layerNorm: float32[2, 3, 4] with scale float32[3] and shift float32[4]',
    () => ops.layerNorm(x, tensor([3]), tensor([4]), 1e-5),
  ],
  [
    'layerNorm: float32[] with scale float32[3] and shift float32[3]',
    () => ops.layerNorm(tensor([]), tensor([3]), tensor([3]), 1e-5),
  ],
  ['groupNorm: 6 channels cannot be divided into 4 groups', () => ops.groupNorm(tensor([1, 6, 2, 2]), 4, x, x, 1e-5)],
];

describe('operands that do not fit are rejected', () => {
  it.each(wrongCalls)('%s', (message, call) => {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });
});
