import { closeSync, openSync, readSync } from 'node:fs';

/** Instructions that multiply and add four pairs of 8-bit integers at once, as Linux names them. */
const INTEGER_DOT_FLAGS = /\b(?:avx512_vnni|avx_vnni|amx_int8)\b/;

/**
 * Whether the CPU has instructions for products of 8-bit integers: VNNI or AMX on x86, which Linux tells, and those of
 * every 64-bit Arm that matters. Without them, convolutions in 8 bits are no faster than in floats.
 */
export const hasIntegerDotProducts = (arch: string = process.arch, readCpuInfo: () => string = readFlags): boolean => {
  if (arch === 'arm64') return true;
  if (arch !== 'x64') return false;
  try {
    return INTEGER_DOT_FLAGS.test(readCpuInfo());
  } catch {
    return false; // Windows and macOS on x86 do not tell.
  }
};

/** Flags of the first core; reading those of many cores takes milliseconds. */
const readFlags = (): string => {
  const bytes = Buffer.alloc(8192);
  const file = openSync('/proc/cpuinfo', 'r');
  try {
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
};
