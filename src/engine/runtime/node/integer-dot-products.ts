import { firstCore } from './cpu-info.ts';

/** Instructions that multiply and add four pairs of 8-bit integers at once, as Linux names them. */
const INTEGER_DOT_FLAGS = /\b(?:avx512_vnni|avx_vnni|amx_int8)\b/;

/**
 * Whether the CPU has instructions for products of 8-bit integers: VNNI or AMX on x86, which Linux tells, and those of
 * every 64-bit Arm that matters. Without them, convolutions in 8 bits are no faster than in floats.
 */
export const hasIntegerDotProducts = (arch: string = process.arch, readCpuInfo: () => string = firstCore): boolean => {
  if (arch === 'arm64') return true;
  if (arch !== 'x64') return false;
  try {
    return INTEGER_DOT_FLAGS.test(readCpuInfo());
  } catch {
    return false; // Windows and macOS on x86 do not tell.
  }
};
