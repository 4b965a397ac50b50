import { describe, expect, it, vi } from 'vitest';
import { MdetrError } from '../../../errors.ts';
import { createRuntime } from '../create-runtime.ts';
import { OrtLibrary } from '../native/library.ts';
import { NativeRuntime } from '../native/native-runtime.ts';
import { NodeRuntime } from './node-runtime.ts';
import { runtimeContract } from '../../../../test/support/runtime-contract.ts';

describe('the runtime of the Node binding', () => {
  runtimeContract((options) => new NodeRuntime(options));

  it('names the devices that there are when one is asked for that is not', () => {
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(/^there is no device "abacus" here; there are: .*cpu/);
    expect(() => new NodeRuntime({ device: 'abacus' })).toThrow(MdetrError);
  });
});

describe('the runtime for a device', () => {
  it('is the one of the C interface on the CPU, where it can be loaded', async () => {
    expect(await createRuntime({ threads: 1 })).toBeInstanceOf(NativeRuntime);
    await expect(createRuntime({ device: 'abacus' })).rejects.toThrow('there is no device "abacus" here');
  });

  it('is the one of the Node binding where koffi is missing', async () => {
    vi.spyOn(OrtLibrary, 'open').mockImplementation(() => {
      throw new MdetrError("ONNX Runtime's library cannot be called directly here: Cannot find module 'koffi'");
    });
    expect(await createRuntime({ threads: 1 })).toBeInstanceOf(NodeRuntime);
    vi.restoreAllMocks();
  });
});
