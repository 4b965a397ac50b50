import { describe, expect, it, vi } from 'vitest';
import { MdetrError } from '../../../errors.ts';
import { createRuntime } from '../create-runtime.ts';
import { OrtLibrary } from '../native/library.ts';
import { NativeRuntime } from '../native/native-runtime.ts';
import { NodeRuntime } from './node-runtime.ts';
import { runtimeContract } from '../../../../test/support/runtime-contract.ts';

describe('NodeRuntime', () => {
  runtimeContract((options) => new NodeRuntime(options));

  it('names the available devices in the error for an unavailable one', () => {
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(/^there is no device "abacus" here; there are: .*cpu/);
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(MdetrError);
  });
});

describe('createRuntime', () => {
  it('returns the native runtime for the CPU if it can be loaded', async () => {
    expect(await createRuntime({ threads: 1 })).toBeInstanceOf(NativeRuntime);
    await expect(createRuntime({ device: 'abacus' })).rejects.toThrow('there is no device "abacus" here');
  });

  it('returns the Node runtime if koffi is missing', async () => {
    vi.spyOn(OrtLibrary, 'open').mockImplementation(() => {
      throw new MdetrError("ONNX Runtime's library cannot be called directly here: Cannot find module 'koffi'");
    });
    expect(await createRuntime({ threads: 1 })).toBeInstanceOf(NodeRuntime);
    vi.restoreAllMocks();
  });
});
