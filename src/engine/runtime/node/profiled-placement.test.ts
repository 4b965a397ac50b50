import { describe, expect, it } from 'vitest';
import { MdetrError } from '../../../errors.ts';
import { describePlacement } from '../placement.ts';
import { placementOf } from './profiled-placement.ts';

const kernel = (provider: string, op: string, ...types: readonly string[]): object => ({
  cat: 'Node',
  name: `${op}_1_kernel_time`,
  args: {
    provider: `${provider}ExecutionProvider`,
    op_name: op,
    input_type_shape: types.map((type) => ({ [type]: [2] })),
  },
});

describe('the placement of nodes in a profile', () => {
  it('counts what ran on the CPU by operator and types, without arithmetic on shapes', () => {
    const events = [
      { cat: 'Session', name: 'session_initialization' },
      // Other events of a node have no provider.
      { cat: 'Node', name: 'Add_1_fence_before', args: { op_name: 'Add' } },
      kernel('WebGpu', 'MatMul', 'float', 'float'),
      kernel('CPU', 'Concat', 'int64', 'int64'),
      kernel('CPU', 'Shape', 'bool'),
      kernel('CPU', 'Sign', 'float'),
      kernel('CPU', 'BitShift', 'uint32', 'uint32'),
      kernel('CPU', 'BitShift', 'uint32', 'uint32'),
      kernel('CPU', 'RandomNormal'),
    ];
    const placement = placementOf(JSON.stringify(events), 'loss', 'webgpu');
    expect(placement).toEqual({
      program: 'loss',
      device: 'webgpu',
      nodes: 7,
      fallbacks: [
        { op: 'BitShift(uint32)', count: 2 },
        { op: 'RandomNormal()', count: 1 },
        { op: 'Sign(float)', count: 1 },
      ],
    });
    expect(describePlacement(placement)).toBe(
      'loss: 4 of 7 nodes ran on the CPU instead of device "webgpu": BitShift(uint32) ×2, RandomNormal() ×1, Sign(float) ×1',
    );
  });

  it('says that all nodes ran on the device', () => {
    const placement = placementOf(JSON.stringify([kernel('CUDA', 'Add', 'float')]), 'image', 'cuda');
    expect(describePlacement(placement)).toBe('image: all 1 nodes ran on device "cuda"');
  });

  it.each(['', '[{"cat": "Node"', '{}', 'null'])('refuses a profile that is cut off or of another kind: %j', (text) => {
    expect(() => placementOf(text, 'image', 'cuda')).toThrow(MdetrError);
  });

  it('ignores events without the fields of a node', () => {
    const events = [
      {},
      { cat: 'Node' },
      { cat: 'Node', name: 'x_kernel_time' },
      { cat: 'Node', name: 'x_kernel_time', args: {} },
    ];
    expect(placementOf(JSON.stringify(events), 'p', 'cuda')).toMatchObject({ nodes: 0, fallbacks: [] });
  });
});
