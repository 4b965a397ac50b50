import { describe, expect, it } from 'vitest';
import {
  add,
  concat,
  conv,
  dimValue,
  fill,
  literal,
  matmul,
  mul,
  relu,
  reshape,
  scalar,
  split,
  transpose,
} from '../ops/index.ts';
import {
  addDims,
  constant,
  countOps,
  findDim,
  input,
  leafName,
  makeProgram,
  mulDims,
  opNodes,
  parameter,
  parameterFrontier,
  printProgram,
  reachableNodes,
  scaleDim,
  staticShape,
  symbolicDim,
} from './index.ts';

const [batch, length] = [symbolicDim('batch'), symbolicDim('length')];

describe('makeProgram', () => {
  it('has only the nodes that the outputs depend on, operands first', () => {
    const x = input('x', [batch, 3]);
    const w = parameter('w', [3, 4]);
    const unused = parameter('unused', [7]);
    const y = relu(matmul(x, w));
    relu(unused);
    const program = makeProgram('p', { y });
    expect(program.inputs).toEqual([{ name: 'x', tensor: x }]);
    expect(program.parameters.map(leafName)).toEqual(['w']);
    expect(opNodes(program).map(({ op }) => op.name)).toEqual(['matmul', 'relu']);
    for (const node of opNodes(program))
      for (const operand of node.inputs) expect(operand.node.id).toBeLessThan(node.id);
  });

  it('counts ops', () => {
    const x = input('x', [2]);
    const y = add(mul(x, x), mul(x, 2));
    expect(Object.fromEntries(countOps(makeProgram('p', { y })))).toEqual({ mul: 2, add: 1 });
  });

  it('accepts an input that no output depends on', () => {
    const [x, like] = [input('x', [3]), input('like', [batch])];
    const program = makeProgram('p', { y: x }, { alsoInputs: [like, x] });
    expect(program.inputs.map(({ name }) => name)).toEqual(['x', 'like']);
  });

  it('rejects two leaves of the same name', () => {
    const twice = { y: add(input('x', [2]), input('x', [2])) };
    expect(() => makeProgram('p', twice)).toThrow('internal: program "p" uses the name "x" twice');
    const both = { y: add(input('w', [2]), parameter('w', [2])) };
    expect(() => makeProgram('p', both)).toThrow('uses the name "w" twice');
    const x = input('x', [2]);
    expect(() => makeProgram('p', { y: add(x, x) })).not.toThrow();
  });

  it('rejects an output with the name of a leaf', () => {
    const x = input('x', [2]);
    expect(() => makeProgram('p', { x: relu(x) })).toThrow('internal: program "p" uses the name "x" twice');
    expect(() => makeProgram('p', { w: parameter('w', [2]) })).toThrow('uses the name "w" twice');
  });

  it('starts from intermediate values that it is given', () => {
    const x = input('x', [batch]);
    const middle = relu(x);
    const y = mul(middle, x);
    const program = makeProgram('p', { y }, { given: { residual: middle } });
    expect(program.inputs).toEqual([
      { name: 'x', tensor: x },
      { name: 'residual', tensor: middle },
    ]);
    expect(opNodes(program).map(({ op }) => op.name)).toEqual(['mul']);
    expect(() => makeProgram('p', { y }, { given: { x: middle } })).toThrow('uses the name "x" twice');
  });

  it('supports graphs deeper than the call stack', () => {
    let x = input('x', [2]);
    for (let depth = 0; depth < 20_000; depth++) x = relu(x);
    expect(makeProgram('deep', { x1: x }).nodes).toHaveLength(20_001);
  });
});

describe('reachableNodes', () => {
  it('stops at a boundary', () => {
    const x = input('x', [2]);
    const middle = relu(x);
    const y = add(middle, 1);
    const names = reachableNodes([y], (tensor) => tensor === middle).map((node) => node.kind);
    expect(names).toEqual(['constant', 'op']);
  });
});

describe('findDim', () => {
  it('finds the input that has a symbolic size or an expression of sizes', () => {
    const x = input('x', [batch, addDims(length, 2)]);
    const program = makeProgram('p', { y: relu(x) });
    expect(findDim(program, batch)).toEqual({ input: x, axis: 0 });
    expect(findDim(program, addDims(1, length, 1))).toEqual({ input: x, axis: 1 });
    expect(findDim(program, length)).toBeUndefined();
  });
});

