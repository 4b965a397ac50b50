import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../errors.ts';
import {
  addDims,
  ceilDivDim,
  float32Tensor,
  input,
  makeProgram,
  mulDims,
  symbolicDim,
  type HostTensor,
} from '../graph/index.ts';
import { add, cast, sum } from '../ops/index.ts';
import { FeedCheck, knownSize } from './feeds.ts';
import type { Feeds } from './runtime.ts';

const [batch, h, w, T] = ['batch', 'h', 'w', 'T'].map((name) => symbolicDim(name));
const zeros = (...shape: number[]): HostTensor =>
  float32Tensor(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

describe('FeedCheck and knownSize', () => {
  const x = input('x', [batch!, 3, h!]);
  const ids = input('ids', [batch!], 'int64');
  const joint = input('joint', [batch!, addDims(mulDims(h!, w!), T!)]);
  const half = input('half', [ceilDivDim(h!, 2)]);
  const sizes = input('sizes', [w!, T!]);
  const program = makeProgram(
    'p',
    { y: add(sum(x), cast(sum(ids), 'float32')) },
    { alsoInputs: [x, ids, joint, half, sizes] },
  );
  const validFeeds = (): Record<string, HostTensor> => ({
    x: zeros(2, 3, 5),
    ids: { dtype: 'int64', shape: [2], data: new BigInt64Array(2) },
    joint: zeros(2, 5 * 4 + 6),
    half: zeros(3),
    sizes: zeros(4, 6),
  });
  const checked = new FeedCheck(program, program.inputs);
  const check = (feeds: Feeds): unknown => checked.sizesOf(feeds);

  it('accept feeds that fit', () => {
    expect(() => check(validFeeds())).not.toThrow();
    expect(() => check({ ...validFeeds(), unread: zeros(1) })).not.toThrow();
  });

  const wrong: readonly (readonly [string, Readonly<Record<string, HostTensor | undefined>>])[] = [
    ['program "p" needs the input "ids"', { ids: undefined }],
    ['input "x" must be float32[batch, 3, h], got float32[2, 3]', { x: zeros(2, 3) }],
    ['input "x" must be float32[batch, 3, h], got float32[2, 4, 5]', { x: zeros(2, 4, 5) }],
    ['input "ids" must be int64[batch], got float32[2]', { ids: zeros(2) }],
    [
      'input "x" has 30 values for shape [2, 3, 6]',
      { x: { dtype: 'float32', shape: [2, 3, 6], data: new Float32Array(30) } },
    ],
    [
      'input "ids" has batch = 3, but input "x" has batch = 2',
      { ids: { dtype: 'int64', shape: [3], data: new BigInt64Array(3) } },
    ],
    ['input "joint" has T+h*w = 27, but with T = 6, h = 5, w = 4 it must be 26', { joint: zeros(2, 27) }],
    ['input "half" has ⌊(h+1)/2⌋ = 2, but with h = 5 it must be 3', { half: zeros(2) }],
  ];
  it.each(wrong)('%s', (message, change) => {
    const feeds = { ...validFeeds(), ...change } as Feeds;
    expect(() => check(feeds)).toThrow(MdetrError);
    expect(() => check(feeds)).toThrow(message);
  });

  it('evaluate the sizes of outputs, also by formulas and by products that are sizes of inputs', () => {
    const sizes = checked.sizesOf(validFeeds());
    expect(knownSize(7, sizes)).toBe(7);
    expect(knownSize(addDims(mulDims(h!, w!), T!, 1), sizes)).toBe(27);
    expect(knownSize(ceilDivDim(addDims(h!, w!), 4), sizes)).toBe(3);
    expect(knownSize(symbolicDim('other'), sizes)).toBeUndefined();
    const area = new Map([['h*w', 12]]);
    expect(knownSize(addDims(mulDims(h!, w!), 2), area)).toBe(14);
    expect(knownSize(h!, area)).toBeUndefined();
    expect(knownSize(ceilDivDim(h!, 2), area)).toBeUndefined();
  });
});
