import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCode } from '../errors.ts';

/** Id of a process and of its machine. */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Start of the process in clock ticks since the boot (Linux): another process may get the same id later. */
  readonly start?: string | undefined;
  /** Namespace of process ids (Linux): in another container the same id is another process. */
  readonly namespace?: string | undefined;
}

const startOf = (pid: number): string | undefined => {
  try {
    // The name in parentheses may contain spaces; the 22nd field is the start.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, '').trim().split(' ');
    return fields[19];
  } catch {
    return undefined;
  }
};

const pidNamespace = (): string | undefined => {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
};

/** This process. */
export const thisProcess = (): Owner => ({
  pid: process.pid,
  host: hostname(),
  start: startOf(process.pid),
  namespace: pidNamespace(),
});

/** Whether a process of this machine with the id runs. */
export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
};

/** Whether the owner runs. A process of another machine or container cannot be looked up and is assumed to. */
export const isAlive = ({ pid, host, start, namespace }: Owner): boolean => {
  if (host !== hostname()) return true;
  if (namespace !== undefined && namespace !== pidNamespace()) return true;
  return isRunning(pid) && (start === undefined || start === (startOf(pid) ?? start));
};