describe('leaves', () => {
  it('validate their arguments', () => {
    expect(() => constant({ dtype: 'float32', shape: [3], data: new Float32Array(2) })).toThrow(
      'constant of shape [3] got 2 values',
    );
    expect(() => literal([1, 2], [3])).toThrow('constant of shape [3] got 2 values');
    expect(() => leafName(relu(input('x', [2])))).toThrow('only inputs and parameters have names');
    expect(() => staticShape(input('x', [batch, 2]))).toThrow('the sizes of float32[batch, 2] must be numbers here');
    expect(() => scalar(1, 'float16')).toThrow('export converts them to float16');
  });
});

describe('printProgram', () => {
  it('prints one line per node', () => {
    const x = input('x', [batch, 4]);
    const w = parameter('w', [4, 6]);
    const [left, right] = split(matmul(x, w), 1, [2, 4]);
    const y = concat([right!, mul(left!, 0.5)], 1);
    const n = dimValue(mulDims(batch, 4));
    const table = literal(
      Array.from({ length: 9 }, (_, k) => k),
      [9],
    );
    expect(printProgram(makeProgram('demo', { y, n, table, z: fill(1, [scaleDim(batch, 2)]) }))).toBe(
      [
        'program demo',
        '  input x : float32[batch, 4]',
        '  parameter w : float32[4, 6]',
        '  %0 = matmul(x, w) : float32[batch, 6]',
        '  %1 = split(%0) {axis=1 sizes=[2,4]} : float32[batch, 2], float32[batch, 4]',
        '  c2 = constant {0.5} : float32[]',
        '  %3 = mul(%1.0, c2) : float32[batch, 2]',
        '  %4 = concat(%1.1, %3) {axis=1} : float32[batch, 6]',
        '  %5 = dimValue() {dim=4*batch} : int64[]',
        '  c6 = constant : float32[9]',
        '  %7 = fill() {value=1 shape=[2*batch] dtype=float32} : float32[2*batch]',
        '  return y = %4',
        '  return n = %5',
        '  return table = c6',
        '  return z = %7',
      ].join('\n'),
    );
  });
});

describe('parameterFrontier', () => {
  const frontierOf = (outputs: Parameters<typeof makeProgram>[1]): string[] =>
    parameterFrontier(makeProgram('p', outputs)).map(({ node, shape }) =>
      node.kind === 'op' ? `${node.op.name}[${shape.join(',')}]` : node.kind === 'parameter' ? node.name : node.kind,
    );

  it('is the parameters that are read unchanged', () => {
    const [x, w] = [input('x', [batch, 3]), parameter('w', [3, 4])];
    expect(frontierOf({ y: matmul(x, w), z: relu(matmul(x, w)) })).toEqual(['w']);
  });

  it('is the last values that depend on parameters only', () => {
    const [x, w, scale] = [input('x', [batch, 3, 8, 8]), parameter('w', [4, 3, 1, 1]), parameter('scale', [4])];
    const folded = mul(w, reshape(scale, [4, 1, 1, 1]));
    expect(frontierOf({ y: conv(x, folded) })).toEqual(['mul[4,3,1,1]']);
  });

  it('has both the parameter and the derived value if both are read', () => {
    const [x, w] = [input('x', [batch, 3]), parameter('w', [3, 3])];
    expect(frontierOf({ y: add(matmul(x, w), matmul(x, transpose(w, [1, 0]))) })).toEqual(['w', 'transpose[3,3]']);
  });

  it('excludes values that depend on a symbolic size, or on constants only', () => {
    const [x, w] = [input('x', [batch, 3]), parameter('w', [3])];
    const grown = mul(fill(2, [batch, 3]), w);
    expect(frontierOf({ y: add(x, grown) })).toEqual(['w']);
    expect(frontierOf({ y: add(x, relu(scalar(1))) })).toEqual([]);
    const counted = mul(w, reshape(fill(1, [3]), [3]));
    expect(frontierOf({ y: add(x, counted) })).toEqual(['mul[3]']);
  });

  it('includes outputs that are parameters or derived from them', () => {
    const w = parameter('w', [3]);
    expect(frontierOf({ y: w, z: relu(w) })).toEqual(['w', 'relu[3]']);
  });
});
