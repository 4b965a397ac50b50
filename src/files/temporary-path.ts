import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { isRunning } from './owner.ts';

const ENDING = '.tmp';

/** Identifies the machine and the container, whose process ids are comparable. */
const machineTag = (): string => {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Not Linux.
  }
  return createHash('sha256').update(`${hostname()} ${namespace}`).digest('hex').slice(0, 8);
};

/**
 * Path of a temporary file or folder beside its target, since a rename works within one file system only. The name tells
 * which process writes it.
 */
export const temporaryPath = (target: string): string =>
  `${target}.${process.pid}-${machineTag()}-${randomBytes(4).toString('hex')}${ENDING}`;

/** Whether a name is that of a temporary file of a process of this machine that has ended. */
export const isAbandoned = (name: string): boolean => {
  const [, pid, machine] = /\.(\d+)-([0-9a-f]{8})-[0-9a-f]{8}\.tmp$/.exec(name) ?? [];
  return pid !== undefined && machine === machineTag() && !isRunning(Number(pid));
};

/**
 * Removes the temporary files of `target` that killed processes left behind, including those of its parts
 * (`TARGET.NAME.…tmp`).
 */
export const removeAbandoned = async (target: string): Promise<void> => {
  const folder = dirname(target);
  const prefix = `${basename(target)}.`;
  for (const name of await readdir(folder).catch(() => []))
    if (name.startsWith(prefix) && isAbandoned(name))
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
};
