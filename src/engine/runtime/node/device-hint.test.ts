import { describe, expect, it } from 'vitest';
import { deviceHint } from './device-hint.ts';

describe('deviceHint', () => {
  it.each([
    ['webgpu', 'Error: Failed to get a WebGPU adapter: no', 'linux', /^there is no Vulkan driver .*libvulkan1/],
    ['webgpu', 'Error: Failed to get a WebGPU adapter: no', 'darwin', /no GPU/],
    [
      'cuda',
      'OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library',
      'linux',
      /CUDA 12 or of cuDNN 9 are missing; `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild/,
    ],
    ['cuda', 'libcudnn.so.9: cannot open shared object file', 'linux', /cuDNN 9 are missing/],
    ['cuda', 'CUDA failure 100: no CUDA-capable device is detected', 'linux', /no NVIDIA GPU/],
  ] as const)('explains "%s": %s on %s', (device, message, platform, expected) => {
    expect(deviceHint(device, message, platform)).toMatch(expected);
  });

  it.each([
    ['cpu', 'Failed to load shared library'],
    ['webgpu', 'Failed to load shared library'],
    ['cuda', 'Invalid graph'],
  ])('leaves other messages as they are: "%s", %s', (device, message) => {
    expect(deviceHint(device, message)).toBeUndefined();
  });
});
