import { readFileSync } from 'node:fs';
import { MdetrError } from '../../../errors.ts';

/**
 * When ONNX Runtime creates its first session on Linux, it matches a recursive regular expression against
 * `/proc/self/cmdline`. It takes about 290 bytes of stack for each byte of the command line, and a longer one ends the
 * process with a segmentation fault.
 */

/** Upper bound of the stack that a byte of the command line takes, with room for what is on the stack already. */
const STACK_BYTES_PER_BYTE = 400;

/** The native runtime creates sessions on stacks of 8 MiB of its own. Measured: 28.6 kB succeed, 29.4 kB crash. */
const NATIVE_STACK_BYTES = 8 * 2 ** 20;

/** The Node binding creates sessions on the calling thread; a worker's stack has 4 MiB. Measured there: 14 kB succeed. */
const WORKER_STACK_BYTES = 4 * 2 ** 20;

/** Thrown before ONNX Runtime would end the process because its command line is too long. */
export class CommandLineTooLong extends MdetrError {
  override name = 'CommandLineTooLong';
}

/** Length of this process' command line in bytes; 0 where ONNX Runtime does not read it. */
export const commandLineBytes = (): number => {
  if (process.platform !== 'linux') return 0;
  try {
    return readFileSync('/proc/self/cmdline').length;
  } catch {
    return 0;
  }
};

/** Limit of the main thread's stack in bytes. */
const mainStackBytes = (): number => {
  try {
    const [, soft] = /^Max stack size\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity;
  }
};

/** Longest command line in bytes with which a runtime creates sessions safely. */
export const maxCommandLineBytes = (kind: 'native' | 'node'): number => {
  const stackBytes = kind === 'native' ? NATIVE_STACK_BYTES : Math.min(WORKER_STACK_BYTES, mainStackBytes());
  return Math.floor(stackBytes / STACK_BYTES_PER_BYTE);
};

/**
 * Checks that this process may create sessions.
 * @throws {CommandLineTooLong} with the ways out
 */
export const checkCommandLine = (kind: 'native' | 'node'): void => {
  const bytes = commandLineBytes();
  const max = maxCommandLineBytes(kind);
  if (bytes <= max) return;
  throw new CommandLineTooLong(
    `the command line of this process has ${bytes} bytes; ONNX Runtime reads it and would crash above ${max}. ` +
      'Start the process with fewer arguments, run the model in a child process, or set MDETR_RUNTIME=wasm',
  );
};
