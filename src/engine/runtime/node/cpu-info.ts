import { closeSync, openSync, readSync } from 'node:fs';

/** Bytes of `/proc/cpuinfo` that describe the first core; reading about many cores takes milliseconds. */
const FIRST_CORE_BYTES = 8192;

/** Description of the first core by Linux. @throws {Error} on other systems */
export const firstCore = (): string => {
  const bytes = Buffer.alloc(FIRST_CORE_BYTES);
  const file = openSync('/proc/cpuinfo', 'r');
  try {
    // The kernel may return less than was asked for, and describes the second core after an empty line.
    return bytes.toString('latin1', 0, readSync(file, bytes)).split('\n\n', 1)[0]!;
  } finally {
    closeSync(file);
  }
};
