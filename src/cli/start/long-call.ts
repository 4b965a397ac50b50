import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { commandLineBytes } from '../../engine/runtime/node/command-line.ts';
import { MdetrError, messageOf } from '../../errors.ts';
import { STOP_SIGNALS } from '../options/stop-signals.ts';

/**
 * Calls with many file names or a long caption. ONNX Runtime crashes when the command line of its process is long, so the
 * arguments are handed to a child process in environment variables.
 */

/** Command lines above this length are handed to a child process; the shortest that crash have twice as much. */
const MAX_BYTES = 5000;

const COUNT = 'MDETR_ARGUMENT_CHUNKS';
const CHUNK = 'MDETR_ARGUMENTS_';

/** UTF-16 units of a chunk. Linux limits a variable to 128 KiB; a unit has up to 3 bytes. */
const CHUNK_LENGTH = 40_000;

/** Environment variables that hold arguments. */
export const packArguments = (args: readonly string[]): Record<string, string> => {
  const json = JSON.stringify(args);
  const packed: Record<string, string> = {};
  let count = 0;
  for (let start = 0; start < json.length; count++) {
    let end = Math.min(start + CHUNK_LENGTH, json.length);
    // A chunk does not end within a surrogate pair, which would be replaced.
    if (/[\ud800-\udbff]/.test(json.charAt(end - 1))) end--;
    packed[CHUNK + String(count)] = json.slice(start, end);
    start = end;
  }
  packed[COUNT] = String(count);
  return packed;
};

/** Takes the arguments that the parent process packed out of the environment; undefined if there are none. */
export const unpackArguments = (environment: NodeJS.ProcessEnv): readonly string[] | undefined => {
  const count = Number(environment[COUNT]);
  if (environment[COUNT] === undefined || !Number.isSafeInteger(count)) return undefined;
  Reflect.deleteProperty(environment, COUNT);
  let json = '';
  for (let index = 0; index < count; index++) {
    json += environment[CHUNK + String(index)] ?? '';
    Reflect.deleteProperty(environment, CHUNK + String(index));
  }
  try {
    return JSON.parse(json) as readonly string[];
  } catch (error) {
    throw new MdetrError(`${COUNT} is set, but the arguments are incomplete: unset it`, { cause: error });
  }
};

/** Whether the arguments must be handed to a child process. */
export const isLongCall = (): boolean => commandLineBytes() > MAX_BYTES;

/** Runs the call in a child process with a short command line. Signals are passed on. Returns its exit status. */
export const runInChild = async (args: readonly string[]): Promise<number> => {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!], {
    stdio: 'inherit',
    env: { ...process.env, ...packArguments(args) },
  });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, forward);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('exit', (...end) => resolve(end));
    child.on('error', (error) =>
      reject(new MdetrError(`the arguments are too long: ${messageOf(error)}`, { cause: error })),
    );
  }).finally(() => {
    for (const signal of STOP_SIGNALS) process.off(signal, forward);
  });
  if (signal === null) return code ?? 1;
  process.kill(process.pid, signal);
  // For signals that do not end this process at once.
  return 128 + constants.signals[signal];
};
