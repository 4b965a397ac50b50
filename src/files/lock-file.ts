import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { errorCode, fileReason, MdetrError } from '../errors.ts';
import { isAlive, thisProcess, type Owner } from './owner.ts';

/** Contents of a lock. */
const ownerSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  start: z.string().optional(),
  namespace: z.string().optional(),
}) satisfies z.ZodType<Owner>;

/** Takeovers of abandoned locks that a process tries before it gives up. */
const MAX_ATTEMPTS = 5;

const readOwner = (path: string): { readonly text: string; readonly owner: Owner | undefined } | undefined => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return { text, owner: ownerSchema.safeParse(JSON.parse(text)).data };
  } catch {
    // Written by a process that was killed before it could fill the file.
    return { text, owner: undefined };
  }
};

/**
 * Removes an abandoned lock. Two processes may find the same one: it is moved aside first, and put back if another
 * process has taken the lock in the meantime.
 */
const removeAbandoned = (path: string, text: string): void => {
  const aside = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
};

/** Creates the lock with its contents in one step: an empty file would look like that of a killed process. */
const create = (path: string, text: string): void => {
  const complete = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(complete, text, { flag: 'wx' });
  try {
    linkSync(complete, path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw error;
    // A file system without hard links.
    writeFileSync(path, text, { flag: 'wx' });
  } finally {
    rmSync(complete, { force: true });
  }
};

/** A file that one process at a time holds. The lock of a process that has ended is taken over. */
export class LockFile {
  private isHeld = true;

  private constructor(
    readonly path: string,
    private readonly text: string,
  ) {}

  /**
   * Takes the lock.
   * @param busy message for a lock that a running process holds, without the way out
   * @throws {MdetrError} if another process holds the lock, or the file cannot be written
   */
  static take(path: string, busy: (owner: Owner) => string): LockFile {
    const text = `${JSON.stringify({ ...thisProcess(), token: randomBytes(8).toString('hex') })}\n`;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        try {
          create(path, text);
          return new LockFile(path, text);
        } catch (error) {
          if (errorCode(error) !== 'EEXIST') throw error;
        }
        const found = readOwner(path);
        if (found === undefined) continue;
        if (found.owner !== undefined && isAlive(found.owner))
          throw new MdetrError(`${busy(found.owner)}; wait for it, or delete ${path} if it no longer runs`);
        removeAbandoned(path, found.text);
      }
    } catch (error) {
      if (error instanceof MdetrError) throw error;
      throw new MdetrError(`${path}: cannot be written (${fileReason(error)})`, { cause: error });
    }
    throw new MdetrError(`${path}: other processes take this lock at the same time; try again`);
  }

  /** Gives the lock back. Does nothing if it was given back, or another process has it by now. */
  release(): void {
    if (!this.isHeld) return;
    this.isHeld = false;
    try {
      if (readFileSync(this.path, 'utf8') === this.text) rmSync(this.path, { force: true });
    } catch {
      // The folder is gone, and the lock with it.
    }
  }
}
