/**
 * One line instead of ONNX Runtime's stack, for a device that is not there or whose libraries are missing.
 *
 * @param message ONNX Runtime's message
 * @returns undefined for any other message
 */
export const deviceHint = (
  device: string,
  message: string,
  platform: NodeJS.Platform = process.platform,
): string | undefined => {
  if (device === 'webgpu' && message.includes('Failed to get a WebGPU adapter'))
    return platform === 'linux'
      ? 'there is no Vulkan driver that it can use; install the Vulkan loader (libvulkan1 on Debian and Ubuntu) and the driver of the GPU'
      : 'the system offers no GPU that it can use';
  if (device === 'cuda' && /Failed to load (shared )?library|cannot open shared object file/.test(message))
    return (
      "the libraries of ONNX Runtime's CUDA provider, of CUDA 12 or of cuDNN 9 are missing; " +
      '`ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false` downloads the first, for Linux on x64, ' +
      "and NVIDIA's packages, or the image of deploy/cuda.Dockerfile, have the others"
    );
  if (device === 'cuda' && /no CUDA-capable device|driver version is insufficient/.test(message))
    return 'there is no NVIDIA GPU that it can use, or its driver is older than CUDA 12 needs; nvidia-smi shows both';
  return undefined;
};
